"""`agentctl pause` and `cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, RunningRun, StoreUrl, UnfinishedRun

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.runner.stopping import Stopped

Who = Annotated[str | None, typer.Option("--user", help="Who asks for it; default: your login name")]


def pause(run: RunningRun, *, user: Who = None, as_json: AsJson = False, store: StoreUrl = None) -> None:
    """Pause a run at its next safe point; `resume` goes on with it"""
    import asyncio

    from agentctl.runner import stopping

    who = options.identity("--user", user) or options.login()
    with options.open_journal(store) as journal:
        found = asyncio.run(stopping.pause(journal, run, who))
    _tell(found, "pause", as_json=as_json)


def cancel(run: UnfinishedRun, *, user: Who = None, as_json: AsJson = False, store: StoreUrl = None) -> None:
    """Cancel a run for good: at its next safe point, or at once where nobody drives it"""
    import asyncio

    from agentctl.runner import stopping

    who = options.identity("--user", user) or options.login()
    with options.open_journal(store) as journal:
        found = asyncio.run(stopping.cancel(journal, run, who))
    _tell(found, "cancel", as_json=as_json)


def _tell(found: Stopped, wish: str, *, as_json: bool) -> None:
    from agentctl.approvals.printable import printable
    from agentctl.runner.stopping import LEFT

    if as_json:
        body: JsonObject = {"run_id": found.run_id, "status": found.status, "asked": wish, "unsure": [*found.unsure]}
        render.as_json(body)
        return
    if wish == "cancel" and found.status in LEFT:  # whoever drove it holds it still, and does not answer
        render.out(f"{found.run_id} is {found.status} and asked to cancel: it will where somebody goes on with it")
        render.say(f"or once its driver is gone:  agentctl cancel {found.run_id}", "hint")
        return
    if found.status == "running":
        render.out(f"{found.run_id} is asked to {wish}: it will once the call that it waits for has ended")
        render.say(f"follow:  agentctl events {found.run_id} -f", "hint")
        return
    render.out(f"{found.run_id} is {found.status}")
    for tool in found.unsure:
        name = printable(tool, lines=False)
        render.say(f"{name} was started and not seen to finish: look whether it happened", "warn")
    hint = "trace:   agentctl trace" if found.status == "cancelled" else "resume:  agentctl resume"
    render.say(f"{hint} {found.run_id}", "hint")
