"""How a run begins: its row, what a resume needs of the order, and its first event."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from agentctl.config import variables
from agentctl.config.task import Filled
from agentctl.core.events import RunStarted
from agentctl.core.messages import Text
from agentctl.errors import Forbidden, StoreUnusable
from agentctl.journal.runs import NewRun
from agentctl.runner import caching, conversing, explanation, numbered, recall, steps, words
from agentctl.runner.order import Order
from agentctl.runner.plan import Plan
from agentctl.runner.world import World

ID_BYTES = 5


def new(order: Order, planned: Plan, now: float, *, warms: bool = False) -> NewRun:
    """The row of a run that is about to begin."""
    run_id = f"r_{secrets.token_hex(ID_BYTES)}"
    return NewRun(
        run_id,
        order.session or f"s_{run_id[2:]}",
        order.user,
        planned.task.task.name,
        spec_of(order, warms=warms),
        now,
        tenant_id=order.tenant,
        rehearsed=order.rehearse,
        policy=planned.policy.name,
    )


def begin(world: World, planned: Plan, order: Order, filled: Filled) -> None:
    """The first event: what the run is about, scrubbed; the originals sealed where that changed them."""
    declared, mask, given = planned.task.task.vars, planned.policy.scrub.replacement, filled
    foreign = words.foreign(planned.task.task, planned.task.goal, planned.task.system, order, given)
    foreign = numbered.unforged(world, foreign)
    if planned.policy.trust.enabled:
        foreign = words.harmless(planned.task.task, foreign)
        filled = words.defused(planned.task, given, foreign)
    shown = {name: mask if declared[name].secret else value for name, value in filled.values.items()}
    goal = world.scrub.text(variables.filled(planned.task.goal, shown))
    system = world.scrub.text(variables.filled(planned.task.system, shown))
    filled = numbered.started(world, planned.task, filled)
    earlier, brought = conversing.begun(world, planned, order)
    secret = bool(filled.secrets or foreign) or (goal, system) != (filled.goal, filled.system)
    original = json.dumps({"goal": filled.goal, "system": filled.system, "secrets": filled.secrets, "foreign": foreign})
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
        *caching.digests(world, planned, filled.system),
        earlier_calls=world.recorder.calls_of_the_session() if order.session else {},
        untrusted=(*(f"{words.VARIABLE}{name}" for name in foreign), *brought.get("untrusted", ())),
        earlier_starts=started_by_others(world, planned, order),
        to_model=world.shows.on,
        earlier=earlier,
        private=brought.get("private", ()),
    )
    world.system = filled.system
    world.conversation.hold(world.recorder.record(started).seq, Text(filled.goal))
    conversing.hold(world.conversation, started)
    numbered.keep(world)
    words.begun(world, numbered.plain(world, filled.goal), numbered.plain(world, filled.system), foreign)
    conversing.compared(world, started)
    words.looked_through(world, given.goal, given)
    if filled.steps:
        steps.plan(world, filled.steps)


def started_by_others(world: World, planned: Plan, order: Order) -> dict[str, tuple[float, ...]]:
    """What other runs of the session did in the last minute, as far as a limit of a tool asks for it."""
    contracts = (tool.contract for tool in planned.tools.values())
    return world.recorder.starts_of_the_session(contracts) if order.session else {}


def placed(policy: str | None) -> str | None:
    """A policy's path made absolute, so that it is found again from another folder; a name as it is."""
    return str(Path(policy).absolute()) if policy and Path(policy).is_file() else policy


def spec_of(order: Order, *, warms: bool = False) -> str:
    """What a resume needs of the order. No variables: goal and system stand in the journal, sealed where secret."""
    return json.dumps(
        {
            "task": str(order.task.absolute()),
            "policy": placed(order.policy),
            "user": order.user,
            "tenant": order.tenant,
            "session": order.session,
            "max_usd": order.max_usd,
            "auto_approve": order.auto_approve,
            "rehearse": order.rehearse,
            "script": str(order.script.absolute()) if order.script else None,
            "real_tools": order.real_tools,
            **({"warms": True} if warms else {}),
        }
    )


def order_of(run_id: str, spec: str) -> Order:
    """The order that a run was started with.

    Raises:
        Forbidden: it only warmed a cache, and goes on with no task.
        StoreUnusable: it was changed, or a repair found none.
    """
    try:
        kept = json.loads(spec)
        if kept.pop("warms", False):
            raise Forbidden(f"{run_id} warmed a cache and can't be resumed", hint=f"agentctl cache warm {kept['task']}")
        kept["task"] = Path(kept["task"])
        kept["script"] = Path(kept["script"]) if kept["script"] else None
        return Order(**kept)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StoreUnusable(
            f"what {run_id} was started with is lost, or was changed: nothing can go on with it",
            hint=f"`agentctl show {run_id}` shows what it came to; run its task anew.",
        ) from None
