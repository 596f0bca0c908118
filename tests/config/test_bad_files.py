"""One broken file per message. Each says on its first lines what is expected:

    # expect: LINE:COLUMN key: words | more words

A line for each problem, in order; `-` is a problem without a key.
"""

import re
from pathlib import Path

import pytest

from agentctl.config.load import load_policy
from agentctl.config.task import load_task
from agentctl.errors import Invalid, Problem

TESTS = Path(__file__).parent.parent
EXPECT = re.compile(r"# expect: (\d+):(\d+) (\S+|\S*\"[^\"]*\"\S*): (.+)")
FILES = sorted((TESTS / "policies" / "bad").glob("*.toml")) + sorted((TESTS / "tasks" / "bad").glob("*.toml"))


def problems_of(path: Path) -> tuple[Problem, ...]:
    load = load_policy if path.parent.parent.name == "policies" else load_task
    with pytest.raises(Invalid) as caught:
        load(Path(path.name))

    assert caught.value.exit_code == 3

    return caught.value.problems


def test_there_are_files():
    assert len(FILES) > 150


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_each_bad_file_is_told_what_is_wrong_and_where(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    expected = [line for line in path.read_text().split("\n") if line.startswith("# expect: ")]
    problems = problems_of(path)

    assert len(expected) == len(problems), [str(problem) for problem in problems]

    for line, problem in zip(expected, problems, strict=True):
        found = EXPECT.fullmatch(line)

        assert found, line
        assert (int(found[1]), int(found[2])) == (problem.line, problem.column)
        assert found[3] == (problem.key or "-")
        assert path.name == problem.file

        message, _, suggestion = found[4].partition(" | ")

        assert message in problem.message
        assert suggestion == problem.suggestion


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_message_shows_a_key_or_speaks_as_the_validator(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    for problem in problems_of(path):
        text = str(problem)

        for word in ("not-to-be-shown", "hunter2", "Input should", "pydantic", "Traceback", "Rules", "dataclass"):
            assert word not in text


def test_every_message_stands_on_a_line_of_its_own():
    with pytest.raises(Invalid) as caught:
        load_policy(TESTS / "policies" / "bad" / "three_problems.toml")

    first, *lines = caught.value.message.split("\n")

    assert "3 problems:" == first
    assert [str(problem) for problem in caught.value.problems] == lines
