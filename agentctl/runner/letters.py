"""What waits in the inbox for a call: an answer to this very request, or what somebody wants of the whole run."""

from __future__ import annotations

import json

from agentctl.approvals.base import Answer
from agentctl.core import decisions as do
from agentctl.core.guards.args import DEEPEST, deeper
from agentctl.core.inflight import find
from agentctl.core.messages import Json, is_object
from agentctl.journal.inbox import HAPPENED, REMEMBER, Letter
from agentctl.runner.wishes import wish
from agentctl.runner.world import World

LONGEST_REASON = 2_000
"""Characters that a model is told."""


def answer(world: World, call_id: str) -> Answer | do.Stop | None:
    """The first that counts. A yes to an older request is put away; a no is one to whatever the call is by now."""
    wanted = wish(world)
    if wanted is not None:
        return wanted
    call = find(world.state.inflight, call_id)
    for letter in world.letters():
        if letter.kind == "stop":
            world.recorder.took(letter.id)
            return Answer("stop", letter.sender, letter.payload, at=letter.created)
        if call is None or letter.call_id != call_id or letter.kind not in {"approve", "deny"}:
            continue
        world.recorder.took(letter.id)
        if letter.kind == "deny" or letter.asked_seq == call.asked_seq:
            return _read(letter)
    return None


def _read(letter: Letter) -> Answer:
    """One with arguments that are none approves nothing: it is an edit that will not fit."""
    if letter.kind == "deny":
        return Answer("deny", letter.sender, letter.payload[:LONGEST_REASON], at=letter.created)
    if not letter.payload:
        return Answer("approve", letter.sender, at=letter.created)
    if letter.payload == REMEMBER:
        return Answer("approve", letter.sender, at=letter.created, remember=True)
    if letter.payload.startswith(HAPPENED):
        said = letter.payload.removeprefix(HAPPENED)
        return Answer("happened", letter.sender, result=said, at=letter.created)
    try:
        args: Json = json.loads(letter.payload)
    except (ValueError, RecursionError):
        args = None
    if not is_object(args) or deeper(args, DEEPEST):
        return Answer("edit", letter.sender, at=letter.created)
    return Answer("approve", letter.sender, args=args, at=letter.created)
