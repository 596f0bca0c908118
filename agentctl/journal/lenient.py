"""The events of a run as far as they can be read: what can't be is named and passed over. For looking alone."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from agentctl.core.events import Stamped
from agentctl.core.replaying import Unread
from agentctl.errors import StoreUnusable
from agentctl.journal import bodies, codec
from agentctl.journal.tx import Tx

UNREADABLE = (StoreUnusable, zlib.error, ValueError, TypeError, AttributeError)


def events(tx: Tx, folder: Path | None, run_id: str) -> list[Stamped | Unread]:
    """Every event in order, and in the place of one that is missing or can't be read, why."""
    rows = tx.execute(
        "SELECT seq, ts, session_id, step, type, v, form, data FROM events WHERE run_id = ? ORDER BY seq", (run_id,)
    ).fetchall()
    return list(_events(folder, run_id, rows))


def _events(
    folder: Path | None, run_id: str, rows: list[tuple[int, float, str, int, str, int, int, str | bytes]]
) -> Iterator[Stamped | Unread]:
    expected = 1
    for seq, ts, session, step, tag, version, form, data in rows:
        yield from (Unread(missing, 0.0, f"event {missing} is missing") for missing in range(expected, seq))
        expected = seq + 1
        try:
            event = codec.decode(tag, version, bodies.unpack(folder, form, data), where=f"{run_id} seq {seq}")
        except UNREADABLE as error:
            said = error.message if isinstance(error, StoreUnusable) else f"event {seq} ({tag}): {error}"
            yield Unread(seq, ts, f"can't be read: {said}")
            continue
        if event is None:
            yield Unread(seq, ts, f"a `{tag}` event, which this agentctl does not know", unknown=True)
        else:
            yield Stamped(run_id, seq, session, step, ts, event)
