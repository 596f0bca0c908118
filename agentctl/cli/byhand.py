"""One call of one tool by hand, as a run would make it: arguments checked, tier judged, a person asked."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, cast

from agentctl.cli import render
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.task import LoadedTask
    from agentctl.core.envelope import Envelope
    from agentctl.core.messages import JsonObject
    from agentctl.tools.base import Tool

RUN, CALL = "r_byhand", "c0.0"
"""What the tool is told that it belongs to."""


def chosen(name: str, tools: Sequence[Tool]) -> Tool:
    """The tool of that name, as shown or as on the wire."""
    from agentctl.config.problems import did_you_mean, show

    for tool in tools:
        if name in {tool.contract.name, tool.contract.wire}:
            return tool
    names = [tool.contract.name for tool in tools]
    there = f"there is: {', '.join(names)}" if names else "the task has no tools"
    raise Usage(f"no tool is called {show(name)}", hint=did_you_mean(name, names) or there)


def arguments(text: str) -> JsonObject:
    """The arguments that somebody typed."""
    from agentctl.tools.plain import parse

    try:
        value = parse(text)
    except ValueError as error:
        raise Usage(f"ARGS_JSON: not JSON: {error}", hint="""such as '{"path": "notes.md"}'""") from None
    if not isinstance(value, dict):
        raise Usage("ARGS_JSON: expected an object", hint="""such as '{"path": "notes.md"}'""")
    return cast("JsonObject", value)


@contextlib.asynccontextmanager
async def opened(
    loaded: LoadedTask, under: LoadedPolicy, *, anew: Callable[[str], bool] = lambda _: False
) -> AsyncGenerator[tuple[Tool, ...]]:
    """Every tool of a task; the servers among them run until the end of the block.

    Servers that the store knows are not started, but for those that are to be listed `anew`, by their names.
    """
    from agentctl.config import paths
    from agentctl.runner.plan import own_files
    from agentctl.tools.base import open_tools

    tools = open_tools(loaded.task, loaded.base, under.policy, own_files(loaded, under), paths.own())
    if not any(entry.use == "mcp" for entry in loaded.task.tools):
        yield tools
        return
    from agentctl.runner.servers import hosted  # only tasks with a server wait for it
    from agentctl.runner.stores import open_journal

    with open_journal(None) as journal:
        async with hosted(loaded, under.policy, journal, anew=anew) as found:
            for note in found.notes:
                render.say(note, "quiet")
            yield tools + found.tools


async def tried(
    loaded: LoadedTask, under: LoadedPolicy, name: str, args: JsonObject, *, yes: bool, quiet: bool
) -> Envelope:
    """What a tool answers, or why it did not run."""
    async with opened(loaded, under, anew=lambda server: name.startswith((f"{server}.", f"{server}__"))) as tools:
        return await _tried(chosen(name, tools), args, under, yes=yes, quiet=quiet)


async def _tried(tool: Tool, args: JsonObject, under: LoadedPolicy, *, yes: bool, quiet: bool) -> Envelope:
    from agentctl.cli.prompting import asked
    from agentctl.config import rulings
    from agentctl.core import envelope
    from agentctl.core.decide_call import judge
    from agentctl.core.guards import risk, trust
    from agentctl.tools.base import Invocation

    contract = tool.contract
    wrong = contract.check(args)
    if wrong is not None:
        return envelope.bad_arguments(wrong.problem, wrong.hint)
    command = None if contract.command is None else contract.command(args)
    found = judge(under.policy, rulings.reader(under), trust.State(), contract, args, command=command)
    if found.decision == "deny":
        return risk.refusal(contract, found.ruling)  # --yes is a person's word, and nobody may give it here
    if not quiet:
        render.say(f"{contract.name}: {found.tier.word}, by {found.why}", "quiet")
    if found.decision == "ask" and not yes and (refused := await asked(contract, args, found, under)) is not None:
        return refused
    return await tool.run(Invocation(RUN, CALL, uuid.uuid4().hex, args, contract.timeout_s))
