"""More than any window holds: results on results, and then a goal that is too large by itself. A22, A28, D14, C11

Window, limits and results are scaled down together, so that they are reached before the money is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.core.events import ContextTrimmed
from agentctl.core.guards.context import limits
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.records import replace
from agentctl.rehearsal.drills import bodies
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import (
    DEFECT,
    Act,
    Change,
    Client,
    Finding,
    Request,
    Scene,
    Seen,
    Skip,
    failed,
    held,
)
from agentctl.rehearsal.script import Reply

INJECTED = "results that together are larger than the model's window; then a goal that is larger alone"
WINDOW = 100_000
"""Tokens that are taken for a model's window where nobody knows it, or it is larger than the policy uses."""
STEP, RESULT, MOST_CALLS = 24_000, 10_000, 8
SMALL, PREFIXES = 12_000, 6
"""Tokens of the window that is played, unless system prompt and tools take more than a share of it."""
BYTES = 4
"""Of a token, as the stand-in counts."""
LEAST = 200
"""Tokens of a result, however small the scale."""
OVERFLOW = 1.6
"""How much of the window comes in all."""
SYLLABLES = ("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu")
ENDINGS = frozenset({0, 10, 11, 13, 19})


def scene(ground: Ground) -> Scene | Skip:
    """A model that reads on and on, or talks on where there is nothing to read."""
    window, scale = _played(ground)
    step = min(int(STEP * scale), window // 4)
    most = max(LEAST, int(_most(ground) * scale))
    target = _target(ground)
    replies = _talking(ground, window, scale) if target is None else _reading(target, window, step, most)
    size = min(most, step)
    tools = {} if target is None else {target.name: _large(size * BYTES)}

    def change(policy: Policy) -> Policy:
        soft, hard = _limits(ground)
        context = replace(policy.context, max_tokens=int(soft * scale), hard_limit_tokens=int(hard * scale))
        return replace(policy, context=context, results=replace(policy.results, max_tokens=most))

    goal = f"\n{_words(0, int(window * 1.1) * BYTES)}"
    script = ground.script(*replies, person=ground.yes() * 4)
    return Scene(
        (Act(script, tools, shared=False), Act(ground.script(), shared=False, goal=goal)), window=window, change=change
    )


def _window(ground: Ground) -> int:
    """Of the smallest model that answers; no more than the policy would fill."""
    known = [size for each in ground.answering if (size := ground.setup.windows.get(each.name))]
    return min([*known, max(WINDOW, ground.policy.context.hard_limit_tokens if known else 0)])


def _played(ground: Ground) -> tuple[int, float]:
    """The window that is played, and its share of the real one."""
    window = _window(ground)
    tools = sum(len(json.dumps(each.parameters)) + len(each.description) for each in ground.contracts())
    prefix = (len(ground.system) + len(ground.goal) + tools) // BYTES
    small = min(window, max(SMALL, PREFIXES * prefix))
    return small, small / window


def _limits(ground: Ground) -> tuple[int, int]:
    """Where it is trimmed, and what is never sent, as they would be with the real window."""
    return limits(ground.policy.context, _window(ground), ground.answering[0].max_output_tokens)


def _target(ground: Ground) -> Target | None:
    """A tool that may be read from again and again."""
    for each in ground.readers():
        contract = each.contract
        if each.varies and contract.max_calls_per_session is None and contract.max_calls_per_minute is None:
            return each
    return None


def _most(ground: Ground) -> int:
    """Tokens of a result."""
    rules = ground.policy.results
    return min(rules.max_tokens, RESULT) if rules.enabled else RESULT


def _reading(target: Target, window: int, step: int, most: int) -> Iterator[Reply]:
    """Calls side by side, none of which was made before."""
    many = max(1, min(MOST_CALLS, -(-step // most)))
    each = min(most, step)
    for turn in range(int(window * OVERFLOW) // (many * each) + 2):
        calls = tuple(target.call(turn * many + number + 1) for number in range(many))
        yield Reply(text=f"I read on, part {turn + 1}.", calls=calls)


def _talking(ground: Ground, window: int, scale: float) -> Iterator[Reply]:
    """Long texts, each cut at the output limit."""
    size = max(LEAST, int(min(ground.answering[0].max_output_tokens, STEP) * scale))
    for turn in range(int(window * OVERFLOW) // size + 2):
        yield Reply(text=_words(turn, size * BYTES), stop="max_tokens")


def _large(size: int) -> Callable[[JsonObject, int], Envelope]:
    """A tool whose every result is long and like no other."""

    def behave(_: JsonObject, number: int) -> Envelope:
        return envelope.success({"text": _words(number + 1, size)})

    return behave


def _words(seed: int, size: int) -> str:
    """So many characters of words that no other seed gives."""
    stem, ends = _word(seed + 1_000), [_word(number) for number in range(100)]
    page = " ".join(f"{stem}{first}{second}" for first in ends for second in ends)
    return f"{page} " * (size // len(page)) + page[: size % len(page)]


def _word(number: int) -> str:
    return "".join(SYLLABLES[int(digit)] for digit in str(number))


def judge(ground: Ground, seen: Seen) -> Finding:
    """No request is larger than the window, the goal stands in each, and the run comes to an end that it knows."""
    window, _ = _played(ground)
    first, second = seen.of(0)[0], seen.of(1)[0]
    sent = [request for request in seen.requests if request.run_id == first.run_id]
    largest = max(map(bodies.size, sent), default=0)
    trims = sum(isinstance(one.event, ContextTrimmed) for one in first.events)
    counted = f"{len(sent)} requests, the largest {largest:,} of {window:,} tokens, trimmed {trims} times"
    refused = [request for request in seen.requests if bodies.size(request) > window]
    if refused:
        return _failed(ground, f"{counted}; {len(refused)} larger than that and refused by the provider")
    forgetful = [request for request in sent if not _knows_goal(ground, request, sent[0])]
    if forgetful:
        return failed(f"{counted}; {len(forgetful)} without the goal", advice=DEFECT)
    if not _ended(ground, first):
        return _failed(ground, f"{counted}; {first.status}, {first.reason}")
    if [request for request in seen.requests if request.act == 1]:
        return _failed(ground, f"{counted}; a goal of more than {window:,} tokens was sent")
    early = f"; ended by {first.reason}" if first.exit_code else ", done"
    return held(f"{counted}, the goal in each{early}. Too large a goal: {_said(second)}, nothing sent")


def _failed(ground: Ground, observed: str) -> Finding:
    _, hard = _limits(ground)
    return failed(
        observed,
        Change("context.enabled", value=True),
        Change("context.max_tokens", int(hard * 0.8)),
        Change("context.hard_limit_tokens", hard),
        Change("results.enabled", value=True),
    )


def _knows_goal(ground: Ground, request: Request, first: Request) -> bool:
    """As far as the first request said it in the task's words; a summary is asked for without it."""
    goal = ground.goal.strip()
    return bodies.says(request, goal) or bodies.summarises(request) or not bodies.says(first, goal)


def _ended(ground: Ground, client: Client) -> bool:
    """Done, or stopped by a limit; talked into an answer that has lost its shape is the task's own matter."""
    shapeless = ground.output is not None and client.reason == "output"
    return not client.error and (client.exit_code in ENDINGS or shapeless)


def _said(client: Client) -> str:
    return client.message.split(" tokens")[0] if client.reason == "context" else f"stopped by {client.reason}"
