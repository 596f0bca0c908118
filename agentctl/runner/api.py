"""What the command line calls: start a run, go on with one, say what would happen. Everything else here is inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from agentctl.approvals.base import Approver
from agentctl.config import task
from agentctl.config.task import Filled
from agentctl.core.events import Resumed, RunStarted, Stamped
from agentctl.core.messages import JsonObject
from agentctl.core.prices import micro
from agentctl.errors import Forbidden, Usage
from agentctl.journal import lease, sessions
from agentctl.journal.failpoints import failpoint
from agentctl.journal.runs import RunRow
from agentctl.journal.store import Store
from agentctl.runner import (
    conversing,
    crashed,
    doubt,
    expecting,
    explanation,
    forking,
    numbered,
    plan,
    reaping,
    recall,
    relearning,
    starting,
    words,
)
from agentctl.runner.drive import Drive, driven
from agentctl.runner.order import Listener, Order, Raise, Result
from agentctl.runner.plan import Plan
from agentctl.runner.servers import served
from agentctl.runner.stores import existing, open_journal
from agentctl.runner.world import World

ENDED = {"completed", "cancelled"}
MOST_USD, MOST_COUNT = 1_000_000, 1_000_000_000
"""What a resume may add: more is a slip of the finger."""


def _held(
    store: str | Store | None, opened: Callable[[str | None], AbstractContextManager[Store]]
) -> AbstractContextManager[Store]:
    """A store of its own for one run; who drives many opens it once, for all of them."""
    return nullcontext(store) if isinstance(store, Store) else opened(store)


def explain(order: Order, *, store: str | None = None) -> JsonObject:
    """What `run` would send and allow, and what it could cost at the worst. Sends nothing, writes nothing."""
    planned = plan.make(order, sends=False)
    filled, session = task.fill(planned.task, order.variables), conversing.session_of(order)
    past = expecting.explained(planned, order, store)
    if session is None:
        return explanation.of(planned, filled) | past
    with existing(store) as journal:
        said = journal.read(lambda tx: sessions.said(tx, journal.blobs, session))
        return explanation.of(planned, filled, *said) | past


async def run(order: Order, *, store: str | Store | None, listener: Listener, approver: Approver | None) -> Result:
    """Run a task until something ends the drive.

    Raises:
        AgentctlError: for everything that is wrong before there is a run.
    """
    planned = plan.make(order, store=store)
    filled = task.fill(planned.task, order.variables)
    with _held(store, open_journal) as journal:
        await reaping.reap(journal)
        async with served(planned, journal, listener) as complete:
            if not isinstance(store, Store) and (line := crashed.offer(journal, order.user, rehearsed=order.rehearse)):
                listener.note(line)
            if not isinstance(store, Store) and (line := expecting.line(journal, planned, order)):
                listener.note(line)
            for note in complete.notes:
                listener.note(note)
            return await begun(complete, order, filled, journal, listener, approver)


async def begun(
    complete: Plan, order: Order, filled: Filled, journal: Store, listener: Listener, approver: Approver | None
) -> Result:
    """Begin the run that was planned, and drive it."""
    new = starting.new(order, complete, journal.clock())
    await journal.create_run(new)
    failpoint("run-created")
    epoch = await journal.take_open(new.run_id, lease.new_owner())
    failpoint("run-taken")
    opening = Drive(journal, complete, order, listener, approver, new.run_id, new.session_id, epoch, filled.secrets)
    async with driven(opening) as (world, finish):
        starting.begin(world, complete, order, filled)
        return await finish()


async def resume(
    run_id: str,
    raised: Raise,
    *,
    store: str | Store | None,
    listener: Listener,
    approver: Approver | None,
    user: str = "",
    planning: Callable[[Order], Plan] | None = None,
) -> Result:
    """Go on with a run that crashed, was parked, paused or stopped by a limit.

    Raises:
        Forbidden: it can't be resumed, or somebody drives it.
    """
    if raised.usd < 0 or raised.steps < 0 or raised.tokens < 0:
        raise Usage("--add-usd, --add-steps and --add-tokens only raise")
    if not (raised.usd <= MOST_USD and raised.steps <= MOST_COUNT and raised.tokens <= MOST_COUNT):
        raise Usage(f"--add-usd goes up to {MOST_USD:,}, --add-steps and --add-tokens up to {MOST_COUNT:,}")
    with _held(store, existing) as journal:
        await reaping.reap(journal)
        row = journal.run(run_id)
        if row.status in ENDED or (row.status == "failed" and row.reason != "providers"):
            raise Forbidden(
                f"{row.run_id} is {row.status} ({row.reason}) and can't be resumed",
                hint=f"agentctl show {row.run_id}",
            )
        events = journal.events(row.run_id)
        order = starting.order_of(row.run_id, journal.spec(row.run_id))
        policy = starting.placed(raised.policy)
        order = dataclasses.replace(order, policy=policy or recall.policy_named(events) or order.policy)
        planned = planning(order) if planning else plan.make(order, only_lower=False, store=journal)
        numbered.refuse_late(events, row.run_id, to_model=planned.policy.scrub.to_model)
        row = journal.run(row.run_id)
        lifted = [letter.id for letter in journal.letters(row.run_id) if letter.kind == "pause"]
        epoch = await journal.take_open(row.run_id, lease.new_owner())
        failpoint("run-taken-over")
        async with served(planned, journal, listener) as complete:
            opening, known = _opening(journal, complete, order, listener, approver, row, epoch, events)
            changed = complete.digest != recall.policy_digest(opening.events)
            async with driven(opening) as (world, finish):
                told = recall.told(row, world.recorder.state, changed=changed, policy=complete.policy.name)
                quiet_at = doubt.quiet_at(row, epoch, journal.clock())
                for letter in lifted:  # a pause that came too late for the last driver: who resumes has ended it
                    world.recorder.took(letter)
                _restart(opening, world, known, raised, user, told, quiet_at)
                if lifted:
                    await world.recorder.flush()  # else it is read once more
                return await finish()


async def fork(
    run_id: str, branch: forking.Branch, *, store: str | Store | None, listener: Listener, approver: Approver | None
) -> Result:
    """Start a new run from a recorded point of another. B48

    Raises:
        Forbidden: there is no such run, or no safe point there. Invalid, Usage: task, policy or flags.
    """
    with _held(store, existing) as journal:
        await reaping.reap(journal)
        made = forking.prepared(journal, run_id, branch)
        async with served(made.plan, journal, listener) as complete:
            new_id = await forking.begin(journal, made, complete, branch, listener)
            epoch = await journal.take(new_id, lease.new_owner())
            row = journal.run(new_id)
            opening, known = _opening(journal, complete, made.order, listener, approver, row, epoch)
            async with driven(opening) as (world, finish):
                _restart(opening, world, known, Raise(), branch.user, f"{new_id} goes on from there")
                return await finish()


def _opening(
    journal: Store,
    complete: Plan,
    order: Order,
    listener: Listener,
    approver: Approver | None,
    row: RunRow,
    epoch: int,
    read: Sequence[Stamped] = (),
) -> tuple[Drive, recall.Start]:
    """A recorded run, as it is driven on, and what it began with.

    `read` is what was read of it before: whoever drove it may have written since.
    """
    events = [*read, *journal.events(row.run_id, read[-1].seq if read else 0)]
    known = recall.original_start(journal, row.run_id, events)
    who = row.run_id, row.session_id, epoch, known.secrets, events
    return Drive(journal, complete, order, listener, approver, *who), known


def _restart(
    at: Drive, world: World, known: recall.Start, raised: Raise, user: str, told: str, quiet_at: float = 0.0
) -> None:
    """Everything as it was, what is new recorded, and the person told what is resumed."""
    relearning.relearn(world.scrub, at.journal, at.events)
    recall.conversation(world, at.journal, at.events)
    world.system = known.system
    world.schemas = numbered.schemas(world, world.schemas)
    words.begun(world, numbered.plain(world, known.goal), numbered.plain(world, known.system), known.foreign)
    if isinstance(started := at.events[0].event, RunStarted):
        conversing.compared(world, started)
    words.recalled(world, at.journal, at.events)
    for note in (*at.plan.notes, told):
        at.listener.note(note)
    recall.orphans(world.recorder, at.journal)
    doubt.silence(world)
    world.recorder.record(
        Resumed(
            len(at.events),
            user,
            micro(raised.usd),
            raised.steps,
            raised.tokens,
            at.plan.digest,
            starting.placed(raised.policy) or "",
            recall.prefix(world, at.plan, known.system),
            recall.new_prefix(world, at.plan, at.events, known.system),
            world.recorder.calls_of_the_session() if at.order.session else {},
            starting.started_by_others(world, at.plan, at.order),
            to_model=world.shows.on,
            quiet_at=quiet_at,
        )
    )
