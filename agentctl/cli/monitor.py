"""`agentctl monitor`, and what `run --tui` shows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, serving, values
from agentctl.cli.options import StoreUrl
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.journal.store import Store
    from agentctl.tui.outside import Outside
    from agentctl.tui.seen import Outage

RUN = typer.Argument(
    metavar="RUN", callback=options.filled, help="Begin with this run's page", autocompletion=values.run_ids
)


def monitor(
    run: Annotated[str | None, RUN] = None,
    *,
    user: Annotated[str | None, typer.Option("--user", help="Who decides; default: your login name")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Only show: nothing can be decided from here")] = False,
    in_browser: Annotated[
        bool, typer.Option("--serve", help="In a browser of this machine, read-only; prints the address (an extra)")
    ] = False,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="Of --serve; 0: a free one")] = 0,
    serve_approve: Annotated[
        bool, typer.Option("--serve-approve", help="With --serve: whoever has the address may decide too")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --serve: the address as one JSON object")] = False,
    store: StoreUrl = None,
) -> None:
    """Watch all runs of the store live, decide what waits, look back into any of them"""
    who = options.identity("--user", user) or options.login()
    if not in_browser:
        _alone("--port", port)
        _alone("--serve-approve", serve_approve)
        _alone("--json", as_json)
        watch(run or "", store, who, answers=not read_only)
        return
    if read_only and serve_approve:
        raise Usage("--serve-approve: contradicts --read-only")
    with options.open_journal(store) as journal:
        run_id = journal.run(run).run_id if run else ""
    serving.serve(run_id, store, who, port=port, answers=serve_approve, as_json=as_json)


def _alone(flag: str, given: object) -> None:
    if given:
        raise Usage(f"{flag}: expected with --serve", hint="agentctl monitor --serve")


def watch(run: str, store: str | None, user: str, *, answers: bool = True, started: bool = False) -> None:
    """Show the monitor until somebody leaves it. `started`: the run was started for it, and asks whoever sits here.

    Raises:
        Usage: there is no terminal to show it on.
    """
    if serving.served():
        serving.end_with_parent()
    elif not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Usage("monitor needs a terminal", hint="For programs: agentctl events RUN -f, agentctl runs --json")
    with _opened(store) as journal:
        run_id = journal.run(run).run_id if run else ""
        from agentctl.tui.app import Monitor
        from agentctl.tui.driver import Measured
        from agentctl.tui.outside import Outside

        outside = _outside(journal, store, user) if answers else Outside(lambda: _outages(journal))
        driver = None if serving.served() else Measured
        shown = Monitor(
            journal, user=user, outside=outside, run_id=run_id, answers=answers, asks=started, driver=driver
        )
        shown.run()
    if shown.defect is not None:
        raise shown.defect
    if shown.return_code:  # it was told to end by a signal
        raise typer.Exit(shown.return_code)


def _opened(store: str | None) -> Store:
    """The store to watch; the default one is made where there is none, or no run that begins later would be seen."""
    from agentctl.config import paths
    from agentctl.runner import stores

    return options.open_journal(store) if paths.is_named(store) else stores.open_journal(store)


def _outside(journal: Store, store: str | None, user: str) -> Outside:
    import asyncio

    from agentctl.cli import waking
    from agentctl.runner import stopping
    from agentctl.tui.outside import Outside

    def pause(run_id: str) -> str:
        found = asyncio.run(stopping.pause(journal, run_id, user))
        later = found.status == "running"
        return f"{run_id} will pause at its next safe point" if later else f"{run_id} is {found.status}"

    def cancel(run_id: str) -> str:
        found = asyncio.run(stopping.cancel(journal, run_id, user))
        if found.status == "running":
            return f"{run_id} will be cancelled at its next safe point"
        unsure = f"; look whether it happened: {', '.join(found.unsure)}" if found.unsure else ""
        return f"{run_id} is {found.status}{unsure}"

    return Outside(lambda: _outages(journal), pause, cancel, lambda run_id: waking.resume(run_id, store, user))


def _outages(journal: Store) -> tuple[Outage, ...]:
    """As the default policy's rules see them; of rehearsals, each of which has its own, those that are open."""
    from agentctl.runner import outages
    from agentctl.tui.seen import Outage

    now = journal.clock()
    lines = journal.read(lambda tx: outages.lines(tx, None, now, rehearsed=True))
    seen = (line for line in lines if line.state == "open" or not line.rehearsed)
    return tuple(Outage(_short(line.name), line.state, line.failures, line.retry_at) for line in seen)


def _short(name: str) -> str:
    """A tool by its name, without the digest of its definition; a provider as it is."""
    if name.startswith("rehearsal:"):
        return f"{_short(name.split(':', 2)[2])} (rehearsed)"
    return name.split(":")[1] if name.startswith("tool:") else name.replace(":", " ", 1)
