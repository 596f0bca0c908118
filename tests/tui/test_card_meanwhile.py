"""The card while something else happens: an answer is on its way, and the call is no longer the one that was shown."""

import asyncio
import threading

import pytest
from textual import events

from agentctl.tui import card as room
from agentctl.tui.below import Below

from .deck import Deck, asked, changed, drained, press, screen, typed


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A key is alone as soon as the loop has nothing else to do."""
    monkeypatch.setattr(room, "BURST_S", 0.001)


@pytest.mark.parametrize("first", ["y", "changed"])
async def test_what_has_changed_while_an_answer_was_refused_is_seen_before_a_yes_counts(first):
    app = Deck()
    held = threading.Event()
    async with app.run_test(size=(80, 24)):
        if first == "changed":
            await changed(app, '{"order_id": "A-9"}')
        await drained(app)
        app.card._leave = lambda *_: "it asks for something else by now" if held.wait(60) else "never"
        app.time.on()
        await typed(app, "y")
        while app.card._mode == "standing":  # noqa: ASYNC110 -- the key is alone a moment later
            await asyncio.sleep(0.001)
        app.card.asked = asked(seq=12, digest="ab" * 32, args={"order_id": "B-2"})
        await drained(app)
        held.set()
        while app.card._mode == "sending":  # noqa: ASYNC110 -- a thread ends
            await asyncio.sleep(0.001)
        app.card._leave = app._leave
        await drained(app)
        assert "it asks for something else by now" == app.card.query_one(Below)._told[0]
        assert '{"order_id": "B-2"}' in "\n".join(screen(app))
        await press(app, "y")
    assert [(12, "")] == [(request.seq, decision.payload) for request, decision in app.left]


@pytest.mark.parametrize("key", ["y", "s", "escape"])
async def test_a_key_that_was_pressed_before_the_card_stood_counts_for_nothing_however_late_it_is_heard(key):
    app = Deck()
    async with app.run_test(size=(80, 24)):
        await drained(app)
        app.time.on()
        early = events.Key(key, None)
        early.time -= 0.9
        app.post_message(early)
        await drained(app)
        assert app.card._held is None
        assert app.screen is app.card
        await press(app, key)
    assert (app.left or app.closed) != []


async def test_a_card_that_is_drawn_late_is_waited_for_from_then_on():
    app = Deck()
    async with app.run_test(size=(80, 24)):
        await drained(app)
        app.card._anew()
        app.time.on()
        await drained(app)
        await typed(app, "s")
        assert (None, []) == (app.card._held, app.left)


async def test_what_was_decided_before_the_card_came_up_is_told_harmlessly():
    app = Deck(asked(became="denied by bob: \x1b[2Jno"))
    async with app.run_test(size=(80, 24)):
        await drained(app)
        assert r"denied by bob: \x1b[2Jno" == app.card.query_one(Below)._told[0]
        await press(app, "y")
    assert [] == app.left
