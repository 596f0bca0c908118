"""The card alone: what it shows, which keys count, and when."""

import asyncio
import threading

import pytest
from textual import events

from agentctl.core.taint import Copied
from agentctl.journal.inbox import HAPPENED, REMEMBER
from agentctl.records import replace
from agentctl.tui import card as room
from agentctl.tui.below import Below
from agentctl.tui.editor import Editor
from agentctl.tui.quoted import Quoted

from .deck import Deck, alone, asked, changed, drained, press, screen, typed

WIDE = (80, 24)
LONG = "\n".join(f"+line {number}" for number in range(60))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A key is alone as soon as the loop has nothing else to do."""
    monkeypatch.setattr(room, "BURST_S", 0.001)


def below(app):
    return app.card.query_one(Below)._told


def hidden(app):
    lines = app.card.query_one(Quoted)
    return lines.shown < lines.total


# --- Keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "kind", "payload", "word"),
    [("y", "approve", "", "approved"), ("a", "approve", REMEMBER, "approved, for this"), ("s", "stop", "", "stopped")],
)
async def test_one_key_leaves_one_letter(key, kind, payload, word):
    """F05"""
    app = Deck()
    async with app.run_test(size=WIDE):
        await press(app, key)

        ((request, said),) = app.left
        assert (kind, payload, app.card.given.request) == (said.kind, said.payload, request)
        assert below(app)[0].startswith(word)
        await press(app, "x")
    assert [True] == [closed.startswith(word) for closed in app.closed]


async def test_no_key_is_a_default_and_esc_decides_nothing():
    app = Deck()
    async with app.run_test(size=WIDE):
        await press(app, "enter", "tab", "x", "h", "Y", "f5", "left")
        assert ([], []) == (app.left, app.closed)
        await press(app, "escape")
    assert ([], [""]) == (app.left, app.closed)


async def test_keys_typed_ahead_count_for_nothing_and_make_it_wait_again():
    app = Deck()
    async with app.run_test(size=WIDE):
        for _ in range(5):
            app.time.on(0.39)
            await typed(app, "y")
            assert [] == app.left
        app.time.on(0.41)
        await typed(app, "y")
        await alone(app)
    assert 1 == len(app.left)


async def test_what_comes_in_one_piece_is_no_answer(monkeypatch):
    monkeypatch.setattr(room, "BURST_S", 600.0)
    app = Deck()
    async with app.run_test(size=WIDE):
        await drained(app)
        for burst in ("yes", "ny", "ss"):
            app.time.on()
            await typed(app, *burst)
        app.time.on()
        app.card.post_message(events.Paste("y"))
        await drained(app)
        await typed(app, "y")  # the paste has begun the quiet time anew
        await drained(app)
        assert (None, []) == (app.card._held, app.left)


async def test_a_refusal_is_one_line_and_the_question_stands():
    app = Deck(problem="c3.0 of r_a3f7b2 was already decided: ada has answered")
    async with app.run_test(size=WIDE):
        await press(app, "y")
        assert app.problem == below(app)[0]
        assert "y approve once" in below(app)[2]
        await press(app, "escape")
    assert [""] == app.closed


# --- Seen --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["y", "a", "e"])
async def test_nothing_is_approved_while_part_of_it_was_never_on_the_screen(key):
    app = Deck(asked(change=LONG))
    async with app.run_test(size=WIDE):
        await press(app, key, "end", key)
        assert ([], True) == (app.left, hidden(app))
        assert "press space first" in below(app)[0]
        assert "space shows more" in below(app)[2]
        await press(app, "home", *["space"] * 5)
        assert not hidden(app)
        await press(app, "y")
    assert ["approve"] == [said.kind for _, said in app.left]


@pytest.mark.parametrize("key", ["n", "s"])
async def test_a_no_needs_nothing_more_to_be_seen(key):
    app = Deck(asked(change=LONG))
    async with app.run_test(size=WIDE):
        await press(app, key)
        if key == "n":
            await press(app, "enter")
    assert [{"n": "deny", "s": "stop"}[key]] == [said.kind for _, said in app.left]


async def test_after_a_resize_it_is_seen_and_waited_for_anew():
    app = Deck()
    async with app.run_test(size=(120, 40)) as pilot:
        app.time.on()
        await pilot.resize_terminal(60, 10)
        await drained(app)
        await typed(app, "y")
        assert ([], True) == (app.left, hidden(app))
        await press(app, "y", *["space"] * 4)
        assert ([], False) == (app.left, hidden(app))
        await press(app, "y")
    assert 1 == len(app.left)


async def test_a_terminal_that_is_too_small_says_so_and_approves_nothing():
    app = Deck()
    async with app.run_test(size=(40, 6)) as pilot:
        await press(app, "y", *["space"] * 4, "y")
        assert [] == app.left
        assert below(app)[2].startswith("this terminal is too small")
        await pilot.resize_terminal(80, 24)
        await drained(app)
        await press(app, "y")
    assert 1 == len(app.left)


async def test_a_terminal_that_is_smaller_than_it_was_taken_for_approves_nothing(monkeypatch):
    monkeypatch.setattr(Deck, "is_headless", property(lambda _: False))
    real = [(60, 15)]
    monkeypatch.setattr(room, "measured", lambda: real[0])
    app = Deck()
    async with app.run_test(size=WIDE):
        await press(app, "y", "space", "y")
        assert [] == app.left
        assert below(app)[2].startswith("this terminal is too small")
        real[0] = WIDE
        await press(app, "y")
    assert 1 == len(app.left)


@pytest.mark.parametrize("size", [(60, 15), (40, 10), (20, 5), (1, 1)])
async def test_no_size_breaks_it(size):
    app = Deck(asked(change=LONG, doubt=("it was started",)))
    async with app.run_test(size=size):
        await press(app, "space", "end", "home", "up", "down", "pageup", "h", "escape")
        assert size[1] == len(screen(app))


# --- Hostile -----------------------------------------------------------------------------------------

HOSTILE = {
    "markup": "[bold red]y[/] [@click=app.quit]here[/] [link=http://evil]x[/link] \\[",
    "escapes": "\x1b[2J\x1b]0;t\x07\x1b]52;c;eQ==\x07\r\b\x9b31m",
    "bidi": "\u202eevil\u2066\u200b\u200d\U000e0041\ufeff",
    "lines": "a\ny approve once\n  tier   safe, by nobody\n\u2028x\x85",
    "half": "\ud800\udfff",
    "blanks": " " * 5_000 + "tail",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_somebody_else_wrote_moves_hides_and_imitates_nothing(name):
    text, size = HOSTILE[name], (60, 40)
    given = asked(
        args={text: text}, tool=f"send{text}", rule=text, owner=text, change=f"+{text}", parts=((text, text),),
        files=((text, text),), untrusted=(text,), copied=(Copied(text, text, False),),
    )  # fmt: skip
    app = Deck(given)
    async with app.run_test(size=size):
        for _ in range(60):
            rows = screen(app)
            assert size[1] == len(rows)
            for row in rows:
                assert row.isprintable()
                assert not row.startswith(("   tier   safe", " y approve once\n"))
            await press(app, "space")
            if not hidden(app):
                break
        assert not hidden(app)
        if name == "markup":
            await press(app, "home")
            assert "[bold red]y[/] [@click=app.quit]" in "".join(row.removeprefix("   ↳ ") for row in screen(app))


async def test_ten_thousand_lines_are_shown_and_scrolled():
    given = asked(doubt=tuple(f"known {number}" for number in range(10_000)))
    app = Deck(given)
    async with app.run_test(size=WIDE):
        await press(app, "end", "home")
        assert 10_000 < app.card.query_one(Quoted).total
        await press(app, "y", "h")
    assert [] == app.left


# --- Words -------------------------------------------------------------------------------------------


async def test_a_no_with_a_reason_and_one_without():
    for words, why in (("ask first", "ask first"), ("", "")):
        app = Deck()
        async with app.run_test(size=WIDE):
            await press(app, "n", *[{" ": "space"}.get(letter, letter) for letter in words], "enter")
        assert [("deny", why)] == [(said.kind, said.payload) for _, said in app.left]


async def test_esc_takes_a_no_back_and_the_letters_typed_there_decide_nothing():
    app = Deck()
    async with app.run_test(size=WIDE):
        await press(app, "n", "y", "a", "s", "escape")
        assert [] == app.left
        assert "y approve once" in below(app)[2]
        await press(app, "n", "enter")
    assert [("deny", "")] == [(said.kind, said.payload) for _, said in app.left]


async def test_what_happened_is_told_only_of_a_call_in_doubt():
    app = Deck(asked(doubt=("it was started at 12:00 and not seen to end",), remembers=""))
    async with app.run_test(size=WIDE):
        assert below(app)[2].startswith("y it did not: run it · h it did")
        await press(app, "a", "e", "h", "o", "k", "enter")
    assert [("approve", f"{HAPPENED}ok")] == [(said.kind, said.payload) for _, said in app.left]


# --- Other arguments ---------------------------------------------------------------------------------


async def test_changed_arguments_are_shown_as_a_change_and_need_a_yes_of_their_own():
    app = Deck()
    async with app.run_test(size=WIDE):
        await changed(app, '{"order_id": "A-1002"}')
        assert [] == app.left
        rows = "\n".join(screen(app))
        assert '  | -  "order_id": "A-1001",' in rows
        assert '  | +  "order_id": "A-1002"' in rows
        assert "y approve as changed" in rows
        await press(app, "a", "y")
    assert [("approve", '{"order_id": "A-1002"}')] == [(said.kind, said.payload) for _, said in app.left]


@pytest.mark.parametrize(
    ("text", "why"), [("{", "it is not JSON"), ("[]", "expected a JSON object"), ('{"a": 1, "a": 2}', "stands twice")]
)
async def test_what_is_no_set_of_arguments_is_told_and_stays(text, why):
    app = Deck()
    async with app.run_test(size=WIDE):
        await changed(app, text)
        assert why in "\n".join(screen(app))
        await typed(app, "escape")
        await drained(app)
        assert app.screen is app.card
        assert [] == app.left


async def test_esc_after_an_edit_is_back_at_what_the_agent_asked_for():
    app = Deck()
    async with app.run_test(size=WIDE):
        await changed(app, '{"order_id": "A-1002"}')
        await press(app, "escape")
        assert "A-1002" not in "\n".join(screen(app))
        await press(app, "y")
    assert [("approve", "")] == [(said.kind, said.payload) for _, said in app.left]


# --- What happens meanwhile --------------------------------------------------------------------------


@pytest.mark.parametrize("typing", [(), ("n", "x"), ("e",)])
async def test_decided_elsewhere_it_says_by_whom_and_closes(typing):
    app = Deck()
    async with app.run_test(size=WIDE):
        await press(app, *typing)
        app.card.asked = replace(app.card.given, became="denied by bob: \x1b[2Jno")
        await drained(app)
        await drained(app)
        assert app.screen is app.card
        assert r"decided elsewhere: denied by bob: \x1b[2Jno" == below(app)[0]
        await press(app, "y")
    assert ([], [""]) == (app.left, app.closed)


async def test_another_question_is_shown_anew_with_a_word_about_it():
    app = Deck()
    async with app.run_test(size=WIDE):
        app.time.on()
        app.card.asked = asked(seq=12, digest="ab" * 32, args={"order_id": "B-2"})
        await drained(app)
        await typed(app, "y")
        assert ([], "it has changed: look at it again") == (app.left, below(app)[0])
        assert "B-2" in "\n".join(screen(app))
        await press(app, "y")
    assert [12] == [request.seq for request, _ in app.left]


async def test_a_screen_that_lay_above_makes_it_wait_again():
    app = Deck()
    async with app.run_test(size=WIDE):
        app.time.on()
        app.push_screen(Editor({}))
        await drained(app)
        app.pop_screen()
        await drained(app)
        await typed(app, "y")
        assert [] == app.left


async def test_the_time_that_is_left_is_counted_down():
    app = Deck()
    async with app.run_test(size=WIDE):
        assert below(app)[1].startswith("waits 4:40, then the run parks")
        app.wall.on(275)
        app.card._tell()
        assert below(app)[1].startswith("waits 0:05, then the run parks")
        app.wall.on(10)
        app.card._tell()
        assert below(app)[1].startswith("its time is over: the run parks")
        app.card.asked = replace(app.card.given, running=False)
        await drained(app)
        assert below(app)[1].startswith("the run rests until somebody answers and resumes it")
        await press(app, "y")
        assert below(app)[1].startswith("it counts once the run goes on: r on its page")


async def test_a_reader_answers_nothing_and_is_told_why():
    app = Deck(read_only="this page only shows: start it with --serve-approve to answer here")
    async with app.run_test(size=WIDE):
        await press(app, *"yaenhs", "enter")
        assert [] == app.left
        assert below(app)[2].startswith("this page only shows")
        await press(app, "escape")
    assert [""] == app.closed


async def test_a_message_of_the_program_never_covers_the_question():
    app = Deck()
    async with app.run_test(size=WIDE):
        await drained(app)
        before = screen(app)
        app.notify("something else happened", timeout=600)
        await drained(app)
        assert before == screen(app)


async def test_the_thread_that_leaves_an_answer_does_not_hold_the_screen():
    app = Deck()
    held = threading.Event()
    app.card._leave = lambda *_: "" if held.wait(60) else "never"
    async with app.run_test(size=WIDE):
        await drained(app)
        app.time.on()
        await typed(app, "y")
        while app.card._mode == "standing":  # noqa: ASYNC110 -- the key is alone a moment later
            await asyncio.sleep(0.001)
        await typed(app, "n")
        assert ("sending", "…") == (app.card._mode, below(app)[2])
        held.set()
        while app.card._mode == "sending":  # noqa: ASYNC110 -- a thread ends
            await asyncio.sleep(0.001)
        assert "settled" == app.card._mode
