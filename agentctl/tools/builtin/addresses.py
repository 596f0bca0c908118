"""Which addresses of the network a model may reach: the public ones, and what a tool's `hosts` names.

A name is resolved once, every address that it has is judged, and the connection goes to one of those: what the name
means a moment later plays no part.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

# Public by the registries, and yet they answer with a machine's own credentials.
METADATA = frozenset(ipaddress.ip_address(each) for each in ("168.63.129.16", "192.0.0.192", "100.100.100.200"))
PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
COMPATIBLE = ipaddress.IPv6Network("::/96")


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, in the resolver's order; decimal, octal and short forms too, as the system reads them.

    Raises:
        OSError: it has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    texts = [str(sockaddr[0]).partition("%")[0] for _, _, _, _, sockaddr in found]
    return [ipaddress.ip_address(text) for text in dict.fromkeys(texts)]


def is_public(address: Address) -> bool:
    """Whether it is somebody's ordinary server: nothing local, private, reserved, shared or for many."""
    inner = embedded(address)
    if inner is not None:
        return is_public(inner)
    if address in METADATA or address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return address.version == 4 or address in PUBLIC_V6


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to: mapped, compatible, 6to4, Teredo or NAT64."""
    if isinstance(address, IPv4Address):
        return None
    if address in NAT64 or (address in COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


def is_named(host: str, port: int, hosts: Sequence[str]) -> bool:
    """Whether an allow-list names it: `host` with any port, or `host:port`."""
    name = f"[{host}]" if ":" in host else host
    allowed = {each.strip().lower() for each in hosts}
    return not allowed.isdisjoint({host.lower(), name.lower(), f"{name.lower()}:{port}"})
