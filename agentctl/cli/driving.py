"""What `run` and `resume` share: who listens, who can be asked, and what is said at the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import TYPE_CHECKING, NoReturn, cast

import typer

from agentctl.approvals.base import Approver
from agentctl.cli import render
from agentctl.cli.plain import Lines, Plain
from agentctl.core.messages import JsonObject, Scrubbed
from agentctl.records import dataclass
from agentctl.runner.order import Listener, Result
from agentctl.tui.limits import Limits

if TYPE_CHECKING:
    from agentctl.cli.live import Live

Work = Callable[[Listener, Approver | None], Awaitable[Result]]

UNFINISHED = frozenset({"parked", "paused"})
"""What was said so far is no answer yet."""


@dataclass(frozen=True, slots=True)
class Output:
    """How the run is to be shown."""

    as_json: bool
    as_events: bool
    user: str
    stdin_used: bool = False
    attended: bool = False
    """Nobody can be asked at this terminal, and somebody watches elsewhere."""


def drive(work: Work, output: Output, limits: Callable[[], Limits]) -> NoReturn:
    """Drive a run to its end, print what it came to, and exit with its code."""
    with ExitStack() as stack:
        listener, aside = _listener(output, limits, stack)
        approver = _approver(output, aside)
        result = asyncio.run(_awaited(work, listener, approver))
    # Whoever would have read the answer may be gone: how it ended is told all the same.
    with suppress(BrokenPipeError):
        if not output.as_events:
            answer(result, output, listener.shown)
        sys.stdout.flush()
    if isinstance(listener, Lines) and listener.failed is not None:
        raise listener.failed
    if not (output.as_json or output.as_events):
        # The terminal itself may be gone; what it would have shown is in the store, and the code says the rest.
        with suppress(OSError):
            summary(result)
    raise typer.Exit(result.exit_code)


async def _awaited(work: Work, listener: Listener, approver: Approver | None) -> Result:
    return await work(listener, approver)


def _listener(
    output: Output, limits: Callable[[], Limits], stack: ExitStack
) -> tuple[Plain | Live, Callable[[], AbstractContextManager[object]]]:
    if output.as_events:
        return Lines(), nullcontext
    if render.colours(sys.stdout) and render.colours(sys.stderr):
        from agentctl.cli.live import Live

        live = stack.enter_context(Live(limits()))
        return live, live.aside
    return Plain(), nullcontext


def _approver(output: Output, aside: Callable[[], AbstractContextManager[object]]) -> Approver | None:
    """Whoever sits here, or watches elsewhere; None: nobody can answer, and the policy says what happens then."""
    if output.attended:
        from agentctl.approvals.elsewhere import Elsewhere

        return Elsewhere()
    from agentctl.approvals.terminal import Terminal, can_ask

    return Terminal(output.user, screen=aside) if can_ask(stdin_used=output.stdin_used) else None


def answer(result: Result, output: Output, shown: str) -> None:
    """The final answer, and nothing else, on stdout; on a screen where it has just been streamed it stands already."""
    if output.as_json:
        render.as_json(result.body)
    elif result.status in UNFINISHED:
        return
    elif not sys.stdout.isatty():
        if result.answer:
            render.out(result.answer)
    elif result.answer and result.answer.strip() != shown.strip():
        from agentctl.approvals.printable import printable

        render.out(printable(result.answer))


def result_of(body: JsonObject) -> Result:
    """The result of a drive in another process, from the object that it printed."""
    said = {name: cast("str", body[name]) for name in ("status", "reason", "answer", "message")}
    code, resume = cast("int", body["exit_code"]), cast("str | None", body["resume"])
    words = Scrubbed(said["answer"]), Scrubbed(said["message"])
    return Result(said["status"], said["reason"], code, *words, resume, body)


def summary(result: Result) -> None:
    """How it ended, what it cost, and what to do next."""
    body = result.body
    tone = cast("render.Tone", {"completed": "good", "failed": "bad"}.get(result.status, "warn"))
    figures = [f"${cast('float', body['cost_usd']):,.4f}", _count(body, "steps", "step")]
    figures += [_count(body, "tool_calls", "tool call"), f"{cast('float', body['duration_s']):,.1f}s"]
    if body["retries"]:
        figures.append(f"{body['retries']} {'retry' if body['retries'] == 1 else 'retries'}")
    render.say(f"\n{result.status}: {result.reason} · {' · '.join(figures)}", tone)
    ratio = cast("float | None", body["cache_hit_ratio"])
    render.say(f"Cache hit ratio: {'-' if ratio is None else f'{ratio:.1%}'}")
    for each in cast("list[JsonObject]", body["degraded"]):
        render.say(f"degraded: {each['provider']}, {each['notice']}", "warn")
    if result.message:
        render.say(result.message, tone)
    if result.reason in {"approval", "unknown_outcome"}:
        render.say(f"decide:  agentctl approve {body['run_id']}    or: agentctl deny {body['run_id']} --why …", "hint")
    if result.reason == "unknown_outcome":
        render.say(f"         or, where it happened: agentctl approve {body['run_id']} --happened RESULT", "hint")
    if result.resume:
        render.say(f"resume:  {result.resume}", "hint")
    render.say(f"trace:   agentctl trace {body['run_id']}", "hint")


def _count(body: JsonObject, key: str, word: str) -> str:
    number = cast("int", body[key])
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
