"""The list of all runs: what somebody finds in it without having read anything."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from textual.widgets import OptionList

from agentctl.core.events import CircuitMoved
from agentctl.errors import StoreUnusable
from agentctl.tui import columns
from agentctl.tui.lines import Lines
from agentctl.tui.overview import OverviewScreen
from agentctl.tui.run_page import RunPage
from agentctl.tui.say import Say
from tests.tui.conftest import settled, until
from tests.tui.scene import NOW, WAITING, WORKING, started


def words(pilot):
    """Every line of the list as it is drawn."""
    screen = pilot.app.screen_stack[1]
    width = screen.query_one(Lines).size.width - 1
    return ["".join(text for text, _ in columns.cells(line, NOW, width)) for line in screen.shown]


async def test_what_needs_somebody_stands_on_top_and_says_so_in_words(scene):
    async with scene.night().monitor().run_test(size=(80, 24)) as pilot:
        await settled(pilot, 5)
        listed = words(pilot)

    assert [line.split()[0] for line in listed] == ["needs", "crashed", "running", "stopped", "completed"]
    assert all(len(line) == 79 for line in listed)


async def test_the_open_circuit_is_told_on_the_second_line_and_at_the_run(scene):
    """F06"""
    async with scene.night().monitor().run_test(size=(80, 24)) as pilot:
        await settled(pilot, 5)

        health = pilot.app.screen.query_one("#health", Say).text
        listed = words(pilot)

    assert health == "circuits: OPEN 42s anthropic claude-sonnet-4-6 · 2 closed"
    assert "✗ 42s" in listed[2]


async def test_enter_opens_a_run_and_escape_comes_back(scene):
    async with scene.night().monitor().run_test() as pilot:
        await settled(pilot, 5)
        await pilot.press("down", "down", "enter")
        await settled(pilot, page=True)

        assert isinstance(pilot.app.screen, RunPage)
        assert pilot.app.screen.run_id == "r_work0000a3"

        await pilot.press("escape")
        await pilot.pause()

        assert isinstance(pilot.app.screen, OverviewScreen)


async def test_n_goes_round_those_that_need_somebody(scene):
    async with scene.night().monitor().run_test() as pilot:
        await settled(pilot, 5)
        seen = []
        for _ in range(3):
            await pilot.press("n")
            seen.append(pilot.app.screen.selected.run_id)

    assert seen == ["r_dead0000a5", "r_wait0000a4", "r_dead0000a5"]


async def test_words_and_kinds_filter_and_escape_shows_all_again(scene):
    async with scene.night().monitor().run_test() as pilot:
        await settled(pilot, 5)
        screen = pilot.app.screen
        await pilot.press("slash", *"eve", "enter")

        assert [line.run_id for line in screen.shown] == ["r_done0000a1"]

        await pilot.press("escape")

        assert len(screen.shown) == 5

        await pilot.press("f", "f")

        assert {line.word for line in screen.shown} == {"needs you", "crashed"}


@pytest.mark.parametrize(
    ("by", "first"), [("age", "r_work0000a3"), ("cost", "r_done0000a1"), ("task", "r_work0000a3")]
)  # fmt: skip
async def test_s_sorts_by_the_next_figure(scene, by, first):
    async with scene.night().monitor().run_test() as pilot:
        await settled(pilot, 5)
        screen = pilot.app.screen
        while screen.sort != by:
            await pilot.press("s")

        assert screen.shown[0].run_id == first
        assert f"sort: {by}" in screen.query_one("#head", Say).text


async def test_what_hides_runs_or_holds_them_still_is_said_before_what_may_be_cut_off(scene):
    async with scene.night().monitor().run_test(size=(60, 24)) as pilot:
        await settled(pilot, 5)
        await pilot.press("space", "f")
        head = pilot.app.screen.query_one("#head", Say)

        assert head.text.startswith(" agentctl FROZEN, space goes on  kind: live  ")
        assert head.render_line(0).text.endswith("…")


async def test_d_on_a_run_that_crashed_says_what_to_do_instead(scene):
    async with scene.night().monitor().run_test(notifications=True) as pilot:
        await settled(pilot, 5)
        await pilot.press("n", "d")
        await until(pilot, lambda: [*pilot.app._notifications])

        assert "r goes on with it" in next(iter(pilot.app._notifications)).message


async def test_the_cursor_stays_on_its_run_when_another_comes_first(scene):
    async with scene.night().monitor().run_test() as pilot:
        await settled(pilot, 5)
        await pilot.press("down", "down")
        scene.run("r_wait0000b1", WAITING, "parked", "approval", ago=5)
        await settled(pilot, 6)
        await pilot.pause(0.6)

        assert pilot.app.screen.selected.run_id == "r_work0000a3"


async def test_a_circuit_that_opens_is_seen_while_one_looks(scene):
    scene.run("r_work0000b2", [started()], ago=10)
    async with scene.monitor().run_test() as pilot:
        await settled(pilot, 1)
        scene.add("r_work0000b2", [CircuitMoved("anthropic", "closed", "open", NOW + 30)])
        await until(pilot, lambda: "✗ 30s" in words(pilot)[0])


async def test_a_task_that_is_called_like_an_escape_sequence_draws_nothing_else(scene):
    scene.run("r_evil0000b3", [started()], ago=10, task="[red]x[/] \x1b[2J\u202e\n" + "long" * 80, user="a\x07b")
    async with scene.monitor().run_test(size=(120, 40)) as pilot:
        await settled(pilot, 1)
        line = words(pilot)[0]

    assert "[red]x" in line
    assert not {"\x1b", "\u202e", "\n", "\x07"} & set(line)
    assert len(line) == 119


class Torn:
    """A store that can be unplugged."""

    def __init__(self, store):
        self._store, self.gone = store, False

    def __getattr__(self, name):
        return getattr(self._store, name)

    def read(self, query):
        if self.gone:
            raise StoreUnusable("agentctl.db: the disk is gone", hint="Plug it in.")
        return self._store.read(query)


async def test_a_store_that_goes_away_is_told_and_what_was_seen_stays(scene):
    monitor = scene.night().monitor()
    monitor.journal = Torn(scene.store)
    async with monitor.run_test() as pilot:
        await settled(pilot, 5)
        monitor.journal.gone = True
        await until(pilot, lambda: "the disk is gone" in pilot.app.screen.query_one("#head", Say).text)

        assert len(pilot.app.screen.shown) == 5

        monitor.journal.gone = False
        await until(pilot, lambda: not pilot.app.screen.overview.fault)


async def test_a_reader_that_breaks_ends_the_monitor_instead_of_standing_still(scene):
    monitor = scene.night().monitor()
    async with monitor.run_test() as pilot:
        await settled(pilot, 5)
        with closing(sqlite3.connect(scene.store.path)) as other:
            other.execute("ALTER TABLE runs RENAME TO gone")
        for _ in range(200):
            await asyncio.sleep(0.02)
            if monitor.defect:
                break

    assert isinstance(monitor.defect, sqlite3.OperationalError)


async def test_every_key_is_a_command_too_and_runs_can_be_jumped_to(scene):
    async with scene.night().monitor().run_test() as pilot:
        await settled(pilot, 5)
        screen = pilot.app.screen
        commands = {command.title: command for command in pilot.app.get_system_commands(screen)}

        assert not [title for title in commands if "Focus" in title or "Copy" in title]
        assert {"screen: sort", "screen: kind", "screen: filter", "theme: change"} <= set(commands)

        commands["go to: r_done0000a1 order-triage"].callback()
        await settled(pilot, page=True)

        assert pilot.app.screen.run_id == "r_done0000a1"


@pytest.mark.parametrize("name", ["[/bold]find me", "[link=a", "find \x1b[2J \u202eme", "[@click=app.quit]find[/]"])
async def test_the_palette_takes_the_name_of_a_task_for_words(scene, name):
    scene.run("r_work0000a3", WORKING, ago=92, task=name)
    scene.run("r_last0000a4", WORKING, ago=93)
    async with scene.monitor().run_test(size=(120, 40)) as pilot:
        await settled(pilot, 2)
        await pilot.press("ctrl+p", *"goto")
        shown = pilot.app.screen.query_one(OptionList)
        await until(pilot, lambda: shown.option_count == 2)
        texts = "".join(str(shown.get_option_at_index(at).prompt) for at in range(2))

    assert "r_work0000a3" in texts
    assert not {"\x1b", "\u202e"} & {*texts}
