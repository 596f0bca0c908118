"""Stages for whole runs, cleared after the test."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agentctl.journal.store import open_store
from agentctl.rehearsal import server
from tests.runner.stage import KEY, Overheard, Stage


@pytest.fixture
async def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Stage]]:
    """Make stages; each has its own folder and its own stand-in, and all share the test's store."""
    monkeypatch.setenv("STAGE_KEY", KEY)
    monkeypatch.setattr(server, "StandIn", Overheard)
    made: list[Stage] = []

    def make(api: str = "messages") -> Stage:
        made.append(Stage(tmp_path / f"stage{len(made)}", api))
        return made[-1]

    yield make
    for stage in made:
        await stage.close()


@pytest.fixture
def stage(stages: Callable[..., Stage]) -> Stage:
    """One stage over the Messages API."""
    return stages()


class Clock:
    """A wall clock that somebody may set; timers do not notice."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What all stores, and so all runs, take the time from."""
    made = Clock()
    monkeypatch.setitem(open_store.__kwdefaults__, "clock", made)
    return made
