"""A task made ready for drills: variables that nobody gave, the servers' tools, and what its own script knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

from agentctl.config import schema, task, toml
from agentctl.config.task import LoadedTask
from agentctl.core import sampling
from agentctl.core.messages import JsonObject, is_object
from agentctl.core.policy import Policy
from agentctl.core.task import Var
from agentctl.errors import Invalid, Usage
from agentctl.journal.store import Store, open_store
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.script import Reply, Script
from agentctl.runner import plan
from agentctl.runner.drills.props import Listening
from agentctl.runner.drills.skipping import Skipping
from agentctl.runner.drills.stage import TENANT, USER, Prepared
from agentctl.runner.order import Order
from agentctl.runner.plan import Plan
from agentctl.runner.servers import served

Alter = Callable[[Policy], Policy]


@asynccontextmanager
async def prepared(
    order: Order, folder: Path, loop: Skipping, alter: Alter, *, seed: int = 0, real_tools: bool = False
) -> AsyncGenerator[tuple[Prepared, Ground]]:
    """The task under its policy as `alter` makes it; its servers run as long as this stands.

    Raises:
        Invalid: with everything that is wrong with task, policy or variables.
    """

    def altered(policy: Policy) -> Policy:
        return alter(_quiet(policy, real_tools=real_tools))

    loaded = task.load_task(order.task)
    given = {**_made_up(loaded), **order.variables}
    order = replace(order, variables=given, user=USER, tenant=TENANT, rehearse=True, real_tools=real_tools)
    planned = plan.make(order, played=Script(reply=(Reply(text="Done."),)), changed=altered)
    url = f"sqlite:///{(folder / 'servers.db').absolute()}"
    with closing(open_store(url, seal_dir=folder, clock=loop.now)) as journal:
        async with _started(planned, journal, loop, listened=real_tools) as complete:
            filled = task.fill(complete.task, given)
            output = complete.task.task.output
            ground = Ground(
                complete.setup,
                filled.system,
                filled.goal,
                None if output is None else output.schema,
                examples(loaded),
                given,
                seed,
                loaded.task.vars,
            )
            yield Prepared(complete, order, seed, real_tools), ground


@asynccontextmanager
async def _started(planned: Plan, journal: Store, loop: Skipping, *, listened: bool) -> AsyncGenerator[Plan]:
    """The plan with its servers' tools.

    A server may be silent while it starts or ends, and no time is skipped then. In between nobody waits for its words
    unless it is `listened` to: where its tools are played, it is not asked.
    """
    async with AsyncExitStack() as stack:
        with loop.still(forget=not listened):
            complete = await stack.enter_async_context(served(planned, journal, Listening()))
        try:
            yield complete
        finally:
            with loop.still():
                await stack.aclose()


def _quiet(policy: Policy, *, real_tools: bool) -> Policy:
    """Nobody outside hears of a drill: no mail, no chat, no collector, and no reviewer but with real tools."""
    approval = policy.approval if real_tools else replace(policy.approval, command=())
    return replace(
        policy,
        approval=approval,
        alerts=replace(policy.alerts, urls=()),
        telemetry=replace(policy.telemetry, otlp_endpoint=""),
    )


def _made_up(loaded: LoadedTask) -> dict[str, str]:
    """A value for each variable that has no default."""
    found = {name: _value(var) for name, var in loaded.task.vars.items() if var.default is None}
    return {name: value for name, value in found.items() if value is not None}


def _value(var: Var) -> str | None:
    if var.choices:
        return str(var.choices[0])
    match var.type:
        case "file":
            return None
        case "integer" | "number":
            return "7"
        case "boolean":
            return "true"
        case _:
            return "drill" if var.pattern is None else sampling.matching(var.pattern)


def examples(loaded: LoadedTask) -> dict[str, tuple[JsonObject, ...]]:
    """Arguments that the task's steps and its rehearsal give to its tools; a script that can't be read gives none."""
    found: dict[str, list[JsonObject]] = defaultdict(list)
    named = loaded.task.rehearsal
    if named:
        try:
            script = schema.validate(Script, toml.load(loaded.base / named))
        except (Invalid, Usage, OSError):
            script = Script()
        for call in (call for reply in script.reply for call in reply.calls):
            if is_object(args := call.args) and args not in found[call.tool]:
                found[call.tool].append(args)
    return {name: tuple(args) for name, args in found.items()}
