"""A scene in an empty folder, and monitors that are looked at once everything is on the screen."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentctl.tui.overview import OverviewScreen
from agentctl.tui.run_page import RunPage
from tests.runner.conftest import stage, stages
from tests.tui.scene import Scene

__all__ = ["scene", "settled", "stage", "stages", "until"]

SIZES = ((80, 24), (120, 40))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.store.close()


async def settled(pilot, runs=1, *, page=False):
    """Wait until the store was read and what it said is drawn."""
    for _ in range(500):
        await pilot.pause(0.01)
        screen = pilot.app.screen
        if isinstance(screen, RunPage) and screen.page.count:
            break
        if isinstance(screen, OverviewScreen) and not page and len(screen.overview.lines) >= runs:
            behind = [line for line in screen.overview.lines if not line.glance.seq]
            if not behind:
                break
    else:
        raise AssertionError(f"nothing came: {pilot.app.screen}")
    await asyncio.sleep(0.02)
    await pilot.pause()


async def until(pilot, true):
    for _ in range(400):
        await pilot.pause(0.02)
        if true():
            return
    raise AssertionError("it never came")
