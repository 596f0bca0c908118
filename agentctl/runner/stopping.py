"""Pausing and cancelling a run from outside of it.

A run that somebody drives is asked by a letter, and obeys at its next safe point: before a model call or a call that
may change something, while it waits, or at a prompt. One that nobody drives is cancelled here: its lease is taken, what
it may have spent is settled, its end is written.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final, Literal

from agentctl.core.events import Completed, Stamped
from agentctl.core.messages import Delta
from agentctl.core.state import State, fold
from agentctl.core.summary import Summary, apply
from agentctl.errors import Forbidden
from agentctl.journal import lease
from agentctl.journal.runs import RunRow
from agentctl.journal.store import Store
from agentctl.records import dataclass
from agentctl.runner import doubt, recall
from agentctl.runner.order import Progress
from agentctl.runner.recorder import Identity, Recorder
from agentctl.runner.wishes import CANCELLED

WAIT_S: Final = 3.0
"""For a driver to obey, before the command says that it will."""
LOOK_S: Final = 0.1
OVER: Final = {"completed", "cancelled"}
LEFT: Final = {"parked", "paused", "stopped"}
"""Statuses in which a driver goes that has not seen the letter."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of a wish."""

    run_id: str
    status: str
    """As it stands now: `running` where the driver has not come to a safe point yet."""
    unsure: tuple[str, ...] = ()
    """Tools that were started and not seen to finish, of a run that was cancelled without a driver."""


async def pause(journal: Store, name: str, user: str) -> Stopped:
    """Ask whoever drives a run to pause it.

    Raises:
        Forbidden: there is no such run, or nobody drives it.
    """
    row = journal.run(name)
    if row.status != "running" or lease.crashed(row, journal.clock()):
        word = "crashed" if lease.crashed(row, journal.clock()) else row.status
        raise Forbidden(
            f"{row.run_id} is {word}: nothing runs that could be paused", hint=f"agentctl show {row.run_id}"
        )
    return await _asked(journal, row.run_id, "pause", user)


async def cancel(journal: Store, name: str, user: str) -> Stopped:
    """Cancel a run for good, at its next safe point where somebody drives it.

    Raises:
        Forbidden: there is no such run, or it is over.
    """
    row = journal.run(name)
    if row.status in OVER or (row.status == "failed" and row.reason != "providers"):
        raise Forbidden(f"{row.run_id} is {row.status} already", hint=f"agentctl show {row.run_id}")
    found = await _taken(journal, row, user) or await _asked(journal, row.run_id, "cancel", user)
    left = WAIT_S
    while found.status in LEFT and left > 0:  # its driver has gone past the letter, and lets go of it by and by
        await asyncio.sleep(LOOK_S)
        left -= LOOK_S
        found = await _taken(journal, row, user) or replace(found, status=journal.run(row.run_id).status)
    return found


async def _taken(journal: Store, row: RunRow, user: str) -> Stopped | None:
    """Cancel it here; None: somebody drives it, or it is over by now."""
    try:
        epoch = await journal.take_open(row.run_id, lease.new_owner())
    except Forbidden:
        return None
    try:
        return await _ended(journal, row, epoch, user)
    finally:  # also where its journal can't be read
        await journal.release(row.run_id, epoch)


async def _asked(journal: Store, run_id: str, kind: Literal["pause", "cancel"], user: str) -> Stopped:
    journal.leave(run_id, kind, by=user)
    left = WAIT_S
    while (row := journal.run(run_id)).status == "running" and left > 0:
        await asyncio.sleep(LOOK_S)
        left -= LOOK_S
    return Stopped(run_id, row.status)


async def _ended(journal: Store, row: RunRow, epoch: int, user: str) -> Stopped:
    events = journal.events(row.run_id)
    totals = Summary()
    for stamped in events:
        totals = apply(totals, stamped.event)
    who = Identity(row.run_id, row.session_id, epoch)
    recorder = Recorder(journal, who, Nobody(), journal.clock, fold(events), totals)
    recall.orphans(recorder, journal)
    unsure = [call for call in recorder.state.inflight.calls if call.in_doubt]
    for call in unsure:
        doubt.ended(row.run_id, call.call_id)
    said = f"Cancelled by {user}."
    recorder.record(Completed("cancelled", "cancel", CANCELLED, recorder.totals.cost_micro, totals.answer, said))
    await recorder.flush(durable=True)
    return Stopped(row.run_id, "cancelled", tuple(call.tool for call in unsure))


class Nobody:
    """A listener where nobody watches."""

    def event(self, stamped: Stamped, state: State) -> None:
        """See `Listener`."""

    def delta(self, delta: Delta) -> None:
        """See `Listener`."""

    def progress(self, at: Progress) -> None:
        """See `Listener`."""

    def note(self, text: str) -> None:
        """See `Listener`."""
