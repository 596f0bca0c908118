"""Stages for whole runs, cleared after the test."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

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
