"""Arguments of the wrong type, and what the model is told of them."""

from dataclasses import replace

from tests.drills.playing import FREE, a_task, play


def test_a_model_that_is_not_told_what_was_expected_is_noticed(tmp_path):
    """A03, C41. That a code was written down is not enough: a request must say it."""
    played = play(a_task(tmp_path, *FREE), tmp_path / "stores", "bad-args")["bad-args"]
    untold = [replace(each, body={"messages": [{"content": "Bad tool arguments: "}]}) for each in played.seen.requests]

    assert played.outcome.passed
    assert "told that it was wrong, not what was expected" in played.judged(requests=tuple(untold)).observed


def test_a_policy_that_allows_two_steps_only_ends_it_safely(tmp_path):
    """A03"""
    task = a_task(tmp_path, *FREE)

    played = play(task, tmp_path / "stores", "bad-args", budget__max_steps=2)["bad-args"]

    assert played.outcome.passed
    assert "stopped by max_steps" in played.outcome.observed
