"""`agentctl approvals`, `approve` and `deny`: decide from another terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, StoreUrl, WaitingRun

if TYPE_CHECKING:
    from agentctl.cli.pending import Request
    from agentctl.core.messages import JsonObject
    from agentctl.journal.store import Store

CallId = Annotated[
    str | None, typer.Argument(metavar="CALL", callback=options.filled, help="Which call; needed where several wait")
]
Who = Annotated[str | None, typer.Option("--user", help="Who decides; default: your login name")]


def approvals(as_json: AsJson = False, store: StoreUrl = None) -> None:
    """List the calls that wait for a person"""
    from agentctl.approvals.printable import printable
    from agentctl.cli.pending import everywhere
    from agentctl.journal.codec import timestamp

    with options.open_journal(store) as journal:
        waiting = everywhere(journal)
    if as_json:
        render.as_list([
            {
                "run_id": each.run_id,
                "call_id": each.call_id,
                "tool": each.event.tool,
                "tier": each.event.tier,
                "digest": each.event.digest,
                "requested_at": timestamp(each.ts),
                "args": each.event.args,
                "rule": each.event.rule,
            }
            for each in waiting
        ])  # fmt: skip
    elif not waiting:
        render.say("nothing waits for a person")
    else:
        now = time.time()
        rows = [
            (each.run_id, each.call_id, printable(each.event.tool, lines=False), each.event.tier,
             render.span(now - each.ts), render.clipped(each.arguments))
            for each in waiting
        ]  # fmt: skip
        render.table(("run", "call", "tool", "tier", "waits", "args"), rows)
        render.say("\ndecide:  agentctl approve RUN [CALL]    or: agentctl deny RUN [CALL] --why …", "hint")


def approve(
    run: WaitingRun, call: CallId = None, *, user: Who = None, as_json: AsJson = False, store: StoreUrl = None
) -> None:
    """Let one exact call run, once"""
    _decide("approve", run, call, "", user=user, store=store, as_json=as_json)


def deny(
    run: WaitingRun,
    call: CallId = None,
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason that the model is given")] = "",
    user: Who = None,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Refuse one exact call, with a reason for the model"""
    _decide("deny", run, call, why, user=user, store=store, as_json=as_json)


def _decide(
    kind: Literal["approve", "deny"],
    run: str,
    call: str | None,
    why: str,
    *,
    user: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    from agentctl.cli.pending import the_one
    from agentctl.journal import lease

    who = options.identity("--user", user) or options.login()
    with options.open_journal(store) as journal:
        row = journal.run(run)
        request = the_one(journal, row.run_id, call or "")
        _leave(journal, request, kind, who, why)
        crashed = lease.crashed(row, journal.clock())
    word = {"approve": "approved", "deny": "denied"}[kind]
    resume = f"agentctl resume {row.run_id}" if row.status != "running" or crashed else None
    if as_json:
        render.as_json(_told(request, word, resume))
        return
    render.out(f"{word} {request.call_id} of {row.run_id}: {request.shown}")
    render.say(f"resume:  {resume}" if resume else "the run goes on by itself", "hint")


def _leave(journal: Store, request: Request, kind: Literal["approve", "deny"], who: str, why: str) -> None:
    from agentctl.journal import inbox

    journal.write(
        lambda tx: inbox.put(
            tx,
            request.run_id,
            kind,
            by=who,
            now=time.time(),
            call_id=request.call_id,
            asked_seq=request.seq,
            payload=why,
        ),
        durable=True,
        run_id=request.run_id,
    )


def _told(request: Request, word: str, resume: str | None) -> JsonObject:
    return {
        "run_id": request.run_id,
        "call_id": request.call_id,
        "tool": request.event.tool,
        "decision": word,
        "digest": request.event.digest,
        "resume": resume,
    }
