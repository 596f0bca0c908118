"""`agentctl approve` and `deny`: decide one exact call from another terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, StoreUrl, WaitingRun

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.tui.pending import Request

CallId = Annotated[
    str | None, typer.Argument(metavar="CALL", callback=options.filled, help="Which call; needed where several wait")
]
LEAST_DIGEST = 8
WORDS = {"approve": "approved", "deny": "denied", "happened": "taken as happened:"}
Who = Annotated[str | None, typer.Option("--user", help="Who decides; default: your login name")]


def approve(
    run: WaitingRun,
    call: CallId = None,
    *,
    args: Annotated[
        str | None, typer.Option(metavar="JSON", help="Other arguments: checked from the start, and approved as given")
    ] = None,
    happened: Annotated[
        str | None,
        typer.Option(metavar="RESULT", help="It was in doubt and happened: JSON or words to go on with, not run again"),
    ] = None,
    remember: Annotated[
        bool, typer.Option("--remember", help="This exact call again too, in this run, where the request offers it")
    ] = False,
    digest: Annotated[
        str, typer.Option(metavar="D", help="Only the call that you looked at: `agentctl approvals RUN` names it so")
    ] = "",
    user: Who = None,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Let one exact call run, once"""
    from agentctl.errors import Usage
    from agentctl.journal.inbox import HAPPENED, REMEMBER

    if [args is not None, happened is not None, remember].count(True) > 1:
        raise Usage("--args, --happened and --remember exclude each other")
    given = "" if args is None else _edited(args)
    given = given if happened is None else f"{HAPPENED}{happened}"
    given = REMEMBER if remember else given
    _decide("approve", run, call, given, digest=digest, user=user, store=store, as_json=as_json)


def _edited(args: str) -> str:
    from agentctl.approvals import editing
    from agentctl.errors import Usage

    try:
        return json.dumps(editing.parsed(args), ensure_ascii=False)
    except editing.Unfit as error:
        raise Usage(f"--args: {error}", hint="""For example: --args '{"order_id": "A-1002"}'""") from None


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
    payload: str,
    *,
    digest: str = "",
    user: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    from agentctl.journal import lease
    from agentctl.journal.inbox import HAPPENED, REMEMBER
    from agentctl.tui import answers
    from agentctl.tui.pending import the_one

    who = options.identity("--user", user) or options.login()
    with options.open_journal(store) as journal:
        row = journal.run(run)
        request = the_one(journal, row.run_id, call or "")
        _is_the_one(request, digest)
        told = "happened" if kind == "approve" and payload.startswith(HAPPENED) else kind
        answers.check(request, answers.Decision(kind, payload))
        journal.leave(request.run_id, kind, by=who, call_id=request.call_id, asked_seq=request.seq, payload=payload)
        crashed = lease.crashed(row, journal.clock())
    resume = f"agentctl resume {row.run_id}" if row.status != "running" or crashed else None
    if as_json:
        render.as_json(_told(request, "happened" if told == "happened" else WORDS[told], resume))
        return
    given = ":"
    if payload and told == "approve":
        given = ", for this run:" if payload == REMEMBER else ", with other arguments than"
    render.out(f"{WORDS[told]} {request.call_id} of {row.run_id}{given} {request.shown}")
    render.say(f"resume:  {resume}" if resume else "the run goes on by itself", "hint")


def _is_the_one(request: Request, digest: str) -> None:
    """Refuse where the question is another than the one that was looked at."""
    from agentctl.errors import Forbidden, Usage

    if digest and len(digest) < LEAST_DIGEST:
        raise Usage(f"--digest: expected at least {LEAST_DIGEST} digits", hint=f"agentctl approvals {request.run_id}")
    if not request.event.digest.startswith(digest):
        raise Forbidden(
            f"{request.call_id} of {request.run_id} asks for something else by now: {request.shown}",
            hint=f"Look at it again: agentctl approvals {request.run_id}",
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
