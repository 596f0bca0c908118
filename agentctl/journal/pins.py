"""What the tools of MCP servers looked like when they were last agreed to: one row per server and tool.

A server may describe a tool harmlessly, be approved, and describe it otherwise the next day. So the first sight of a
definition is kept, and a person is asked before another one is used.

- `pin` writes down what was never seen and notes when the rest was seen last. It never replaces a definition.
- `accept` replaces one by that which the person was shown: should it have changed again, it is asked about again.
- A server is its name with its command or URL, a tool its name there. Pins outlive runs.
- `listed` keeps a server's last listing as a whole, agreed to or not: whoever knows it need not start the server to
  say what it offers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import cast

from agentctl.core.messages import Json, is_object
from agentctl.journal.tx import Tx
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Pin:
    """One row."""

    digest: str
    """SHA-256 of the definition, in hex."""
    definition: str
    """Canonical JSON: name, description, schema, annotations."""
    first_seen: float
    """When this definition was first seen or accepted."""
    last_seen: float


@dataclass(frozen=True, slots=True)
class Listing:
    """All that a server offered when it was last asked."""

    seen: float
    """When, in seconds since 1970."""
    definitions: dict[str, str]
    """By tool, in the server's order."""


def digest_of(definition: str) -> str:
    """Another definition, another digest."""
    return hashlib.sha256(definition.encode("utf-8", "surrogatepass")).hexdigest()


def pinned(tx: Tx, server: str) -> dict[str, Pin]:
    """The pins of a server, by tool."""
    rows = tx.execute(
        "SELECT tool, digest, definition, first_seen, last_seen FROM pins WHERE server = ? ORDER BY tool", (server,)
    )
    return {tool: Pin(digest, definition, first, last) for tool, digest, definition, first, last in rows.fetchall()}


def definitions(tx: Tx, servers: Iterable[str]) -> dict[str, dict[str, str]]:
    """The pinned definitions of some servers, by server and tool: what tools are compared to."""
    return {server: {tool: pin.definition for tool, pin in pinned(tx, server).items()} for server in servers}


def pin(tx: Tx, server: str, seen: Mapping[str, str], now: float) -> None:
    """These definitions, by tool, were seen just now."""
    tx.executemany(
        "INSERT INTO pins(server, tool, digest, definition, first_seen, last_seen) VALUES(?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(server, tool) DO UPDATE SET last_seen = max(pins.last_seen, excluded.last_seen)"
        " WHERE pins.digest = excluded.digest",
        [(server, tool, digest_of(each), each, now, now) for tool, each in seen.items()],
    )


def accept(tx: Tx, server: str, tool: str, definition: str, now: float) -> None:
    """A person agreed to this definition: it is the pinned one from now on."""
    tx.execute(
        "INSERT INTO pins(server, tool, digest, definition, first_seen, last_seen) VALUES(?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(server, tool) DO UPDATE SET digest = excluded.digest, definition = excluded.definition,"
        " first_seen = excluded.first_seen, last_seen = excluded.last_seen",
        (server, tool, digest_of(definition), definition, now, now),
    )


def listed(tx: Tx, server: str, definitions: Mapping[str, str], now: float) -> None:
    """A server offered exactly these just now."""
    tx.execute(
        "INSERT INTO listings(server, seen, definitions) VALUES(?, ?, ?)"
        " ON CONFLICT(server) DO UPDATE SET seen = excluded.seen, definitions = excluded.definitions",
        (server, now, json.dumps(definitions, separators=(",", ":"))),
    )


def listing(tx: Tx, server: str) -> Listing | None:
    """What a server offered last; None where it was never asked, or what was written cannot be read."""
    row = tx.execute("SELECT seen, definitions FROM listings WHERE server = ?", (server,)).fetchone()
    if row is None:
        return None
    seen, text = cast("tuple[float, str]", row)
    try:
        found = cast("Json", json.loads(text))
    except ValueError:
        return None
    if not is_object(found):
        return None
    definitions = {tool: each for tool, each in found.items() if isinstance(each, str)}
    return Listing(seen, definitions) if len(definitions) == len(found) else None


def forget(tx: Tx, server: str) -> int:
    """Drop the pins of a server, which is new from then on; how many there were."""
    tx.execute("DELETE FROM listings WHERE server = ?", (server,))
    return tx.execute("DELETE FROM pins WHERE server = ?", (server,)).rowcount
