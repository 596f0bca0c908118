"""What waits in the inbox for a call: an answer to this very request, or what somebody wants of the whole run."""

from __future__ import annotations

import json

from agentctl.approvals.base import Answer
from agentctl.core import decisions as do
from agentctl.core.inflight import find
from agentctl.core.messages import JsonObject, is_object
from agentctl.journal.inbox import Letter
from agentctl.runner.wishes import wish
from agentctl.runner.world import World


def answer(world: World, call_id: str) -> Answer | do.Stop | None:
    """The first that counts. An answer to an older request is put away."""
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
        if letter.asked_seq == call.asked_seq:
            return _read(letter)
    return None


def _read(letter: Letter) -> Answer:
    if letter.kind == "deny":
        return Answer("deny", letter.sender, letter.payload, at=letter.created)
    return Answer("approve", letter.sender, args=_args(letter.payload), at=letter.created)


def _args(payload: str) -> JsonObject | None:
    """Edited arguments; None: there are none."""
    if not payload:
        return None
    value = json.loads(payload)  # written by `approve --args`, which had read it
    if not is_object(value):
        raise TypeError("edited arguments are an object")
    return value
