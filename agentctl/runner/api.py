"""What the command line calls: start a run, go on with one, say what would happen. Everything else here is inside."""

from __future__ import annotations

import dataclasses
import json
import secrets
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from agentctl.approvals.base import Approver
from agentctl.config import paths, task, variables
from agentctl.config.task import Filled
from agentctl.core.events import Resumed, RunStarted
from agentctl.core.messages import JsonObject, Text
from agentctl.core.prices import micro
from agentctl.core.state import fold
from agentctl.errors import Forbidden, Usage
from agentctl.journal import lease
from agentctl.journal.runs import NewRun, RunRow
from agentctl.journal.store import Store, open_store
from agentctl.runner import explanation, plan, recall, steps
from agentctl.runner.drive import Drive, driven
from agentctl.runner.order import Listener, Order, Raise, Result
from agentctl.runner.plan import Plan
from agentctl.runner.servers import served
from agentctl.runner.world import World

ENDED = {"completed", "cancelled"}
ID_BYTES = 5
MOST_USD, MOST_COUNT = 1_000_000, 1_000_000_000
"""What a resume may add: more is a slip of the finger."""


def open_journal(store: str | None) -> Store:
    """The store that the flag, the environment or the default names."""
    return open_store(paths.store_url(store), seal_dir=paths.data_dir())


def _held(store: str | Store | None) -> AbstractContextManager[Store]:
    """A store of its own for one run; who drives many opens it once, for all of them."""
    return nullcontext(store) if isinstance(store, Store) else open_journal(store)


def explain(order: Order) -> JsonObject:
    """What `run` would send and allow, and what it could cost at the worst. Sends nothing."""
    planned = plan.make(order, sends=False)
    return explanation.of(planned, task.fill(planned.task, order.variables))


async def run(order: Order, *, store: str | Store | None, listener: Listener, approver: Approver | None) -> Result:
    """Run a task until something ends the drive.

    Raises:
        AgentctlError: for everything that is wrong before there is a run.
    """
    planned = plan.make(order)
    filled = task.fill(planned.task, order.variables)
    with _held(store) as journal:
        async with served(planned, journal) as complete:
            for note in complete.notes:
                listener.note(note)
            new = _new(order, complete, journal.clock())
            await journal.create_run(new)
            epoch = await journal.take(new.run_id, lease.new_owner())
            opening = Drive(
                journal, complete, order, listener, approver, new.run_id, new.session_id, epoch, filled.secrets
            )
            async with driven(opening) as (world, finish):
                _start(world, complete, order, filled)
                return await finish()


def _new(order: Order, planned: Plan, now: float) -> NewRun:
    run_id = f"r_{secrets.token_hex(ID_BYTES)}"
    return NewRun(
        run_id,
        order.session or f"s_{run_id[2:]}",
        order.user,
        planned.task.task.name,
        _spec(order),
        now,
        tenant_id=order.tenant,
        rehearsed=order.rehearse,
    )


def _start(world: World, planned: Plan, order: Order, filled: Filled) -> None:
    """The first event: what the run is about, scrubbed; the originals sealed where that changed them."""
    declared, mask = planned.task.task.vars, planned.policy.scrub.replacement
    shown = {name: mask if declared[name].secret else value for name, value in filled.values.items()}
    goal = world.scrub.text(variables.filled(planned.task.goal, shown))
    system = world.scrub.text(variables.filled(planned.task.system, shown))
    secret = bool(filled.secrets) or (goal, system) != (filled.goal, filled.system)
    original = json.dumps({"goal": filled.goal, "system": filled.system, "secrets": filled.secrets})
    started = RunStarted(
        planned.task.task.name,
        planned.policy.name,
        planned.digest,
        order.user,
        order.tenant,
        goal,
        system,
        explanation.fixed_tokens(world.count, filled.system, planned.schemas),
        world.count(filled.goal),
        {name: tool.contract.digest for name, tool in planned.tools.items()},
        order.rehearse,
        world.recorder.seal(original) if secret else "",
        recall.prefix(world, planned, filled.system),
        next((price.source for price in planned.setup.prices.values() if price), ""),
        world.scrub.fields(dict(shown)),
    )
    world.system = filled.system
    world.conversation.hold(world.recorder.record(started).seq, Text(filled.goal))
    if filled.steps:
        steps.plan(world, filled.steps)


async def resume(
    run_id: str,
    raised: Raise,
    *,
    store: str | None,
    listener: Listener,
    approver: Approver | None,
    user: str = "",
) -> Result:
    """Go on with a run that crashed, was parked, paused or stopped by a limit.

    Raises:
        Forbidden: it can't be resumed, or somebody drives it.
    """
    if raised.usd < 0 or raised.steps < 0 or raised.tokens < 0:
        raise Usage("--add-usd, --add-steps and --add-tokens only raise")
    if not (raised.usd <= MOST_USD and raised.steps <= MOST_COUNT and raised.tokens <= MOST_COUNT):
        raise Usage(f"--add-usd goes up to {MOST_USD:,}, --add-steps and --add-tokens up to {MOST_COUNT:,}")
    with open_journal(store) as journal:
        row = journal.run(run_id)
        if row.status in ENDED or (row.status == "failed" and row.reason != "providers"):
            raise Forbidden(
                f"{row.run_id} is {row.status} ({row.reason}) and can't be resumed",
                hint=f"agentctl show {row.run_id}",
            )
        events = journal.events(row.run_id)
        order = _order(journal.spec(row.run_id))
        policy = _placed(raised.policy)
        order = dataclasses.replace(order, policy=policy or recall.policy_named(events) or order.policy)
        planned = plan.make(order, only_lower=False)
        epoch = await journal.take(row.run_id, lease.new_owner())
        async with served(planned, journal) as complete:
            events = journal.events(row.run_id)
            known = recall.original_start(journal, row.run_id, events)
            opening = Drive(
                journal, complete, order, listener, approver, row.run_id, row.session_id, epoch, known.secrets, events
            )
            async with driven(opening) as (world, finish):
                _restart(opening, world, row, known, raised, user)
                return await finish()


def _restart(at: Drive, world: World, row: RunRow, known: recall.Start, raised: Raise, user: str) -> None:
    """Everything as it was, what is new recorded, and the person told what is resumed."""
    recall.conversation(world, at.journal, at.events)
    world.system = known.system
    changed = at.plan.digest != recall.policy_digest(at.events)
    told = recall.told(row, fold(at.events), changed=changed, policy=at.plan.policy.name)
    for note in (*at.plan.notes, told):
        at.listener.note(note)
    recall.orphans(world, at.journal)
    world.recorder.record(
        Resumed(
            len(at.events),
            user,
            micro(raised.usd),
            raised.steps,
            raised.tokens,
            at.plan.digest,
            _placed(raised.policy) or "",
            recall.prefix(world, at.plan, known.system),
            recall.new_prefix(world, at.plan, at.events, known.system),
        )
    )


def _placed(policy: str | None) -> str | None:
    """A policy's path made absolute, so that it is found again from another folder; a name as it is."""
    return str(Path(policy).absolute()) if policy and Path(policy).is_file() else policy


def _spec(order: Order) -> str:
    """What a resume needs of the order. No variables: goal and system stand in the journal, sealed where secret."""
    return json.dumps(
        {
            "task": str(order.task.absolute()),
            "policy": _placed(order.policy),
            "user": order.user,
            "tenant": order.tenant,
            "session": order.session,
            "max_usd": order.max_usd,
            "auto_approve": order.auto_approve,
            "rehearse": order.rehearse,
            "script": str(order.script.absolute()) if order.script else None,
            "real_tools": order.real_tools,
        }
    )


def _order(spec: str) -> Order:
    kept = json.loads(spec)
    kept["task"] = Path(kept["task"])
    kept["script"] = Path(kept["script"]) if kept["script"] else None
    return Order(**kept)
