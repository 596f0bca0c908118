"""`run --tui`: the run in the background, the monitor on it here, and at its end what `run` prints.

Rules. Whoever leaves the monitor leaves the run as it is: it goes on where it has not ended, and keeps its questions
open for as long as its policy says. The answer alone goes to stdout; the monitor draws on stderr.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

import typer

from agentctl.cli import background, options, render
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.cli.background import Started
    from agentctl.core.messages import JsonObject

EXCLUDED = {
    "as_json": "--json",
    "as_events": "--events",
    "detach": "--detach",
    "explain": "--explain",
    "lines": "--lines",
}
LINGER_S = 10.0
"""Seconds that a process has to end after its run has."""
KEYBOARD = Path("/dev/tty")


def start(ctx: typer.Context, store: str | None, who: str) -> NoReturn:
    """Start it, show it until it is left, and say how it ended or that it goes on.

    Raises:
        Usage: nobody sits at a terminal here, or the result is asked for in another form.
    """
    if more := [flag for name, flag in EXCLUDED.items() if ctx.params[name]]:
        raise Usage(f"--tui and {more[0]} exclude each other")
    if len(cast("list[Path]", ctx.params["tasks"])) > 1:
        raise Usage("--tui takes one task", hint="Start them with --detach, and look at them: agentctl monitor")
    variables = cast("list[str]", ctx.params["var"] or [])
    _check_terminal(piped=any(pair.endswith("=-") for pair in variables))
    stdin = background.piped(variables, None)
    _take_keyboard()
    started = background.launch(ctx, store, stdin, "--attended", "--json", relays=False)
    from agentctl.cli import monitor

    try:
        monitor.watch(started.run_id, store, who, started=True)
    except BaseException:  # whatever it was, the run is not hurt by it
        if started.child.poll() is None:
            _goes_on(started)
        raise
    _ended(started, store, who)


def _check_terminal(*, piped: bool) -> None:
    if not (sys.stderr.isatty() and (sys.stdin.isatty() or piped)):
        raise Usage("--tui needs a terminal", hint="Without one: --detach, and later agentctl show RUN")


def _take_keyboard() -> None:
    """Where stdin was piped in, keys come from the terminal itself."""
    if os.isatty(0):
        return
    try:
        keys = os.open(KEYBOARD, os.O_RDWR)
    except OSError:
        raise Usage("--tui needs a terminal", hint="Without one: --detach, and later agentctl show RUN") from None
    os.dup2(keys, 0)
    os.close(keys)


def _ended(started: Started, store: str | None, who: str) -> NoReturn:
    """What `run` says at the end, with its code; or that it has not come to one."""
    try:
        code = started.child.wait(0 if _running(started.run_id, store) else LINGER_S)
    except subprocess.TimeoutExpired:
        _goes_on(started)
        raise typer.Exit(0) from None
    body = _body(started)
    if code < 0 or "error" in body or "status" not in body:
        background.relay(started.child, started.files, out=False)
    from agentctl.cli import driving

    result = driving.result_of(body)
    started.files.remove()
    driving.answer(result, driving.Output(as_json=False, as_events=False, user=who), "")
    sys.stdout.flush()
    driving.summary(result)
    raise typer.Exit(code)


def _running(run_id: str, store: str | None) -> bool:
    from agentctl.journal import runs

    with options.reading(store) as tx:
        return runs.find(tx, run_id).status == "running"


def _body(started: Started) -> JsonObject:
    from agentctl.core.messages import is_object

    try:
        body = json.loads(started.files.out.read_text("utf-8", "replace"))
    except (OSError, ValueError):
        return {}
    return body if is_object(body) else {}


def _goes_on(started: Started) -> None:
    run_id = started.run_id
    started.child.returncode = 0  # nobody waits for it, and that is no oversight
    render.say(f"{run_id} goes on in the background")
    render.say(f"look:    agentctl monitor {run_id}", "hint")
    render.say(f"follow:  agentctl events {run_id} -f    or: tail -f {started.files.log}", "hint")
    render.say(f"pause:   agentctl pause {run_id}", "hint")
    render.say(f"answer:  agentctl show {run_id}", "hint")
