"""`cache warm`: the prefix of a task's runs is sent once, so that the first of them finds it in the provider's cache.

Rules. What is sent is built where a run builds it: system prompt, tools and markers are the same bytes; only the
messages are others. It is a run of its own in the journal: reserved, settled, under the same circuits and limits in
USD. Steps and time do not limit it.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace

from agentctl.config import task
from agentctl.config.task import Filled
from agentctl.config.variables import Template
from agentctl.core import decisions as do
from agentctl.errors import Invalid
from agentctl.errors import Usage as Misused
from agentctl.journal import lease
from agentctl.journal.store import Store
from agentctl.models.caching import LEAST_OUTPUT
from agentctl.runner import plan, reaping, starting
from agentctl.runner.caching import WARMING
from agentctl.runner.drive import Drive, driven
from agentctl.runner.order import Listener, Order
from agentctl.runner.plan import Plan, answering, first_of
from agentctl.runner.servers import served
from agentctl.runner.stores import open_journal
from agentctl.runner.warmth import READY, How, Warmed, warmed
from agentctl.runner.world import World

ALL = "all"
MOST_STEPS = 1_000_000
SPARE_S = 3_600.0


async def warm(order: Order, how: How, *, store: str | Store | None, listener: Listener) -> list[Warmed]:
    """Warm the cache for a task's runs, at one provider or at all that answer; what came of it at each.

    Raises:
        AgentctlError: for everything that is wrong before anything is sent.
    """
    planned = plan.make(order, store=store)
    _wanted(planned, how.provider)  # what is wrong is said before anything begins
    _filled(planned, order)
    with nullcontext(store) if isinstance(store, Store) else open_journal(store) as journal:
        await reaping.reap(journal)
        async with served(planned, journal, listener) as complete:
            for note in complete.notes:
                listener.note(note)
            return await sent(complete, order, how, journal, listener)


async def sent(complete: Plan, order: Order, how: How, journal: Store, listener: Listener) -> list[Warmed]:
    """Warm it for the runs of a plan that is ready."""
    wanted, filled = _wanted(complete, how.provider), _filled(complete, order)
    jobs = [_one(_narrowed(complete, names, how), order, how, filled, journal, listener) for names in wanted]
    return list(await asyncio.gather(*jobs))


def _wanted(planned: Plan, named: str) -> list[tuple[str, ...]]:
    """The providers of each warming, in their order."""
    names = tuple(provider.name for provider in answering(planned))
    if named == ALL:
        return [(name,) for name in names]
    if named and named not in names:
        raise Misused(f"--provider: {named!r} answers nothing here", hint=f"There is: {', '.join(names)}, {ALL}.")
    return [(named,) if named else names]


def _filled(planned: Plan, order: Order) -> Filled:
    """The system prompt alone: what the goal says is in no prefix."""
    loaded, declared = planned.task, planned.task.task.vars
    used = dict.fromkeys(Template(loaded.system, loaded.document, ("system",)).names())
    missing = [name for name in used if name not in order.variables and declared[name].default is None]
    if missing:
        given = " ".join(f"--var {name}=…" for name in missing)
        raise Invalid(
            f"{loaded.path}: the system prompt depends on variables that are not given: {', '.join(missing)}",
            hint=f"Give them: {given}. Other values make another prefix.",
        )
    variables = {name: replace(var, required=False) for name, var in declared.items() if name in used}
    narrow = replace(loaded, goal=READY, task=replace(loaded.task, vars=variables, steps=()))
    known = {name: value for name, value in order.variables.items() if name in used or name not in declared}
    return task.fill(narrow, known)


def _narrowed(planned: Plan, names: tuple[str, ...], how: How) -> Plan:
    """The plan of a warming: these providers, a minimal output, no limit but money."""
    providers = tuple(
        replace(each, max_output_tokens=min(each.max_output_tokens, LEAST_OUTPUT[each.sdk]))
        for each in planned.policy.providers
        if each.name in names
    )
    budget = replace(planned.policy.budget, max_steps=MOST_STEPS, max_wall_s=how.keep_s + SPARE_S)
    policy = replace(planned.policy, providers=providers, budget=budget)
    old = planned.task.task
    new = replace(old, name=f"{old.name}{WARMING}", steps=(), output=None, check=None)
    return replace(
        planned,
        policy=policy,
        setup=replace(planned.setup, policy=policy, output=None, check_retries=None),
        task=replace(planned.task, task=new, goal=READY),
    )


async def _one(planned: Plan, order: Order, how: How, filled: Filled, journal: Store, listener: Listener) -> Warmed:
    first = first_of(planned)
    came = Warmed(provider=first.name, model=first.model)
    if pointless := _pointless(planned, filled):
        came.reason = pointless
        return came
    new = starting.new(order, planned, journal.clock(), warms=True)
    await journal.create_run(new)
    epoch = await journal.take(new.run_id, lease.new_owner())

    async def way(world: World) -> do.Stop:
        return await warmed(world, how, came)

    opening = Drive(journal, planned, order, listener, None, new.run_id, new.session_id, epoch, filled.secrets, way=way)
    async with driven(opening) as (world, finish):
        starting.begin(world, planned, order, filled)
        await finish()
        came.run_id, came.cost_micro = new.run_id, world.recorder.totals.cost_micro
    return came


def _pointless(planned: Plan, filled: Filled) -> str:
    """Why nothing is worth sending; empty: it is."""
    if not planned.policy.cache.enabled:
        return f"policy {planned.policy.name} switches the cache off"
    return "" if filled.system or planned.schemas else "the task has neither a system prompt nor tools: no prefix"
