"""The chain over a run's events: each one's link is a hash of the link before it and of everything that it says.

    link 0  = SHA-256("agentctl chain 1", run)
    link n  = SHA-256(link n-1, seq, epoch, moment, session, step, tag, version, SHA-256(data as text))

Whoever kept the last link elsewhere can tell that nothing before it was changed. There is no key in it: who may write
the file can make a chain of their own, and a bundle can be verified by everybody. How a text is stored (compressed, in
a file of its own) is no part of it.

A store of a program that knew no chain has events without links. They get theirs at the first append of their run, or
all at once by `store migrate`; a link that was once written stays.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from agentctl.journal import bodies
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

LINK_BYTES: Final = 32
_COLUMNS = "seq, epoch, ts, session_id, step, type, v"


@dataclass(frozen=True, slots=True)
class Place:
    """What stands around the data of an event."""

    seq: int
    epoch: int
    ts: float
    session_id: str
    step: int
    tag: str
    version: int


def first(run_id: str) -> bytes:
    """What the first event of a run is linked to."""
    return hashlib.sha256(b"agentctl chain 1\0" + run_id.encode()).digest()


def body(text: str) -> bytes:
    """The part of a link that its data gives; of a filed text it is the file's name, too."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def link(before: bytes, at: Place, data: bytes) -> bytes:
    """The link of an event: `data` is what `body` made of it."""
    place = f"{at.seq}\0{at.epoch}\0{float(at.ts)!r}\0{at.session_id}\0{at.step}\0{at.tag}\0{at.version}\0"
    return hashlib.sha256(before + place.encode("utf-8", "surrogatepass") + data).digest()


def before(tx: Tx, folder: Path | None, run_id: str, seq: int) -> bytes:
    """What the event `seq` of a run is linked to; events that have no links yet get them here."""
    if seq == 1:
        return first(run_id)
    row = tx.execute("SELECT link FROM events WHERE run_id = ? AND seq = ?", (run_id, seq - 1)).fetchone()
    if row is None or row[0] is None:
        return complete(tx, folder, run_id)
    return bytes(row[0])


def complete(tx: Tx, folder: Path | None, run_id: str) -> bytes:
    """Link the events of a run that have no link; the last link of the run.

    Raises:
        StoreUnusable: one of them can't be read.
    """
    rows = tx.execute(
        f"SELECT link, form, data, {_COLUMNS} FROM events WHERE run_id = ? ORDER BY seq",  # noqa: S608  # constants
        (run_id,),
    ).fetchall()
    at = first(run_id)
    made: list[tuple[bytes, str, int]] = []
    for kept, form, data, *place in rows:
        if kept is None:
            at = link(at, Place(*place), digest(folder, form, data))
            made.append((at, run_id, place[0]))
        else:
            at = bytes(kept)
    tx.executemany("UPDATE events SET link = ? WHERE run_id = ? AND seq = ?", made)
    return at


def digest(folder: Path | None, form: int, data: str | bytes) -> bytes:
    """`body` of a text as it is stored. A filed one is not read: its name says it."""
    if form == bodies.FILED and isinstance(data, str):
        return bytes.fromhex(data)
    return body(bodies.unpack(folder, form, data))


def unlinked(tx: Tx) -> list[str]:
    """The runs whose events have no links yet."""
    rows = tx.execute("SELECT DISTINCT run_id FROM events INDEXED BY events_unlinked WHERE link IS NULL")
    return [str(run_id) for (run_id,) in rows.fetchall()]
