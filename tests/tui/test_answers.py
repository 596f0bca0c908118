"""Letters that answer what was shown, and nothing that has come in its place."""

import pytest

from agentctl.errors import Forbidden
from agentctl.journal.inbox import HAPPENED, REMEMBER
from agentctl.runner.api import open_journal
from agentctl.tui import answers, pending
from tests.cli.conftest import record, replied, requested, started  # noqa: F401

PARKED = {"status": "parked", "reason": "approval"}


@pytest.fixture
def request_(record):  # noqa: F811
    record("r_abc123", started(), replied(), requested(), **PARKED)
    with open_journal(None) as journal:
        (found,) = pending.of(journal, "r_abc123").waiting
    return found


def left():
    with open_journal(None) as journal:
        return [(one.kind, one.payload, one.sender, one.asked_seq) for one in journal.letters("r_abc123")]


@pytest.mark.parametrize(
    ("decision", "kind", "payload"),
    [
        (answers.YES, "approve", ""),
        (answers.no("ask first"), "deny", "ask first"),
        (answers.no("x" * 900), "deny", "x" * 500),
        (answers.edited({"a": "\ud800"}), "approve", '{"a": "\ud800"}'),
    ],
)
def test_what_is_said_is_what_the_driver_reads(request_, decision, kind, payload):
    assert "" == answers.sender(lambda: open_journal(None), "ada")(request_, decision)
    assert [(kind, payload, "ada", 3)] == left()


@pytest.mark.parametrize(
    ("decision", "why"),
    [(answers.ALWAYS, "it is never remembered"), (answers.happened("x"), "was not started: it can't have happened")],
)
def test_what_is_not_offered_is_refused(request_, decision, why):
    assert why in answers.sender(lambda: open_journal(None), "ada")(request_, decision)
    assert [] == left()


def test_the_second_answer_is_refused_and_says_whose_was_the_first(request_):
    send = answers.sender(lambda: open_journal(None), "ada")
    with open_journal(None) as journal:
        answers.leave(journal, request_, answers.no(), "bob")
        with pytest.raises(Forbidden, match="bob has answered"):
            answers.leave(journal, request_, answers.YES, "ada")
    assert "bob" in send(request_, answers.YES)
    assert 1 == len(left())


def test_another_question_under_the_same_name_is_not_answered(request_):
    import dataclasses

    other = dataclasses.replace(request_, event=dataclasses.replace(request_.event, digest="00" * 32))

    assert "asks for something else by now" in answers.sender(lambda: open_journal(None), "ada")(other, answers.YES)
    assert [] == left()


def test_words_are_in_the_past_tense():
    said = [answers.YES, answers.ALWAYS, answers.STOP, answers.no(), answers.edited({}), answers.happened("")]

    assert ["approved", "approved, for this exact call in this run", "stopped", "denied",
            "approved, with other arguments", "taken as happened"] == [each.word for each in said]  # fmt: skip
    assert (REMEMBER, HAPPENED) == (answers.ALWAYS.payload, answers.happened("").payload)
