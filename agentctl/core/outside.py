"""The hosts of `[sandbox] network`: what an entry may be, and whether a host and its port are on the list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentctl.records import dataclass

PORTS = (80, 443)
"""Those of an entry that names none."""
EXPECTED = "expected a host, *.host or host:port"
LOCAL = re.compile(r"localhost|.*\.localhost|0+|127(\.\d+){0,3}|169\.254(\.\d+){1,2}|0\.0\.0\.0")
entry = re.compile(
    r"(\*\.)?([a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*)(?::(\d{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class Host:
    """One entry."""

    name: str
    """In small letters, without a dot at the end."""
    below: bool
    """Whatever ends in it, and not it itself."""
    ports: tuple[int, ...]

    def covers(self, name: str, port: int) -> bool:
        """Whether this is on it. `name` as a client wrote it, in any case."""
        name = name.lower().removesuffix(".")
        same = name.endswith(f".{self.name}") and name != f".{self.name}" if self.below else name == self.name
        return same and port in self.ports


def read(text: str) -> Host:
    """An entry of the list.

    Raises:
        ValueError: it is none, in words for whoever wrote it.
    """
    found = entry.fullmatch(text.lower())
    if not found:
        raise ValueError(EXPECTED)
    star, name, port = found.groups()
    if len(name) > 253 or (star and "." not in name):
        raise ValueError(f"{EXPECTED}; a * stands before at least two names" if star else EXPECTED)
    if port is not None and not 0 < int(port) < 65_536:
        raise ValueError("expected a port from 1 to 65535")
    if LOCAL.fullmatch(name):
        raise ValueError("expected a host outside of this machine: its own addresses are always refused")
    return Host(name, bool(star), PORTS if port is None else (int(port),))


def covering(hosts: Sequence[Host], name: str, port: int) -> Host | None:
    """The first entry that names a host and a port; None: it may not be reached."""
    return next((each for each in hosts if each.covers(name, port)), None)
