"""What every tool answers: one typed object, its texts to the letter."""

import json

import pytest

from agentctl.core import envelope
from agentctl.core.envelope import Envelope


def test_every_answer_is_one_typed_object():
    """D23, D27, D29"""
    answer = envelope.success({"id": 1})

    assert {
        "status": "success",
        "data": {"id": 1},
        "error_type": None,
        "retry_safe": False,
        "code": None,
        "message": "",
        "hint": "",
    } == answer.as_json()
    assert answer.ok


def test_a_failure_that_may_pass_says_so():
    """D24, D28, D67"""
    answer = envelope.transient("down")

    assert ("error", "transient", True) == (answer.status, answer.error_type, answer.retry_safe)
    assert not answer.ok


def test_a_failure_that_will_not_pass_says_so():
    """D25, D28"""
    answer = envelope.permanent("gone", code="GONE", hint="stop")

    assert Envelope("error", None, "permanent", retry_safe=False, code="GONE", message="gone", hint="stop") == answer


def test_a_tool_that_took_too_long():
    """B13"""
    assert "Timeout after 5s" == envelope.timed_out(5.0).message
    assert "Timeout after 0.25s" == envelope.timed_out(0.25).message
    assert ("transient", True) == (envelope.timed_out(5).error_type, envelope.timed_out(5).retry_safe)


def test_a_tool_that_is_asked_too_often():
    """D31, G18"""
    answer = envelope.rate_limited(60.0)

    assert ("Rate limit hit. Retry after 60s.", "rate_limit", True) == (
        answer.message,
        answer.error_type,
        answer.retry_safe,
    )


def test_a_server_that_broke():
    """D32"""
    answer = envelope.server_error(502)

    assert ("Server error: 502", "transient", True) == (answer.message, answer.error_type, answer.retry_safe)


def test_what_is_not_there_or_not_for_us():
    """D33"""
    answer = envelope.not_found("Order A-1")

    assert ("Order A-1 not found or access denied.", "permanent", False) == (
        answer.message,
        answer.error_type,
        answer.retry_safe,
    )


def test_a_permission_error():
    """B17"""
    answer = envelope.forbidden("/etc/shadow")

    assert ("Permission denied: /etc/shadow. Cannot complete this step.", "permanent", False) == (
        answer.message,
        answer.error_type,
        answer.retry_safe,
    )


def test_the_last_try_failed_too():
    """B19"""
    answer = envelope.exhausted(3, envelope.timed_out(5))

    assert "Tool failed after 3 attempts: Timeout after 5s. Proceeding without this result." == answer.message
    assert ("error", "transient", False) == (answer.status, answer.error_type, answer.retry_safe)


def test_only_bad_arguments_carry_the_word_error_as_a_key():
    """A06"""
    assert envelope.bad_arguments("x", "y").as_json()["error"] is True
    assert "error" not in envelope.permanent("x", code="LOOP").as_json()


def test_what_is_sent_is_that_object_as_json():
    """D66"""
    answer = envelope.success(["é", {"a": None}])

    assert answer.as_json() == json.loads(answer.text())
    assert "é" in answer.text()


@pytest.mark.parametrize(
    ("value", "text"),
    [(5.0, "5"), (5, "5"), (0.25, "0.25"), (10.0, "10"), (0.0, "0"), (1.5004, "1.5"), (100, "100"), (60.125, "60.125")],
)
def test_numbers_are_printed_without_needless_digits(value, text):
    assert text == envelope.number(value)
