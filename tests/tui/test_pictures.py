"""What every screen looks like, at two sizes, with a clock that stands still. F06, A01"""

import pytest

from tests.tui import picture
from tests.tui.conftest import SIZES, settled
from tests.tui.scene import WORKING, Scene

WIDE = (200, 60)


def before(*keys, runs=5, page=False):
    async def look(pilot):
        await settled(pilot, runs, page=page)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.15)
        await pilot.pause(0.1)

    return look


@pytest.mark.parametrize("size", [*SIZES, WIDE], ids=str)
def test_all_runs(scene: Scene, snap_compare, size):
    assert snap_compare(scene.night().monitor(), terminal_size=size, run_before=before())


@pytest.mark.parametrize("size", [*SIZES, WIDE], ids=str)
def test_a_run_that_works_while_a_circuit_is_open(scene: Scene, snap_compare, size):
    scene.run("r_work0000a3", WORKING, ago=92)
    monitor = scene.monitor("r_work0000a3")

    assert snap_compare(monitor, terminal_size=size, run_before=before(page=True))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_run_that_waits_for_somebody(scene: Scene, snap_compare, size):
    monitor = scene.night().monitor("r_wait0000a4")

    assert snap_compare(monitor, terminal_size=size, run_before=before(page=True))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_moment_before(scene: Scene, snap_compare, size):
    monitor = scene.night().monitor("r_done0000a1")

    assert snap_compare(monitor, terminal_size=size, run_before=before("left", "left", "left", page=True))


def test_one_line_in_full(scene: Scene, snap_compare):
    monitor = scene.night().monitor("r_done0000a1")

    assert snap_compare(monitor, run_before=before("up", "up", "enter", page=True))


@pytest.mark.parametrize("run_id", ["", "r_done0000a1"], ids=["all-runs", "one-run"])
def test_help(scene: Scene, snap_compare, run_id):
    assert snap_compare(scene.night().monitor(run_id), run_before=before("question_mark", page=bool(run_id)))


def test_all_runs_in_the_light_theme_and_compact(scene: Scene, snap_compare):
    async def look(pilot):
        await settled(pilot, 5)
        pilot.app.theme = "agentctl-light"
        await pilot.press("z")
        await pilot.pause(0.2)

    assert snap_compare(scene.night().monitor(), run_before=look)


def test_without_colour(scene: Scene, snap_compare, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    assert snap_compare(scene.night().monitor(), run_before=before())


def test_no_runs_yet(scene: Scene, snap_compare):
    assert snap_compare(scene.monitor(), run_before=before(runs=0))


async def test_the_picture_in_the_readme_shows_what_the_program_shows(scene: Scene):
    assert await picture.taken(scene) == picture.SVG.read_text()
