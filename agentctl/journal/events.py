"""Events as rows: appended under a fence, read back in order.

An append names the epoch and the seq that it believes in. When either is not the run's, somebody else drives it:
nothing is written, and the caller learns who does. The same transaction keeps `tool_calls` in step: an intent without
an outcome is seen there as `started`, in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from pathlib import Path

from agentctl.core.clock import SKEW_S
from agentctl.core.events import Stamped, ToolFinished, ToolStarted
from agentctl.core.guards.results import MINUTE_S, MOST_STARTS
from agentctl.journal import bodies, chain, codec, inbox, lease, onlookers, sealed
from agentctl.journal.failpoints import failpoint
from agentctl.journal.sealed import Sealed
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

_MATES = (
    " FROM runs me JOIN runs other ON other.session_id = me.session_id AND other.user_id = me.user_id"
    " AND other.tenant_id = me.tenant_id AND other.rehearsed = me.rehearsed AND other.run_id <> me.run_id"
)
"""The other runs of a run's session, which is one tenant's and one user's; rehearsals are rehearsals' own."""


@dataclass(frozen=True, slots=True)
class Change:
    """What goes into the transaction beside the events. None leaves a column of the run as it is."""

    status: str | None = None
    reason: str = ""
    """Goes with a status."""
    cost_micro: int | None = None
    steps: int | None = None
    originals: tuple[Sealed, ...] = ()
    """What the events name by digest."""
    letters: tuple[int, ...] = ()
    """Ids of the letters that became these events."""
    also: Callable[[Tx], object] | None = None
    """Whatever else has to happen with them: settling a hold."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A tool call that was started and not seen to finish."""

    run_id: str
    call_id: str
    tool: str
    effect: bool
    attempt: int
    idempotency_key: str
    timeout_s: float
    epoch: int
    started_seq: int
    """Where its arguments stand."""
    started: float


@dataclass(slots=True)
class Draft:
    """Events on their way into rows: encoded by the caller, packed on the writer's thread."""

    events: Sequence[Stamped]
    texts: list[tuple[str, int, str]]
    packed: list[tuple[int, str | bytes]]
    folder: Path | None = None
    """Of the blobs."""
    digests: list[bytes] = field(default_factory=list[bytes])
    """What the chain takes from each text."""

    @classmethod
    def of(cls, events: Sequence[Stamped]) -> Draft:
        """Encode now: what is queued no longer changes with what it was made of."""
        first = events[0]
        if [(s.run_id, s.seq) for s in events] != [
            (first.run_id, seq) for seq in range(first.seq, first.seq + len(events))
        ]:
            raise ValueError("one append holds consecutive events of one run")
        return cls(events, [codec.encode(stamped.event) for stamped in events], [])

    def pack(self, folder: Path | None) -> None:
        """Compress what is long, file what is huge where there are files."""
        self.packed = [bodies.pack(folder, text) for _, _, text in self.texts]
        self.digests = [chain.body(text) for _, _, text in self.texts]
        self.folder = folder


def append(tx: Tx, epoch: int, draft: Draft, change: Change, now: float) -> float:
    """Write the events and renew the lease; until when it holds. LeaseLost where the fence does not open."""
    until = now + lease.LEASE_S
    _fence(tx, draft, epoch, change, now, until)
    _insert(tx, draft, epoch, now)
    failpoint("events-inserted")
    _calls(tx, draft.events, epoch)
    _beside(tx, draft, change, now)
    if change.status not in {None, "running"}:  # also where the driver that left it there was killed
        onlookers.write(tx, draft.events[0].run_id, "", now)
    return until


def begin(tx: Tx, draft: Draft, originals: Sequence[Sealed], now: float) -> None:
    """Write the first events of a run that nobody drives yet, copied from another: their calls are not its own."""
    run_id = draft.events[0].run_id
    tx.execute("UPDATE runs SET next_seq = ? WHERE run_id = ?", (len(draft.events) + 1, run_id))
    _insert(tx, draft, 0, now)
    for original in originals:
        sealed.put(tx, run_id, original)


def _insert(tx: Tx, draft: Draft, epoch: int, now: float) -> None:
    tx.executemany("INSERT INTO events VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _rows(tx, draft, epoch))
    for (_, _, text), (form, data) in zip(draft.texts, draft.packed, strict=True):
        if form == bodies.FILED:
            # Under the lock: a prune may just have removed an equal one.
            bodies.keep(draft.folder, str(data), text)
            tx.execute("INSERT INTO blobs VALUES(?, ?, ?) ON CONFLICT DO NOTHING", (data, len(text), now))


def read(tx: Tx, folder: Path | None, run_id: str, after: int, limit: int) -> tuple[list[Stamped], int]:
    """Up to `limit` events above `after`, and the seq of the last row; kinds that nobody knows are left out."""
    rows = tx.execute(
        "SELECT seq, ts, session_id, step, type, v, form, data FROM events"
        " WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (run_id, after, limit),
    ).fetchall()
    found: list[Stamped] = []
    for seq, ts, session, step, tag, version, form, data in rows:
        text = bodies.unpack(folder, form, data)
        event = codec.decode(tag, version, text, where=f"{run_id} seq {seq}")
        if event is not None:
            found.append(Stamped(run_id, seq, session, step, ts, event))
    return found, rows[-1][0] if rows else after


def in_doubt(tx: Tx, run_id: str) -> list[InDoubt]:
    """The calls whose outcome is unknown, in the order in which they were started."""
    rows = tx.execute(
        "SELECT call_id, tool, effect, attempt, idem_key, timeout_s, epoch, started_seq, started"
        " FROM tool_calls WHERE run_id = ? AND state = 'started' ORDER BY started_seq",
        (run_id,),
    ).fetchall()
    return [InDoubt(run_id, call_id, tool, bool(effect), *rest) for call_id, tool, effect, *rest in rows]


def calls_of_the_session(tx: Tx, run_id: str) -> dict[str, int]:
    """How often the other runs of this run's session started each tool; rehearsals count rehearsals. D88"""
    rows = tx.execute(
        f"SELECT c.tool, COUNT(*){_MATES} JOIN tool_calls c ON c.run_id = other.run_id AND c.attempt > 0"
        " WHERE me.run_id = ? GROUP BY c.tool",
        (run_id,),
    ).fetchall()
    return {str(tool): int(count) for tool, count in rows}


def starts_of_the_session(tx: Tx, run_id: str, tools: Sequence[str], now: float) -> dict[str, tuple[float, ...]]:
    """When the other runs of this run's session started these tools in the last minute, the earliest first. D88

    A call that was tried again counts at its last attempt. Bound: MOST_STARTS of each tool, the latest.
    """
    rows = tx.execute(
        f"SELECT c.tool, c.started{_MATES} AND other.updated > ?"
        " JOIN tool_calls c ON c.run_id = other.run_id AND c.attempt > 0 AND c.started > ? AND c.started <= ?"
        " WHERE me.run_id = ? ORDER BY c.started",
        (now - MINUTE_S, now - MINUTE_S, now + SKEW_S, run_id),
    ).fetchall()
    found: dict[str, tuple[float, ...]] = {}
    for tool, started in rows:
        if tool in tools:
            found[tool] = (*found.get(tool, ()), started)[-MOST_STARTS:]
    return found


def _rows(tx: Tx, draft: Draft, epoch: int) -> list[tuple[object, ...]]:
    """The rows, each with its link to the one before."""
    start = draft.events[0]
    at = chain.before(tx, draft.folder, start.run_id, start.seq)
    rows: list[tuple[object, ...]] = []
    parts = zip(draft.events, draft.texts, draft.packed, draft.digests, strict=True)
    for s, (tag, version, _), (form, data), digest in parts:
        at = chain.link(at, chain.Place(s.seq, epoch, s.ts, s.session_id, s.step, tag, version), digest)
        rows.append((s.run_id, s.seq, epoch, s.ts, s.session_id, s.step, tag, version, form, data, at))
    return rows


def _fence(tx: Tx, draft: Draft, epoch: int, change: Change, now: float, until: float) -> None:
    first = draft.events[0]
    # The status is indexed: naming it only where it changes spares an index write per append.
    status = ", status = ?, reason = ?" if change.status is not None else ""
    words = (change.status, change.reason) if change.status is not None else ()
    counts = (change.cost_micro, change.steps)
    done = tx.execute(
        "UPDATE runs SET next_seq = next_seq + ?, lease_until = ?, updated = ?,"  # noqa: S608  # constants
        f" cost_micro = COALESCE(?, cost_micro), steps = COALESCE(?, steps){status}"
        " WHERE run_id = ? AND epoch = ? AND next_seq = ?",
        (len(draft.events), until, now, *counts, *words, first.run_id, epoch, first.seq),
    )
    if not done.rowcount:
        raise lease.lost(tx, first.run_id, epoch, first.seq)


def _beside(tx: Tx, draft: Draft, change: Change, now: float) -> None:
    for original in change.originals:
        sealed.put(tx, draft.events[0].run_id, original)
    if change.letters:
        inbox.mark_taken(tx, change.letters, now)
        failpoint("letter-taken")
    if change.also is not None:
        change.also(tx)


def _calls(tx: Tx, events: Sequence[Stamped], epoch: int) -> None:
    """Keep `tool_calls` in step; a call that starts and ends in one append is written once."""
    begun: dict[str, tuple[object, ...]] = {}
    for stamped in events:
        match stamped.event:
            case ToolStarted() as event:
                begun[event.call_id] = (
                    "started", stamped.run_id, event.call_id, event.tool, int(event.effect), event.attempt,
                    event.idempotency_key, event.timeout_s, epoch, stamped.seq, stamped.ts,
                )  # fmt: skip
            case ToolFinished() as event:
                state = "finished" if event.final else "retrying"
                if event.call_id in begun:
                    begun[event.call_id] = (state, *begun[event.call_id][1:])
                else:
                    _finished(tx, stamped.run_id, event, state, epoch)
            case _:
                pass
    if begun:
        tx.executemany(
            "INSERT INTO tool_calls(state, run_id, call_id, tool, effect, attempt, idem_key, timeout_s,"
            " epoch, started_seq, started) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT(run_id, call_id) DO UPDATE SET state = excluded.state, attempt = excluded.attempt,"
            " idem_key = excluded.idem_key, timeout_s = excluded.timeout_s, epoch = excluded.epoch,"
            " started_seq = excluded.started_seq, started = excluded.started",
            list(begun.values()),
        )


def _finished(tx: Tx, run_id: str, event: ToolFinished, state: str, epoch: int) -> None:
    tx.execute(
        "INSERT INTO tool_calls(run_id, call_id, state, tool, epoch) VALUES(?, ?, ?, ?, ?)"
        " ON CONFLICT(run_id, call_id) DO UPDATE SET state = excluded.state, epoch = excluded.epoch",
        (run_id, event.call_id, state, event.tool, epoch),
    )
