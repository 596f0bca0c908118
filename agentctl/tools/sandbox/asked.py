"""What a program in a box asks of its proxy: `CONNECT host:port`, or a request with a whole `http://` URL."""

from __future__ import annotations

import re

from agentctl.records import dataclass

LONGEST = 16_384
"""Bytes of a request's head."""
DROPPED = frozenset({
    *("host", "connection", "keep-alive", "te", "trailer", "upgrade"),
    *("proxy-connection", "proxy-authorization", "proxy-authenticate"),
})  # fmt: skip
line = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.[01]")
header = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*)")
authority = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]{1,254})(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom it wants to speak to."""

    host: str
    port: int
    tunnel: bool
    head: bytes = b""
    """What the server is sent of it, its `Host` and all; empty for a tunnel."""


def parsed(head: bytes) -> Asked:
    """Read a request's head, with the empty line at its end.

    Raises:
        ValueError: it is none that a proxy is sent.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    found = line.fullmatch(first)
    if not found:
        raise ValueError("not a request of HTTP/1")
    method, target = found[1], found[2].decode("ascii")
    if method == b"CONNECT":
        host, port = _place(target)
        if port is None:
            raise ValueError("CONNECT needs host:port")
        return Asked(host, port, tunnel=True)
    if not target.lower().startswith("http://"):
        raise ValueError("a proxy is asked with CONNECT or with a whole http:// URL")
    place, slash, path = target[7:].partition("/")
    if "?" in place or "#" in place:
        raise ValueError("a URL needs a path")
    host, port = _place(place)
    kept = [f"{method.decode()} {slash or '/'}{path} HTTP/1.1".encode(), b"Host: " + place.encode()]
    for each in lines:
        named = header.fullmatch(each)
        if not named:
            raise ValueError("a header that is none")
        if named[1].decode().lower() not in DROPPED:
            kept.append(each)
    return Asked(host, port or 80, tunnel=False, head=b"\r\n".join([*kept, b"Connection: close", b"", b""]))


def _place(text: str) -> tuple[str, int | None]:
    found = authority.fullmatch(text)
    if not found or (found[2] and not 0 < int(found[2]) < 65_536):
        raise ValueError("expected host:port, without a name or password")
    return found[1].strip("[]").lower().removesuffix("."), int(found[2]) if found[2] else None
