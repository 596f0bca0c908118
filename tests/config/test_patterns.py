import sys

import pytest

from agentctl.config import patterns

GOOD = [
    (r"^git (status|log|diff)( --(stat|oneline))*$", "git log --stat --oneline", True),
    (r"^git (status|log|diff)( --(stat|oneline))*$", "git status; rm -rf /", False),
    (r"^ls$", "ls\n", False),
    (r"[$]", "$", True),
    (r"\$5", "$5", True),
    (r"^\d+$", "१२", False),
    (r"(?i)bearer", "BEARER", True),
    (r"ACME-[0-9]{6}", "see ACME-123456", True),
]
BAD = ["(a", "[z", "a{2000}", r"(a)\1", "(?=a)", "(?!a)", "(?<=a)b", "*"]
HOSTILE = ["(a+)+$", "(a|aa)+$", "(a*)*b", "([a-z]x|[a-k]x)+y", "(a?a?)+b"]


@pytest.fixture(params=["re2", "re"], autouse=True)
def engine(request, monkeypatch):
    if request.param == "re":
        monkeypatch.setitem(sys.modules, "re2", None)
    patterns.compiled.cache_clear()
    yield request.param
    patterns.compiled.cache_clear()


@pytest.mark.parametrize(("pattern", "text", "found"), GOOD)
def test_the_dialect_is_the_same_with_and_without_re2(pattern, text, found):
    assert found == bool(patterns.compiled(pattern).search(text))


@pytest.mark.parametrize("pattern", BAD)
def test_what_re2_refuses_is_refused_everywhere_in_words(pattern, capfd):
    with pytest.raises(ValueError, match=r"\w"):
        patterns.compiled(pattern)

    assert ("", "") == tuple(capfd.readouterr())


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_can_hang(pattern, engine):
    if engine == "re":
        with pytest.raises(ValueError, match="repeat"):
            patterns.compiled(pattern)
    else:
        assert not patterns.compiled(pattern).search("a" * 100_000 + "!")


@pytest.mark.parametrize(
    ("pattern", "whole"),
    [
        ("^a$", True),
        ("(?i)^a$", True),
        (r"\Aa\z", True),
        ("^(a|b)$", True),
        ("^a$|^b$", True),
        ("^[|]$", True),
        (r"^a\|b$", True),
        ("^a|b$", False),
        ("^a$|b", False),
        (r"^a\$", False),
        ("^[$]", False),
        ("(?m)^a$", False),
        ("^*a$", False),
        ("a$", False),
        ("^a", False),
        ("", False),
        ("^", False),
        (".*", False),
    ],
)
def test_a_pattern_is_of_the_whole_text_only_where_every_alternative_is(pattern, whole):
    assert whole == patterns.anchored(pattern)
