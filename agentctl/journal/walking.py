"""A walk along the events of one run as they are stored: every place where they can't be what was written.

Each event is held against the link that the one before it says it has, so that one altered event is named alone, and
a missing one by its number. After one that can't be read the walk goes on.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from agentctl.errors import StoreUnusable
from agentctl.journal import bodies, chain, codec
from agentctl.journal.chain import LINK_BYTES, Place
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

MOST: Final = 20
"""Faults of one run that are named."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one event, or with those that should be there."""

    seq: int
    """The first event that can't be kept."""
    said: str
    blob: bool = False
    """It is the file beside the store that is wrong."""


@dataclass(frozen=True, slots=True)
class _Row:
    at: Place
    form: int
    data: str | bytes
    link: bytes | None


def faults(tx: Tx, folder: Path | None, run_id: str, next_seq: int) -> Iterator[Fault]:
    """The first of them, in order; none: the run is whole as far as anybody can tell."""
    return islice(_faults(tx, folder, run_id, next_seq), MOST)


def _faults(tx: Tx, folder: Path | None, run_id: str, next_seq: int) -> Iterator[Fault]:
    expected, befores = 1, [chain.first(run_id)]
    (linked,) = tx.execute(
        "SELECT count(*) FROM events WHERE run_id = ? AND link IS NOT NULL", (run_id,)
    ).fetchone()  # fmt: skip
    for row in _rows(tx, run_id):
        seq = row.at.seq
        if seq >= next_seq:
            yield Fault(next_seq, f"event {seq} was added after the last one of the run, {next_seq - 1}")
        if seq != expected:
            yield missing(expected, seq - 1)
            befores = []  # what it was linked to is gone
        expected = seq + 1
        found, again = _fault(folder, run_id, row, befores, linked=bool(linked))
        if found is not None:
            yield found
        # The link as it is, and as it should be: where it alone was altered, the next event is not to blame.
        befores = [each for each in (row.link, again) if each]
    if expected < next_seq:
        yield missing(expected, next_seq - 1)


def missing(first: int, last: int) -> Fault:
    """Events that are not there."""
    return Fault(first, f"event {first} is missing" if first == last else f"events {first} to {last} are missing")


def _rows(tx: Tx, run_id: str) -> Iterator[_Row]:
    rows = tx.execute(
        "SELECT seq, epoch, ts, session_id, step, type, v, form, data, link FROM events WHERE run_id = ? ORDER BY seq",
        (run_id,),
    )
    for *place, form, data, link in rows:
        yield _Row(Place(*place), form, data, link)


def _fault(
    folder: Path | None, run_id: str, row: _Row, befores: list[bytes], *, linked: bool
) -> tuple[Fault | None, bytes | None]:
    """What is wrong with an event, and the link that it should have as far as that can be told."""
    seq, name = row.at.seq, f"event {row.at.seq} ({row.at.tag})"
    try:
        text = bodies.unpack(folder, row.form, row.data)
    except StoreUnusable as error:
        return Fault(seq, f"{name}: {error.message}", blob=True), None
    except (zlib.error, ValueError, TypeError, AttributeError) as error:
        return Fault(seq, f"{name} was altered: its text can't be unpacked ({error})"), None
    made = [chain.link(before, row.at, chain.body(text)) for before in befores]
    again = made[0] if made else None
    if linked and (row.link is None or len(row.link) != LINK_BYTES):
        return Fault(seq, f"{name} was altered: it has no link to the one before it"), again
    if linked and made and row.link not in made:
        return Fault(seq, f"{name} was altered"), again
    try:
        codec.decode(row.at.tag, row.at.version, text, where=f"{run_id} seq {seq}")
    except StoreUnusable as error:
        return Fault(seq, error.message), again
    return None, again
