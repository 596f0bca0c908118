"""A policy's own counter of tokens, in whole runs."""

import pytest

from agentctl.errors import Invalid
from tests.runner.stage import ModelAsked, Reply, RunStarted, calls

OWN = "def tokens(text):\n    if 'boom' in text:\n        raise RuntimeError('no tokenizer')\n    return 1000\n"


def counting(stage, body=OWN):
    stage.policy(context={"counter": "python:counting:tokens"})
    stage.tool("lookup", "cat")
    stage.folder.mkdir(parents=True, exist_ok=True)
    (stage.folder / "counting.py").write_text(body)
    return stage


async def test_what_it_counts_is_what_the_run_reckons_with(stage):
    """A24"""
    counting(stage)
    stage.replies = [Reply(text="Done.")]

    result = await stage.run()

    (started,) = stage.events(RunStarted)
    assert (0, 1_000) == (result.exit_code, started.goal_tokens)
    assert 3_000 <= stage.events(ModelAsked)[0].estimated_tokens


async def test_one_that_fails_in_the_middle_is_a_line_and_the_run_goes_on(stage):
    counting(stage)
    stage.replies = [calls(("lookup", {"id": "boom"})), calls(("lookup", {"id": "boom 2"})), Reply(text="Done.")]

    result = await stage.run()

    assert (0, "Done.") == (result.exit_code, result.answer)
    assert 1 == sum("context.counter is not used any more: it fails with no tokenizer" in note for note in stage.notes)


async def test_one_that_cannot_count_ends_before_anything_begins(stage):
    counting(stage, "def tokens(text):\n    return None\n")
    stage.replies = [Reply(text="Done.")]

    with pytest.raises(Invalid, match="it returned None, no count of tokens"):
        await stage.run()

    assert [] == stage.asked()
