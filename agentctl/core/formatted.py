"""Texts in the formats that JSON Schema names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

DAY: Final = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


def _then(n: int) -> datetime:
    return DAY + timedelta(days=n % 100_000, minutes=n % 7)


def _address(n: int) -> str:
    """In the block for examples, then in a private one."""
    return f"192.0.2.{n + 1}" if n < 254 else f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


_PATH: Final[Callable[[int], str]] = "/{}".format
_HOST: Final[Callable[[int], str]] = "host{}.example.com".format
_MAIL: Final[Callable[[int], str]] = "person{}@example.com".format
_LINK: Final[Callable[[int], str]] = "https://example.com/{}".format
_BYTES: Final[Callable[[int], str]] = "{:04d}".format
FORMATS: Final[dict[str, Callable[[int], str]]] = {
    "date": lambda n: _then(n).date().isoformat(),
    "date-time": lambda n: _then(n).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "time": lambda n: (DAY + timedelta(seconds=n)).strftime("%H:%M:%SZ"),
    "duration": "P{}D".format,
    "email": _MAIL,
    "idn-email": _MAIL,
    "hostname": _HOST,
    "idn-hostname": _HOST,
    "ipv4": _address,
    "ipv6": lambda n: f"2001:db8::{n % 65_535 + 1:x}",
    "uri": _LINK,
    "iri": _LINK,
    "url": _LINK,
    "uri-reference": _PATH,
    "iri-reference": _PATH,
    "uri-template": _PATH,
    "json-pointer": _PATH,
    "relative-json-pointer": str,
    "uuid": "00000000-0000-4000-8000-{:012x}".format,
    "regex": lambda n: "a" * (n % 100 + 1),
    "byte": _BYTES,
    "binary": _BYTES,
    "password": "sample-{}".format,
}


def formatted(name: str, n: int) -> str | None:
    """The `n`th text of a format; None: not one of `FORMATS`."""
    made = FORMATS.get(name)
    return None if made is None else made(n + 1)
