"""The user's own counter of tokens: loaded beside the task, tried at load, forgiven once it fails."""

from pathlib import Path

import pytest

from agentctl.errors import Invalid
from agentctl.tools.counter import Forgiving, open_counter


@pytest.fixture
def written(tmp_path: Path):
    def write(body: str) -> Path:
        (tmp_path / "counting.py").write_text(body)
        return tmp_path

    return write


def test_a_function_beside_the_task_counts(written):
    """A24"""
    count = open_counter("python:counting:words", written("def words(text):\n    return len(text.split())\n"))

    assert count is not None
    assert 3 == count("one two three")


def test_no_function_is_none():
    assert None is open_counter("calibrated", Path())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("other = 1\n", "there is no 'words' in it"),
        ("words = 1\n", "'words' is no function"),
        ("def words(text):\n    return 'many'\n", "it returned 'many', no count of tokens for ''"),
        ("def words(text):\n    return -1\n", "it returned -1"),
        ("def words(text):\n    return True\n", "it returned True"),
        ("def words(text):\n    return len(text) / 4\n", "it returned 0.0"),
        ("def words():\n    return 1\n", "it fails with"),
        ("async def words(text):\n    return 1\n", "it returned <coroutine"),
        ("def words(text):\n    return len(text.encode())\n", r"for '\ud83c'"),
        ("def words(text):\n    raise SystemExit\n", "it fails with SystemExit"),
        ("import nowhere_to_be_found\n", "nowhere_to_be_found"),
    ],
)
def test_what_does_not_count_every_text_is_refused_at_load(written, body, says):
    """A lone surrogate comes out of tools: a counter that encodes strictly would end a run."""
    with pytest.raises(Invalid, match=r"context\.counter python:counting:words") as refused:
        open_counter("python:counting:words", written(body))

    assert says in str(refused.value)


def test_a_module_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Invalid, match="there is no module 'nothing_here'"):
        open_counter("python:nothing_here:words", tmp_path)


def test_one_that_fails_later_is_replaced_by_the_estimate_and_one_line_says_so(written):
    body = "def words(text):\n    return 7 if 'boom' not in text else 1 / 0\n"
    own, lines = open_counter("python:counting:words", written(body)), []
    assert own is not None
    count = Forgiving(own, len, lines.append)

    assert [7, 4, 4, 3] == [count("fine"), count("boom"), count("boom"), count("yes")]
    assert 1 == len(lines)
    assert "context.counter is not used any more: it fails with division by zero" in lines[0]
