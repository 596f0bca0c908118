"""The negative control: with one safeguard gone, the simulation has to find something, else it is blind."""

import dataclasses
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from agentctl.core import transcript
from agentctl.core.events import ToolFinished, ToolStarted
from agentctl.core.guards import budget, risk
from agentctl.journal import admission, ledger
from agentctl.runner import loop, recorder
from tests.simulation.draw import draw
from tests.simulation.judge import Broken, simulate

MOST = 400
"""Simulations until it has to be found."""
Patch = Callable[[pytest.MonkeyPatch], None]


def no_intent(patch: pytest.MonkeyPatch) -> None:
    """It is written with its outcome, by the clock or not at all."""
    flushed, posted = recorder.Recorder.flush, recorder.Recorder.post

    def begins(self: Any) -> bool:
        return bool(self._events) and isinstance(self._events[-1].event, ToolStarted)

    async def flush(self: Any, *, durable: bool = False) -> None:
        if not begins(self):
            await flushed(self, durable=durable)

    def post(self: Any) -> None:
        if not begins(self):
            posted(self)

    patch.setattr(recorder.Recorder, "flush", flush)
    patch.setattr(recorder.Recorder, "post", post)


def no_reservation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ledger, "_full", lambda *_: None)


def no_settlement(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(admission, "settle", lambda *_: None)


def no_gate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(risk, "above", lambda *_: False)


def no_step_limit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(budget, "check", lambda *_: None)


def another_live_state(patch: pytest.MonkeyPatch) -> None:
    real = recorder.apply

    def apply(state: Any, stamped: Any) -> Any:
        after = real(state, stamped)
        if not isinstance(stamped.event, ToolFinished):
            return after
        return dataclasses.replace(after, budget=dataclasses.replace(after.budget, tool_errors=0))

    patch.setattr(recorder, "apply", apply)


def half_a_pair(patch: pytest.MonkeyPatch) -> None:
    real = transcript._trim

    def trim(*given: Any) -> Any:
        after = real(*given)
        answers = [entry for entry in after.entries if entry.kind == "answers"]
        return dataclasses.replace(after, entries=tuple(e for e in after.entries if e not in answers[:1]))

    patch.setattr(transcript, "_trim", trim)


def a_decision_by_memory(patch: pytest.MonkeyPatch) -> None:
    real, asked = loop.next_action, [0]

    def next_action(setup: Any, state: Any, now: float, dice: float) -> Any:
        asked[0] += 1
        return real(setup, state, now + 4_000 * (asked[0] % 50 == 0), dice)

    patch.setattr(loop, "next_action", next_action)


def crashes_in_a_tool(seed: int) -> bool:
    return any(fate.what == "after-intent" for run in draw(seed).runs for fate in run.fates)


def crowded(seed: int) -> bool:
    return len(draw(seed).runs) > 3


@pytest.mark.parametrize(
    ("sabotage", "where", "finding"),
    [
        (no_intent, crashes_in_a_tool, "ran without an intent|happened 2 times"),
        (no_reservation, crowded, "_usd"),
        (no_settlement, crowded, "is still held|in the ledger|belongs to no model call"),
        (no_gate, crowded, "nobody was asked"),
        (no_step_limit, crowded, "steps"),
        (another_live_state, crowded, "another state"),
        (half_a_pair, crowded, "tool_use|tool_call|function_call"),
        (a_decision_by_memory, crowded, "another decision"),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_a_safeguard_that_is_gone_is_missed(
    sabotage: Patch, where: Callable[[int], bool], finding: str, monkeypatch: pytest.MonkeyPatch
):
    """E30, B53"""
    sabotage(monkeypatch)

    with pytest.raises(Broken, match=finding):
        deque(map(simulate, filter(where, range(MOST))), maxlen=0)
