"""Nothing that a model or a tool says can move, hide or imitate anything on a terminal."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.approvals import printable as module
from agentctl.approvals.printable import printable, unmistakable
from agentctl.approvals.wording import one_line

HARMFUL = {
    "colours and cursor": "\x1b[31m\x1b[2J",
    "title": "\x1b]0;pwned\x07",
    "link": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "carriage return": "rm -rf /\rls",
    "backspace": "rm\b\bls",
    "delete": "a\x7f",
    "C1": "\x9b31m",
    "bidi": "\u202egpj.exe\u202c\u2066x\u2069",
    "zero width": "pay\u200bpal\u200d\u2060\ufeff",
    "tags": "hi\U000e0068\U000e0069",
    "variation selectors": "a\ufe01b\U000e0100",
    "invisible letters": "a\u3164b\u115fc\u2800d\u034f",
    "separators": "a\u2028b\u2029c\x85d",
    "surrogate": "a\ud800b",
    "private use": "a\ue000b",
    "enclosing mark": "1\u20dd",
    "marks on nothing": " \u0338",
    "too many marks": "a\u0300\u0301\u0302\u0303",
    "soft hyphen": "a\u00adb",
}


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL.keys())
def test_what_has_no_shape_is_escaped(text):
    shown = printable(text, lines=False)

    assert "\\" in shown
    assert [] == [char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Me"}]


@pytest.mark.parametrize(
    "text", ["Grüße, Zoë", "naïve cafe\u0301", "注文はどこ", "заказ", "Ünï ✓ → …", "⚠️ 🙂", "a\tb\nc"]
)
def test_what_people_write_stays(text):
    assert text == printable(text)


def test_line_breaks_stay_only_where_lines_are_allowed():
    assert "a\nb\tc" == printable("a\nb\tc")
    assert "a\\nb\\tc" == printable("a\nb\tc", lines=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("p\u0430ypal.com", "p\\u0430ypal.com"), ("\u0441\u043b\u043e\u0432\u043e", "слово"), ("ﬀull \uff41dmin", None)],
)
def test_letters_that_pass_for_latin_ones_are_escaped_beside_them(text, shown):
    if shown is None:
        assert "\\uff41dmin" in unmistakable(text)
    else:
        assert shown == unmistakable(text)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("\u0441\u043e\u0441\u043e.com", r"\u0441\u043e\u0441\u043e.com"),
        ("root@\u0440\u0430\u0443.example", r"root@\u0440\u0430\u0443.example"),
        ("\uff45\uff56.io", r"\uff45\uff56.io"),
        ("\u043e\u0442\u0447\u0451\u0442.txt", "\u043e\u0442\u0447\u0451\u0442.txt"),
        ("\u0445\u043e\u0440", "\u0445\u043e\u0440"),
        ("\u043f\u043e\u0447\u0442\u0430.\u0440\u0444", "\u043f\u043e\u0447\u0442\u0430.\u0440\u0444"),
    ],
)
def test_a_label_that_looks_latin_throughout_is_told_from_one_that_is(host, shown):
    """D21: nothing in it is beside a Latin letter, and the whole passes for a host that somebody trusts."""
    assert shown == unmistakable(host)


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u2003", "\u3000"])
def test_no_run_of_blanks_makes_a_line_of_its_own(blank):
    """D21: padded to the terminal's width, an argument could write a line of the prompt."""
    assert "a  (+ 78 blanks)  tier   safe" == one_line(f"a{blank * 80}tier   safe")


# --- what is quick is the same ---


def test_what_is_never_looked_at_twice_has_a_shape_beside_anything():
    def plain(char):
        return re.fullmatch(rf"[{module.PLAIN}]", char)

    every = [chr(code) for code in range(0x110000) if plain(chr(code))]

    assert len(every) > 30_000
    befores = "", "a", "\u0301"
    assert [] == [char for char in every if not all(module._has_shape(char, before, 1) for before in befores)]
    assert [] == [char for char in every if unicodedata.category(char) in {"Mn", "Me"}]


@given(st.text(st.one_of(st.characters(), st.sampled_from("a日ö\n\t\u0301\u0301\ufe0f☀\u202e\x1b\ud800")), max_size=30))
def test_a_text_is_made_visible_as_if_each_character_were_looked_at(text):
    for lines in (True, False):
        assert module._visible(text, lines=lines) == printable(text, lines=lines)
