"""How a shell command is shown: each part with its verdict, the files that it runs, and nothing that deceives."""

import pytest

from agentctl.approvals.base import Question
from agentctl.approvals.wording import wording, wrapped
from agentctl.core.tiers import Tier


def question(*parts, files=()):
    return Question(
        "r_1", "c1.1", "shell", "", {"command": "x"}, Tier.HIGH, "built-in", "d", 0.0, 1.0, 5.0,
        parts=parts, files=files,
    )  # fmt: skip


def shown(*parts, files=()):
    return [line for line in wording(question(*parts, files=files)) if line.startswith(("  part", "  file"))]


def test_each_part_has_its_line_with_its_verdict():
    assert ["  part   git status — safe: git only reads here", "  part   rm x — high: rm is not on the list"] == shown(
        ("git status", "safe: git only reads here"), ("rm x", "high: rm is not on the list")
    )


def test_the_files_that_it_runs_have_theirs():
    assert ["  file   go.sh (sha256 0123456789abcdef)"] == shown(files=(("go.sh", "sha256 0123456789abcdef"),))


@pytest.mark.parametrize(
    "odd",
    [
        *("\x1b[2J", "\x1b]0;t\x07", "\x1b]8;;http://h\x1b\\", "\x1b]52;c;eA==\x07", "\r", "\b", "\x9b", "\n", "\t"),
        *("\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041", "\u2028", "\x7f", "\x00"),
    ],
)
def test_nothing_in_a_part_or_a_name_moves_hides_or_adds_a_line(odd):
    """CSI, OSC 0/8/52, CR, BS, C1, bidi, zero width, tags, and log injection by newline."""
    part, file = shown((f"ls {odd}  tier   safe", f"high: U {odd}"), files=((f"a{odd}b", "sha256 0"),))

    for line in (part, file):
        assert odd not in line
        assert line.isprintable()


def test_homoglyphs_are_told_from_letters():
    (line,) = shown(("c\u0430t x", "high: it has a character that is no ASCII in it"))

    assert "\u0430" not in line


def test_long_tails_and_blanks_are_told_instead_of_shown():
    long, blank = shown(("echo " + "a" * 5_000 + " ; rm -rf x", "high"), ("ls" + " " * 500 + "; rm x", "high"))

    assert "(5,016 characters)" in long
    assert "; rm -rf x" in long
    assert "blanks" in blank
    assert "; rm x" in blank


def test_no_line_is_wider_than_the_terminal_so_that_all_of_it_is_paged():
    asked = question(*((f"ls {'x' * 90} {number}", "safe") for number in range(60)))

    lines = wrapped(asked, 79)
    assert 79 >= max(map(len, lines))
    assert 60 == sum(line.startswith("  part") for line in lines)
