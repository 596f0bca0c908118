"""What a drill of the user's own expects, held against what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from agentctl.core.events import ApprovalRequested
from agentctl.journal.codec import TAGS
from agentctl.rehearsal.drills.own import Expect
from agentctl.rehearsal.drills.scene import Change, Client, Finding, Seen, failed, held

MOST_TOLD = 3


def judged(expect: Expect, seen: Seen, remedies: Iterable[Change]) -> Finding:
    """Everything that does not hold, the first of it in words."""
    several = len(seen.clients) > 1
    missed = [
        f"client {client.number + 1}: {each}" if several else each
        for client in seen.clients
        for each in _of_client(expect, client, seen)
    ]
    missed += _of_all(expect, seen)
    if not missed:
        return held(_came(seen))
    more = f"; and {len(missed) - MOST_TOLD} more" if len(missed) > MOST_TOLD else ""
    return failed("; ".join(missed[:MOST_TOLD]) + more, *remedies)


def _came(seen: Seen) -> str:
    ends = Counter(f"{client.status}: {client.reason}" for client in seen.clients)
    ended = ", ".join(end if times == len(seen.clients) else f"{times} {end}" for end, times in ends.items())
    steps, cost = sum(client.steps for client in seen.clients), sum(client.cost_usd for client in seen.clients)
    who = "" if len(seen.clients) == 1 else f"{len(seen.clients)} clients, "
    return f"{who}{ended}; {steps} steps, {len(seen.uses)} tool calls, {len(seen.requests)} requests, ${cost:.4f}"


def _of_client(expect: Expect, client: Client, seen: Seen) -> Iterator[str]:
    why = f": {client.message}" if client.message else ""
    for name, wanted, got in (
        ("status", expect.status, client.status),
        ("reason", expect.reason, client.reason),
        ("exit code", expect.exit_code, client.exit_code),
    ):
        if wanted is not None and wanted != got:
            yield f"expected {name} {wanted}, got {got}{why}"
            why = ""
    calls = [use.tool for use in seen.uses if use.run_id == client.run_id]
    minutes = (client.ended - client.began) / 60
    yield from _bounded("steps", client.steps, expect.min_steps, expect.max_steps)
    yield from _bounded("tool calls", len(calls), expect.min_tool_calls, expect.max_tool_calls)
    if expect.max_cost_usd is not None and client.cost_usd > expect.max_cost_usd:
        yield f"expected at most ${expect.max_cost_usd:.4f}, got ${client.cost_usd:.4f}"
    if expect.max_minutes is not None and minutes > expect.max_minutes:
        yield f"expected at most {expect.max_minutes:g} minutes, got {minutes:.1f}"
    yield from _words(expect, client, calls)


def _words(expect: Expect, client: Client, calls: list[str]) -> Iterator[str]:
    kinds = {TAGS[type(each.event)] for each in client.events}
    asked = {each.event.tool for each in client.events if isinstance(each.event, ApprovalRequested)}
    yield from (f"the answer lacks {text!r}" for text in expect.answer_contains if text not in client.answer)
    yield from (f"the answer holds {text!r}" for text in expect.answer_lacks if text in client.answer)
    yield from (f"no event {kind}" for kind in expect.events if kind not in kinds)
    yield from (f"an event {kind}" for kind in expect.no_events if kind in kinds)
    yield from (f"nobody was asked about {tool}" for tool in expect.asked if tool not in asked)
    yield from (f"{tool} was not called" for tool in expect.ran if tool not in calls)
    yield from (f"{tool} ran ({calls.count(tool)} times)" for tool in expect.never_ran if tool in calls)


def _of_all(expect: Expect, seen: Seen) -> Iterator[str]:
    reached = Counter(request.provider for request in seen.requests)
    for provider, bounds in expect.requests.items():
        yield from _bounded(f"requests to {provider}", reached[provider], bounds.min, bounds.max)
    for text in expect.never_written:
        if places := seen.written(text):
            yield f"a text that should be nowhere stands in {', '.join(places)}"


def _bounded(what: str, got: int, least: int | None, most: int | None) -> Iterator[str]:
    if least is not None and got < least:
        yield f"expected at least {least} {what}, got {got}"
    if most is not None and got > most:
        yield f"expected at most {most} {what}, got {got}"
