"""The beginning of a run as the beginning of another one: what a fork starts from.

Rules.
1. An event is copied as it was written: same moment, step, version and text. Only the sealed original that it names is
   another: one that still exists is opened and sealed for the new run, one that was destroyed is named no more.
2. The chain is the new run's own, from its id on; the copies stand under epoch 0, under which nobody drives.
3. The row, the copies and the event that says where they are from are one transaction: a run whose journal begins like
   another's without saying so never exists.
4. Copied calls are not the new run's: `tool_calls` gets no rows of them.

Nothing of the run that is copied changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from agentctl.core.events import Stamped
from agentctl.errors import StoreUnusable
from agentctl.journal import bodies, codec, events, runs
from agentctl.journal.events import Draft
from agentctl.journal.runs import NewRun
from agentctl.journal.sealed import Sealed
from agentctl.journal.store import Store
from agentctl.journal.tx import Tx
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Copied:
    """Events of one run, ready to be another's."""

    events: tuple[Stamped, ...]
    """Under the new run's id; decoded from what was written."""
    texts: tuple[tuple[str, int, str], ...]
    originals: tuple[Sealed, ...]
    gone: int
    """Originals that had been destroyed."""


def prefix(store: Store, parent: str, at: int, new: NewRun) -> Copied:
    """Read the events of a run up to a seq, and make them the new run's. Nothing is written.

    Raises:
        StoreUnusable: one of them, or an original, can't be read; or a newer program wrote one.
    """
    found: list[Stamped] = []
    texts: list[tuple[str, int, str]] = []
    originals: list[Sealed] = []
    gone = 0
    kept = store.read(lambda tx: dict(tx.execute("SELECT digest, body FROM sealed WHERE run_id = ?", (parent,))))
    for seq, ts, step, tag, version, form, data in store.read(lambda tx: _rows(tx, parent, at)):
        where = f"{parent} seq {seq}"
        text = bodies.unpack(store.blobs, form, data)
        fields = json.loads(text)
        if digest := fields.get("sealed"):
            body = kept.get(digest)
            if body is None:
                gone += 1
            else:
                originals.append(store.seal.seal(new.run_id, store.seal.unseal(parent, digest, bytes(body))))
            text = codec.json_text(fields | {"sealed": "" if body is None else originals[-1].digest})
        event = codec.decode(tag, version, text, where=where)
        if event is None:
            raise StoreUnusable(
                f"{where}: this program knows no `{tag}` events", hint="A newer agentctl wrote it: fork it with that."
            )
        found.append(Stamped(new.run_id, seq, new.session_id, step, ts, event))
        texts.append((tag, version, text))
    if len(found) != at:
        raise StoreUnusable(f"{parent}: of its first {at} events {at - len(found)} are missing", hint="store check")
    return Copied(tuple(found), tuple(texts), tuple(originals), gone)


def written(
    store: Store, new: NewRun, copied: Copied, more: Sequence[Stamped], originals: Sequence[Sealed]
) -> Callable[[Tx], None]:
    """The work that makes the new run: its row, the copies, and `more` events after them.

    What is large is filed here already, before anything waits for the transaction.
    """
    fresh = [codec.encode(stamped.event) for stamped in more]
    draft = Draft((*copied.events, *more), [*copied.texts, *fresh], [])
    draft.pack(store.blobs)

    def work(tx: Tx) -> None:
        runs.create(tx, new)
        events.begin(tx, draft, (*copied.originals, *originals), store.clock())

    return work


def _rows(tx: Tx, parent: str, at: int) -> list[tuple[int, float, int, str, int, int, str | bytes]]:
    return tx.execute(
        "SELECT seq, ts, step, type, v, form, data FROM events WHERE run_id = ? AND seq <= ? ORDER BY seq", (parent, at)
    ).fetchall()
