"""`agentctl show`: one page about a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, RunId, StoreUrl

if TYPE_CHECKING:
    from agentctl.cli.reading import Page
    from agentctl.core.messages import JsonObject


MOST_NAMED = 4
"""Earlier runs of the session that are named."""


def show(run: RunId, as_json: AsJson = False, store: StoreUrl = None) -> None:
    """Show how a run stands: outcome, answer, cost, limits used, degradations, what to do next"""
    from agentctl.cli.reading import page

    with options.open_journal(store) as journal:
        found = page(journal, run, time.time())
    if as_json:
        render.as_json(found.body)
    else:
        _print(found)


def _print(page: Page) -> None:
    from agentctl.approvals.printable import printable

    body = page.body
    tone = cast("render.Tone", {"completed": "good", "failed": "bad"}.get(page.status, "warn"))
    rehearsed = " · rehearsed" if body["rehearsed"] else ""
    render.out(f"{body['run_id']} · {printable(page.task, lines=False)} · {page.policy}{rehearsed}", "bold")
    render.out(f"{page.status}{': ' if body['reason'] else ''}{body['reason']}", tone)
    if page.message:
        render.out(printable(page.message))
    if body["answer"]:
        render.out(f"\n{printable(str(body['answer']))}")
    forked = cast("JsonObject | None", body["forked_from"])
    if forked:
        render.out(f"forked from {forked['run_id']} at {forked['seq']}", "quiet")
    render.out("")
    for key, value in _figures(body):
        render.out(f"{key:<16} {value}")
    _limits(page)
    for label in ("untrusted", "private"):
        sources = ", ".join(cast("list[str]", body[label]))
        if sources:
            render.out(f"{label:<16} {printable(sources, lines=False)}")
    for each in cast("list[JsonObject]", body["degraded"]):
        render.out(f"degraded         {each['provider']}: {printable(str(each['notice']), lines=False)}", "warn")
    for request in page.waiting:
        render.out(f"waits            {request.call_id} {request.shown}", "warn")
    for command in page.next:
        render.out(f"next             {command}", "hint")


def _figures(body: JsonObject) -> list[tuple[str, str]]:
    usage = cast("dict[str, int]", body["usage"])
    ratio = cast("float | None", body["cache_hit_ratio"])
    words = {name: name.removesuffix("_tokens").replace("_", " ") for name in usage}
    tokens = " · ".join(f"{words[name]} {number:,}" for name, number in usage.items())
    lines = [
        ("user", f"{body['user']} of {body['tenant']}" if body["tenant"] else str(body["user"])),
        ("session", _session(body)),
        ("began", str(body["started_at"])),
        ("took", f"{cast('float', body['duration_s']):,.1f}s"),
        ("cost", f"${cast('float', body['cost_usd']):,.4f}"),
        ("tokens", tokens),
        ("cache hit ratio", "-" if ratio is None else f"{ratio:.1%}"),
        ("calls", f"{body['steps']} steps · {body['tool_calls']} tool calls · {body['retries']} retries"),
    ]
    providers = cast("list[dict[str, float]]", body["providers"])
    return lines + [
        ("provider", f"{each['name']} {each['model']} · {each['calls']} calls · ${each['cost_usd']:,.4f}")
        for each in providers
    ]


def _session(body: JsonObject) -> str:
    earlier = cast("list[str]", body["earlier_runs"])
    listed = ", ".join(earlier[-MOST_NAMED:])
    more = f" and {len(earlier) - MOST_NAMED} before" if len(earlier) > MOST_NAMED else ""
    return f"{body['session_id']}{' · goes on after ' if earlier else ''}{listed}{more}"


def _limits(page: Page) -> None:
    for key, gauge in cast("dict[str, dict[str, float | None]]", page.body["budget"]).items():
        used, limit = gauge["used"] or 0.0, gauge["limit"]
        if limit is None:
            render.out(f"{key:<16} {used:,.4g} used")
            continue
        share = used / limit
        bar = "█" * min(10, round(share * 10))
        tone: render.Tone = "bad" if share >= 1 else "warn" if share >= page.warn_at else "plain"
        render.out(f"{key:<16} {bar:░<10} {share:>4.0%}  {used:,.4g} of {limit:,.6g}", tone)
