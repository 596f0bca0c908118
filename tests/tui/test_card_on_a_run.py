"""The card on a real run that nobody can be asked about here: its answers reach the driver through the inbox."""

import asyncio
import contextlib
import signal

import pytest

from agentctl.approvals.elsewhere import Elsewhere
from agentctl.core.events import ApprovalDecided, CallEdited, CallSettled
from agentctl.rehearsal.script import Reply
from agentctl.runner.api import open_journal
from agentctl.tui import answers, asked, pending
from agentctl.tui import card as room
from tests.runner.stage import calls, driver

from .deck import Deck, changed, press, screen

DONE = Reply(text="done")
SEND = ("send", {"id": "A-1"})
SIZES = [(80, 24), (60, 15)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(room, "BURST_S", 0.001)


@pytest.fixture
def log(stage):
    """What a real run is asked about, and the lines that it leaves."""
    stage.replies = [calls(SEND), DONE]
    stage.policy(loops={"enabled": False})
    return stage.effect("send", side_effects="irreversible", idempotent=True)


def lines(log):
    return log.read_text().splitlines() if log.exists() else []


class Table(Deck):
    """A deck whose answers are left in the store, and which looks at the store as the monitor does."""

    def __init__(self, given, **options):
        super().__init__(given, **options)
        self._send = answers.sender(lambda: open_journal(None), "ada")

    def _leave(self, request, decision):
        super()._leave(request, decision)
        return self._send(request, decision)

    def look(self):
        with open_journal(None) as journal:
            request = self.card.given.request
            row = journal.run(request.run_id)
            standing = pending.of(journal, row.run_id)
            running = row.status == "running"
        self.card.asked = asked.of(standing, request, spent_micro=row.cost_micro, running=running)


async def found(args):
    """The first call that waits with these arguments; none: with any."""
    for _ in range(2_000):
        with contextlib.suppress(Exception), open_journal(None) as journal:
            if waiting := [one for one in pending.everywhere(journal) if args in (None, one.event.args)]:
                return asked.Asked(waiting[0], journal.run(waiting[0].run_id).cost_micro)
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was asked")


@contextlib.asynccontextmanager
async def on(stage, size=(80, 24), drive=None, args=None):
    """The run in the background, the card on its question; both are over at the end."""
    going = asyncio.create_task(drive or stage.run(Elsewhere()))
    app = Table(await found(args))
    app.result = None
    async with app.run_test(size=size):
        yield app
        app.result = await asyncio.wait_for(going, 60)


@pytest.mark.parametrize("size", SIZES)
async def test_a_yes_lets_it_run_once(stage, log, size):
    """F05"""
    async with on(stage, size) as app:
        await press(app, "space", "y")

    (said,) = stage.events(ApprovalDecided)
    assert (0, 1) == (app.result.exit_code, len(lines(log)))
    assert ("approve", "ada", False) == (said.decision, said.by, said.remember)


async def test_a_no_is_told_to_the_model_with_its_reason(stage, log):
    async with on(stage) as app:
        await press(app, "n", *"later", "enter")

    assert ([], 0) == (lines(log), app.result.exit_code)
    assert "Reason: later" in stage.results()["c1.1"]["message"]


async def test_what_was_edited_runs_as_edited(stage, log):
    async with on(stage) as app:
        await changed(app, '{"id": "A-2"}')
        await press(app, "y")

    assert (0, 1) == (app.result.exit_code, len(lines(log)))
    assert [{"id": "A-2"}] == [edit.args for edit in stage.events(CallEdited)]
    assert {"id": "A-2"} == stage.results()["c1.1"]["data"]


async def test_what_is_remembered_is_not_asked_again(stage, log):
    stage.replies = [calls(SEND), calls(SEND), DONE]
    async with on(stage) as app:
        await press(app, "a")

    assert (0, 2) == (app.result.exit_code, len(lines(log)))
    assert [True] == [said.remember for said in stage.events(ApprovalDecided)]


async def test_stop_stops_the_run(stage, log):
    async with on(stage) as app:
        await press(app, "s")

    assert (13, []) == (app.result.exit_code, lines(log))


async def test_a_call_in_doubt_that_happened_is_not_run_again(stage, log):
    stage.policy(risk={"auto_approve": "high"})
    stage.tools[0] |= {"idempotent": False, "recovery": "ask"}
    code, _, _ = await driver(stage, failpoint="before-outcome:1")
    async with on(stage, drive=stage.resume(Elsewhere())) as app:
        assert "What became of this call?" in screen(app)[0]
        await press(app, "h", *"R-7", "enter")

    assert (-signal.SIGKILL, 0, 1) == (code, app.result.exit_code, len(lines(log)))
    assert [(True, "ada")] == [(said.happened, said.by) for said in stage.events(CallSettled)]


async def test_what_another_terminal_decided_is_said_and_a_later_answer_refused(stage, log):
    async with on(stage) as app:
        request = app.card.given.request
        with open_journal(None) as journal:
            answers.leave(journal, request, answers.no("mine"), "bob")
        await press(app, "y")
        assert "already decided" in app.card._notice
        app.look()
        await press(app)
        assert "bob" in app.card._notice

    assert [("deny", "bob")] == [(said.decision, said.by) for said in stage.events(ApprovalDecided)]


async def test_nobody_in_time_is_what_the_policy_says_of_a_prompt(stage, log):
    for verdict, code in (("park", 12), ("deny", 0)):
        stage.policy(approval={"timeout_s": 0.2, "on_timeout": verdict, "non_interactive": "park"})
        done = await stage.run(Elsewhere())
        assert (code, []) == (done.exit_code, lines(log))


async def test_a_question_of_an_attended_run_says_until_when_it_stands(stage, log):
    async with on(stage) as app:
        request = app.card.given.request
        assert 300.0 == request.until - request.ts
        assert any(row.startswith(" waits ") for row in screen(app))
        await press(app, "n", "enter")


async def test_who_watches_a_rehearsal_is_asked_and_not_its_script(stage, log):
    stage.rehearsed = True
    stage.replies = [calls(SEND), DONE]
    stage.people = [{"tool": "send", "answer": "y"}]
    async with on(stage) as app:
        await press(app, "n", "enter")

    assert [("deny", "ada")] == [(said.decision, said.by) for said in stage.events(ApprovalDecided)]
