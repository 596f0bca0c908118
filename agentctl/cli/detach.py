"""`run --detach`: start it in the background, and say how to follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer

from agentctl.cli import background, render

if TYPE_CHECKING:
    from agentctl.cli.background import Started
    from agentctl.core.messages import JsonObject


def start(ctx: typer.Context, store: str | None) -> NoReturn:
    """Start it, wait until the run stands in the store, and leave it."""
    stdin = background.piped(ctx.params["var"] or [], ctx.params["lines"])
    started = background.launch(ctx, store, stdin)
    started.child.returncode = 0  # nobody waits for it, and that is no oversight
    _say(started, as_json=bool(ctx.params["as_json"]))
    raise typer.Exit(0)


def _say(started: Started, *, as_json: bool) -> None:
    run_id, files = started.run_id, started.files
    follow = f"agentctl events {run_id} -f"
    if as_json:
        body: JsonObject = {
            "run_id": run_id,
            "pid": started.child.pid,
            "log": str(files.log),
            "output": str(files.out),
            "follow": follow,
            "pause": f"agentctl pause {run_id}",
        }
        render.as_json(body)
        return
    render.out(run_id)
    render.say(f"follow:  {follow}    or: tail -f {files.log}", "hint")
    render.say(f"pause:   agentctl pause {run_id}", "hint")
    render.say(f"answer:  agentctl show {run_id}", "hint")
