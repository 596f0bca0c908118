"""From the screens to the inbox: what somebody who has read nothing does with a call that waits. F05, C74"""

import json

from agentctl.core import events as e
from agentctl.tui.card import Card
from agentctl.tui.editor import Editor
from agentctl.tui.quoted import Quoted
from agentctl.tui.run_page import RunPage
from tests.tui.conftest import settled, until
from tests.tui.scene import WAITING, asked, started

RUN = "r_wait0000a4"


def waiting(scene):
    """The call waits for a driver that listens."""
    scene.run(RUN, WAITING[:-1], ago=20)
    return scene.monitor(RUN)


def letters(scene):
    return [(each.kind, each.payload, each.sender) for each in scene.store.letters(RUN)]


async def quiet(pilot):
    """Keys count only after it was quiet for a while."""
    await pilot.pause(0.5)


async def press(pilot, key, true):
    """A key that counts once the card has stood for a while, however busy this machine is."""
    for _ in range(20):
        await quiet(pilot)
        await pilot.press(key)
        await pilot.pause(0.2)
        if true():
            return
    raise AssertionError(f"{key} did nothing")


async def card(pilot):
    await settled(pilot, page=True)
    await pilot.press("d")
    await until(pilot, lambda: isinstance(pilot.app.screen, Card))
    await quiet(pilot)


async def test_d_and_y_approve(scene):
    async with waiting(scene).run_test(size=(80, 24)) as pilot:
        await card(pilot)
        await press(pilot, "y", lambda: letters(scene))

    assert [("approve", "", "ada")] == letters(scene)


async def test_enter_decides_nothing_and_escape_puts_it_aside(scene):
    async with waiting(scene).run_test(size=(80, 24)) as pilot:
        await card(pilot)
        await pilot.press("enter")
        await quiet(pilot)

        assert isinstance(pilot.app.screen, Card)

        await press(pilot, "escape", lambda: isinstance(pilot.app.screen, RunPage))

    assert [] == letters(scene)


async def test_n_denies_with_a_reason(scene):
    async with waiting(scene).run_test(size=(80, 24)) as pilot:
        await card(pilot)
        await press(pilot, "n", lambda: pilot.app.screen.query("Input"))
        await quiet(pilot)
        await pilot.press(*"ask first", "enter")
        await until(pilot, lambda: letters(scene))

    assert [("deny", "ask first", "ada")] == letters(scene)


async def test_e_edits_and_y_approves_what_it_has_become(scene):
    async with waiting(scene).run_test(size=(80, 24)) as pilot:
        await card(pilot)
        await press(pilot, "e", lambda: isinstance(pilot.app.screen, Editor))
        pilot.app.screen.query_one("TextArea").load_text('{"order_id": "A-1001", "amount_usd": 20}')
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, Card))
        await press(pilot, "y", lambda: letters(scene))

    ((kind, payload, _),) = letters(scene)

    assert ("approve", {"order_id": "A-1001", "amount_usd": 20}) == (kind, json.loads(payload))


async def test_from_the_list_d_goes_to_the_card(scene):
    scene.night()
    async with scene.monitor().run_test(size=(80, 24)) as pilot:
        await settled(pilot, 5)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, Card))


async def test_a_run_that_was_started_for_the_screen_asks_by_itself_and_once(scene):
    scene.run(RUN, [started(), asked()], ago=20)
    async with scene.monitor(RUN, asks=True).run_test(size=(80, 24)) as pilot:
        await settled(pilot, page=True)
        scene.add(RUN, WAITING[-4:-1])
        await until(pilot, lambda: isinstance(pilot.app.screen, Card))
        await press(pilot, "escape", lambda: isinstance(pilot.app.screen, RunPage))
        await pilot.pause(0.5)

        assert isinstance(pilot.app.screen, RunPage)


async def test_what_is_decided_elsewhere_is_told_on_the_card(scene):
    async with waiting(scene).run_test(size=(80, 24)) as pilot:
        await card(pilot)
        scene.add(RUN, [e.ApprovalDecided("c3.1", "deny", "bob", 3.0, "not today", "d" * 64)])
        await until(pilot, lambda: pilot.app.screen.given.became if isinstance(pilot.app.screen, Card) else True)

    assert [] == letters(scene)


async def test_a_screen_that_only_shows_answers_nothing(scene):
    scene.run(RUN, WAITING[:-1], ago=20)
    async with scene.monitor(RUN, answers=False).run_test(size=(80, 24)) as pilot:
        await card(pilot)
        for key in ("y", "a", "n", "s"):
            await pilot.press(key)
            await quiet(pilot)

    assert [] == letters(scene)


async def test_the_card_shows_what_the_agent_said_with_the_call(scene):
    async with waiting(scene).run_test(size=(80, 24)) as pilot:
        await card(pilot)
        shown = "\n".join(pilot.app.screen.query_one(Quoted)._lines)

    assert "  note   the agent said: The notes allow a full refund." in shown
