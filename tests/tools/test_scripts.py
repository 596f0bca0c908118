"""The files that a command will run, and what they say now."""

import hashlib

import pytest

from agentctl.tools.scripts import LARGEST, MOST_FILES, MOST_WORDS, digests
from agentctl.tools.shell_reading import read


def named(text, folder):
    return dict(digests(read(text), folder))


@pytest.fixture
def script(tmp_path):
    (tmp_path / "tools").mkdir()
    file = tmp_path / "tools" / "go.sh"
    file.write_text("echo a\n")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "tools/go.sh",
        "./tools/go.sh x",
        "bash tools/go.sh",
        "ls; sh tools/go.sh",
        "source tools/go.sh",
        "A=$X tools/go.sh",
        "env -S tools/go.sh",
        "x --script=tools/go.sh",
        "if ls; then bash 'tools/go.sh' > f; fi",
    ],
)
def test_a_script_is_named_with_its_digest_wherever_it_stands(tmp_path, script, text):
    (found,) = named(text, tmp_path).values()

    assert f"sha256 {hashlib.sha256(script.read_bytes()).hexdigest()[:32]}" == found


def test_another_content_is_another_digest(tmp_path, script):
    before = named("bash tools/go.sh", tmp_path)
    script.write_text("echo b\n")

    assert before != named("bash tools/go.sh", tmp_path)
    assert before.keys() == named("bash tools/go.sh", tmp_path).keys()


def test_what_a_program_runs_without_being_told_is_named_too(tmp_path):
    (tmp_path / "Makefile").write_text("all:\n\trm x\n")
    (tmp_path / "package.json").write_text("{}")

    assert ["Makefile"] == list(named("make -j2 all", tmp_path))
    assert ["package.json"] == list(named("ls && npm test", tmp_path))


def test_what_is_only_read_is_not_named(tmp_path, script):
    (tmp_path / "notes.txt").write_text("x")

    assert {} == named("cat notes.txt", tmp_path) == named("ls tools", tmp_path) == named("./missing.sh", tmp_path)


def test_a_pipe_a_huge_file_or_many_files_do_not_hold_it_up(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.sh")
    with (tmp_path / "huge.sh").open("wb") as file:
        file.truncate(LARGEST + 1)
    for number in range(MOST_FILES + 5):
        (tmp_path / f"{number}.sh").write_text("")

    assert {} == named("sh pipe.sh", tmp_path)
    assert "bytes" in named("sh huge.sh", tmp_path)["huge.sh"]
    found = named("; ".join(f"sh {n}.sh" for n in range(MOST_FILES + 5)), tmp_path)

    assert (MOST_FILES + 1, ("and 5 more words", "not looked at")) == (len(found), list(found.items())[-1])


def test_a_script_behind_more_words_than_are_looked_at_is_not_passed_over_in_silence(tmp_path, script):
    found = named(f"echo {' '.join(map(str, range(MOST_WORDS)))}; sh tools/go.sh", tmp_path)

    assert ["not looked at"] == list(found.values())
