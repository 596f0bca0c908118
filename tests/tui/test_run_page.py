"""The page of one run, now and at any moment before."""

import pytest
from textual.widgets import Static

from agentctl.cli import monitor
from agentctl.core import events as e
from agentctl.core.guards.circuit import Rules
from agentctl.errors import Forbidden
from agentctl.journal import circuits, onlookers
from agentctl.journal.circuits import Outcome
from agentctl.runner import stopping
from agentctl.tui import confirm, run_page
from agentctl.tui.app import Looked
from agentctl.tui.confirm import Confirm
from agentctl.tui.detail import DetailScreen
from agentctl.tui.follow import Follow
from agentctl.tui.lines import Lines
from agentctl.tui.outside import Outside
from agentctl.tui.run_page import RunPage
from agentctl.tui.say import Say
from tests.tui.conftest import settled, until
from tests.tui.scene import DONE, NOW, WAITING, WORKING, asked, replied, started


def text(pilot, name):
    return pilot.app.screen.query_one(name, Say).text


def drawn(pilot):
    """The timeline as it is drawn."""
    lines = pilot.app.screen.query_one("#timeline", Lines)
    return [lines.render_line(each).text.rstrip() for each in range(lines.count)]


async def test_gauges_say_how_close_each_limit_is(scene):
    """F06: cost, context, circuit state."""
    scene.run("r_work0000a3", WORKING, ago=92)
    async with scene.monitor("r_work0000a3").run_test(size=(80, 24)) as pilot:
        await settled(pilot, page=True)
        gauges = text(pilot, "#gauges")

    assert "spend     █░░░░░ $0.0486 of $0.50" in gauges
    assert "steps     █░░░░░ 4 of 20" in gauges
    assert "✗ anthropic OPEN 42s" in gauges
    assert "openai closed" in gauges
    for name in ("tokens", "context", "loops", "progress", "cache", "time"):
        assert f"\n{name}" in gauges


async def test_a_call_that_waits_is_told_with_the_key_to_press(scene):
    async with scene.night().monitor("r_wait0000a4").run_test() as pilot:
        await settled(pilot, page=True)

        assert " send_refund waits for you: press d to look at it and decide" == text(pilot, "#doing")
        assert "needs you" in text(pilot, "#title")


async def test_what_is_new_appears_and_the_last_line_stays_in_sight(scene):
    scene.run("r_work0000a3", [started(), asked()], ago=9)
    async with scene.monitor("r_work0000a3").run_test() as pilot:
        await settled(pilot, page=True)
        scene.add("r_work0000a3", [replied("Here it is."), asked(), replied("And more.")])
        await until(pilot, lambda: pilot.app.screen.page.count == 5)
        lines = pilot.app.screen.query_one("#timeline", Lines)

        assert lines.cursor == lines.count - 1
        assert pilot.app.screen.page.answer == "And more."


async def test_a_reply_is_seen_while_it_is_written(scene):
    scene.run("r_work0000a3", [started(), asked()], ago=9)
    async with scene.monitor("r_work0000a3").run_test() as pilot:
        await settled(pilot, page=True)

        assert scene.store.read(lambda tx: onlookers.watched(tx, "r_work0000a3", scene.now))

        scene.store.write(lambda tx: onlookers.write(tx, "r_work0000a3", "Your order is on its w", scene.now))
        await until(pilot, lambda: pilot.app.screen.page.writing.text)
        box = pilot.app.screen.query_one("#said")

        assert box.border_title == "answer, being written"


@pytest.mark.parametrize("status", ["completed", "cancelled", "paused", "parked", "stopped"])
def test_what_a_killed_driver_was_writing_is_gone_once_the_run_rests(scene, status):
    scene.run("r_work0000a3", [started(), asked()], ago=9)
    scene.store.write(lambda tx: onlookers.watch(tx, "r_work0000a3", scene.now))
    scene.store.write(lambda tx: onlookers.write(tx, "r_work0000a3", "half a sen", scene.now))
    scene.add("r_work0000a3", [e.Completed(status, "", 0, 0, "")], status)

    assert "" == scene.store.read(lambda tx: onlookers.read(tx, "r_work0000a3")).text


async def test_left_and_right_travel_and_escape_comes_back_to_now(scene):
    scene.run("r_done0000a1", DONE, "completed", "done", ago=60)
    async with scene.monitor("r_done0000a1").run_test() as pilot:
        await settled(pilot, page=True)
        page = pilot.app.screen
        await pilot.press("left")
        await until(pilot, lambda: page.moment is not None)

        assert text(pilot, "#doing").startswith(f" ◀ event {len(DONE) - 1} of {len(DONE)} ▶ step 4  llm.replied")

        await pilot.press("left", "left", "left")

        assert page.moment.count == len(DONE) - 4
        assert "$0.0396 of" in text(pilot, "#gauges")

        await pilot.press("left_square_bracket")

        assert page.moment.frame.step == 2

        await pilot.press("right")

        assert (page.moment.count, page.moment.frame.step) == (10, 3)

        await pilot.press("escape")

        assert page.moment is None
        assert pilot.app.screen is page


async def test_who_travels_in_a_live_run_is_not_carried_off(scene):
    scene.run("r_work0000a3", WORKING, ago=92)
    async with scene.monitor("r_work0000a3").run_test() as pilot:
        await settled(pilot, page=True)
        page = pilot.app.screen
        await pilot.press("left")
        await until(pilot, lambda: page.moment is not None)
        before = page.moment
        scene.add("r_work0000a3", [replied("New.")])
        await until(pilot, lambda: page.page.count == len(WORKING) + 1)

        assert page.moment is before

        await pilot.press("right", "right")
        await pilot.pause()

        assert page.moment is None


async def test_search_finds_in_what_went_in_and_came_out(scene):
    scene.run("r_done0000a1", DONE, "completed", "done", ago=60)
    async with scene.monitor("r_done0000a1").run_test() as pilot:
        await settled(pilot, page=True)
        await pilot.press("slash", *"A-1002", "enter")
        lines, rows = pilot.app.screen.query_one("#timeline", Lines), pilot.app.screen.page.rows

        assert any("A-1002" in each for each in rows[lines.cursor].inputs)

        found = lines.cursor
        await pilot.press("full_stop")

        assert lines.cursor != found


async def test_enter_shows_a_line_in_full(scene):
    scene.run("r_done0000a1", DONE, "completed", "done", ago=60)
    async with scene.monitor("r_done0000a1").run_test() as pilot:
        await settled(pilot, page=True)
        await pilot.press("up", "up", "enter")
        await pilot.pause()

        assert isinstance(pilot.app.screen, DetailScreen)

        await pilot.press("escape")
        await pilot.pause()

        assert not isinstance(pilot.app.screen, DetailScreen)


async def test_pause_asks_outside_and_says_what_came_of_it(scene):
    asked_for = []
    outside = Outside(pause=lambda run_id: asked_for.append(run_id) or f"{run_id} is paused")
    scene.run("r_work0000a3", WORKING, ago=92)
    async with scene.monitor("r_work0000a3", outside=outside).run_test(notifications=True) as pilot:
        await settled(pilot, page=True)
        await pilot.press("p")
        await until(pilot, lambda: asked_for)

        assert asked_for == ["r_work0000a3"]


async def test_cancel_is_asked_about_first_and_neither_enter_nor_what_was_typed_ahead_is_a_yes(scene, monkeypatch):
    done, at = [], [0.0]
    monkeypatch.setattr(confirm, "CLOCK", lambda: at[0])
    outside = Outside(cancel=lambda run_id: done.append(run_id) or "cancelled")
    scene.run("r_work0000a3", WORKING, ago=92)
    async with scene.monitor("r_work0000a3", outside=outside).run_test() as pilot:
        await settled(pilot, page=True)
        await pilot.press("c", "enter")
        await pilot.pause()

        assert isinstance(pilot.app.screen, Confirm)

        await pilot.press("n", "c", "y")
        await pilot.pause(0.2)

        assert (done, isinstance(pilot.app.screen, Confirm)) == ([], True)

        at[0] += 1.0
        await pilot.press("y")
        await until(pilot, lambda: done)

        assert done == ["r_work0000a3"]


async def test_what_outside_refuses_is_one_line(scene):
    def refuse(run_id):
        raise Forbidden(f"{run_id} is driven by another", hint="Wait.")

    scene.run("r_stop0000a2", [started(), e.Completed("stopped", "loop", 11, 0, "")], "stopped", "loop")
    async with scene.monitor("r_stop0000a2", outside=Outside(resume=refuse)).run_test(notifications=True) as pilot:
        await settled(pilot, page=True)
        await pilot.press("r")
        await until(pilot, lambda: [*pilot.app._notifications])

        assert next(iter(pilot.app._notifications)).message == "r_stop0000a2 is driven by another Wait."


async def test_a_screen_that_only_shows_changes_nothing(scene):
    done = []
    outside = Outside(pause=done.append, cancel=done.append, resume=done.append)
    scene.run("r_work0000a3", WORKING, ago=92)
    async with scene.monitor("r_work0000a3", outside=outside, answers=False).run_test() as pilot:
        await settled(pilot, page=True)
        await pilot.press("p", "c", "y", "r")
        await pilot.pause(0.2)

        assert done == []
        assert not scene.store.read(lambda tx: onlookers.watched(tx, "r_work0000a3", NOW))


@pytest.mark.parametrize("size", [(40, 10), (60, 15), (300, 80)], ids=str)
async def test_no_size_breaks_it(scene, size):
    async with scene.night().monitor("r_work0000a3").run_test(size=size) as pilot:
        await settled(pilot, page=True)
        await pilot.press("left")
        await pilot.resize_terminal(80, 24)
        await pilot.press("escape", "escape")
        await pilot.pause(0.1)
        await pilot.resize_terminal(*size)
        await pilot.pause(0.1)


async def test_a_run_that_vanishes_is_told(scene):
    scene.run("r_done0000a1", DONE, "completed", "done", ago=60)
    async with scene.monitor("r_done0000a1").run_test() as pilot:
        await settled(pilot, page=True)
        scene.store.write(lambda tx: tx.execute("DELETE FROM runs WHERE run_id = ?", ("r_done0000a1",)))
        await until(pilot, lambda: pilot.app.screen.page.fault)

        assert "there is no run r_done0000a1" in text(pilot, "#doing")


@pytest.mark.parametrize("key", ["left", "right", "left_square_bracket", "right_square_bracket", "enter", "full_stop"])
async def test_no_key_ends_a_page_of_which_nothing_is_known(scene, key):
    async with scene.monitor("r_gone0000a1").run_test() as pilot:
        await until(pilot, lambda: pilot.app.screen.page.fault)
        await pilot.press(key)
        await pilot.pause(0.1)

        assert isinstance(pilot.app.screen, RunPage)


async def test_a_look_at_the_run_that_was_left_neither_is_shown_nor_asks_about_it(scene):
    scene.run("r_wait0000a4", WAITING, "parked", "approval", ago=310)
    scene.run("r_work0000a3", WORKING, ago=92)
    late = Follow(scene.store, "r_wait0000a4").look()
    async with scene.monitor("r_work0000a3").run_test() as pilot:
        await settled(pilot, page=True)
        pilot.app.screen.wants_card = True
        pilot.app.on_looked(Looked(late))

        assert isinstance(pilot.app.screen, RunPage)
        assert pilot.app.screen.page.row.run_id == "r_work0000a3"


async def test_an_answer_of_a_million_characters_does_not_hold_the_screen(scene, monkeypatch):
    drawn = []
    monkeypatch.setattr(run_page, "printable", lambda text: drawn.append(len(text)) or text)
    scene.run("r_work0000a3", [started(), asked(), replied("many words " * 100_000)], ago=92)
    async with scene.monitor("r_work0000a3").run_test() as pilot:
        await settled(pilot, page=True)
        before = pilot.app.screen.page.now
        scene.now += 1
        await until(pilot, lambda: pilot.app.screen.page.now > before)
        said = str(pilot.app.screen.query_one("#answer", Static).render())

    assert run_page.LONGEST == sum(drawn)
    assert said.endswith("… (1,060,000 more characters: agentctl show r_work0000a3)")


async def test_a_call_that_is_still_under_way_is_no_trouble(scene):
    scene.run("r_work0000a3", [started(), asked()], ago=9)
    async with scene.monitor("r_work0000a3").run_test() as pilot:
        await settled(pilot, page=True)

        assert "· llm.completion [under way]" in drawn(pilot)[-1]


async def test_a_call_that_died_with_its_run_is_told_as_such_and_its_time_stands_still(scene):
    scene.run("r_dead0000a5", WORKING[:6], ago=600, driven=False)
    async with scene.monitor("r_dead0000a5").run_test() as pilot:
        await settled(pilot, page=True)
        time = next(line for line in text(pilot, "#gauges").splitlines() if line.startswith("time"))
        scene.now += 3_000
        await until(pilot, lambda: pilot.app.screen.page.now == scene.now)

        assert "! llm.completion [no outcome]" in drawn(pilot)[-1]
        assert time in text(pilot, "#gauges")


async def test_a_run_that_no_provider_answered_says_why_and_can_go_on(scene):
    why = "Max retries exceeded: no provider is left"
    gone = e.Completed("failed", "providers", 14, 0, "Look number 2.", message=why)
    scene.run("r_fail0000a6", [started(), asked(), replied("Look number 2."), gone], "failed", "providers")
    async with scene.monitor("r_fail0000a6").run_test() as pilot:
        await settled(pilot, page=True)

        assert " failed: providers · r goes on with it here" == text(pilot, "#doing")
        assert f"{why}\n\nLook number 2." == pilot.app.screen.page.answer
        assert "r" in pilot.app.screen.active_bindings


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [("paused", "pause", "paused · r goes on with it here"), ("cancelled", "cancel", "cancelled")],
)
async def test_an_outcome_is_not_said_twice(scene, status, reason, told):
    over = e.Completed(status, reason, 20, 0, "", message=f"{status} by ada.")
    scene.run("r_over0000a7", [started(), over], status, reason)
    async with scene.monitor("r_over0000a7").run_test() as pilot:
        await settled(pilot, page=True)

        assert f" {told}" == text(pilot, "#doing")


async def test_what_was_answered_and_still_rests_says_what_to_press(scene):
    scene.run("r_wait0000a4", WAITING, "parked", "approval")
    scene.store.leave("r_wait0000a4", "approve", by="ada", call_id="c3.1", asked_seq=len(WAITING) - 1)
    async with scene.monitor("r_wait0000a4").run_test() as pilot:
        await settled(pilot, page=True)

        assert " it was answered, and still rests · r goes on with it here" == text(pilot, "#doing")


async def test_a_line_beside_the_scrollbar_ends_with_its_ellipsis(scene):
    scene.run("r_work0000a3", WORKING, ago=92)
    async with scene.monitor("r_work0000a3").run_test(size=(80, 16)) as pilot:
        await settled(pilot, page=True)
        lines = pilot.app.screen.query_one("#timeline", Lines)
        shown = lines.render_line(0).text

        assert lines.show_vertical_scrollbar
        assert shown.rstrip().endswith("…")
        assert len(shown) == lines.scrollable_content_region.width


async def test_a_search_in_the_past_says_that_it_looked_no_further(scene):
    async with scene.night().monitor("r_done0000a1").run_test(notifications=True) as pilot:
        await settled(pilot, page=True)
        await pilot.press("left")
        await until(pilot, lambda: pilot.app.screen.moment)
        await pilot.press("slash", *"zebra", "enter")
        await until(pilot, lambda: [*pilot.app._notifications])

        assert "up to this moment" in next(iter(pilot.app._notifications)).message


@pytest.mark.parametrize(("wish", "word"), [("pause", "pause"), ("cancel", "be cancelled")])
def test_a_wish_that_waits_for_a_safe_point_is_told_as_that(scene, monkeypatch, wish, word):
    monkeypatch.setattr(stopping, "WAIT_S", 0.0)
    scene.run("r_work0000a3", WORKING, ago=92)
    outside = monitor._outside(scene.store, None, "ada")

    assert getattr(outside, wish)("r_work0000a3") == f"r_work0000a3 will {word} at its next safe point"


def test_circuits_of_a_rehearsal_are_told_by_their_names_while_they_are_open(scene):
    broken = [Outcome(f"rehearsal:r_1:anthropic:{name}", Rules(failure_threshold=1), "o", False, NOW) for name in "ab"]
    scene.store.write(lambda tx: circuits.record(tx, broken[0], scene.now - 3_600))
    scene.store.write(lambda tx: circuits.record(tx, broken[1], scene.now))

    assert ["anthropic b (rehearsed)"] == [each.name for each in monitor._outages(scene.store)]
