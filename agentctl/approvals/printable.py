"""What a model, a tool or a file says, made harmless for a terminal: nothing in it moves, hides or imitates anything.

Whatever has no shape of its own, or changes the shape of its neighbours, is shown as an escape: control characters,
escape sequences, direction marks, zero-width and tag characters, blanks that are no spaces, lone surrogates.
"""

from __future__ import annotations

import re
import unicodedata

SHAPELESS = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
"""Unicode categories that are never shown as they are."""
BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that look like nothing."""
MOST_MARKS = 2
"""Marks on one letter; more of them climb into the lines above."""
LOOKALIKES = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "FULLWIDTH", "MATHEMATICAL", "LISU", "COPTIC")
"""Scripts with letters that pass for Latin ones."""

TWINS = frozenset("асеіјѕорхуһԁԛԝӏАВЕЅІЈКМНОРСТХУԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧοναρυκι")
"""Of these the ones that look the same: a word of nothing else passes for a Latin one without any beside it."""

word = re.compile(r"\w+(?:[.@-]\w+)*")
part = re.compile(r"\w+")
mark = "Mn"
PLAIN = (
    r" -~\u00a1-\u00ac\u00ae-\u02ff\u0400-\u0482\u2014-\u2027\u2190-\u21ff\u2500-\u259f\u3001-\u3020\u3041-\u3096"
    r"\u30a1-\u30fa\u4e00-\u9ffc\uac00-\ud7a3\uff01-\uff5e"
)
"""As in a regex: characters shown as they are whatever stands beside them, which is most of what is written."""
plain = re.compile(rf"[{PLAIN}\n\t]*")
odd = re.compile(rf"[{PLAIN}]?[^{PLAIN}]+")
odd_lines = re.compile(rf"[{PLAIN}]?[^{PLAIN}\n\t]+")


def printable(text: str, *, lines: bool = True) -> str:
    r"""The text with every character visible. `lines=False`: line breaks and tabs become `\n` and `\t` too."""
    if plain.fullmatch(text) and (lines or ("\n" not in text and "\t" not in text)):
        return text
    return (odd_lines if lines else odd).sub(lambda found: _visible(found[0], lines=lines), text)


def _visible(text: str, *, lines: bool) -> str:
    """Characters that are to be looked at one by one, behind the one that they stand on."""
    shown: list[str] = []
    marks = 0
    before = ""
    for char in text:
        marks = marks + 1 if unicodedata.category(char) == mark else 0
        harmless = (lines and char in "\n\t") or _has_shape(char, before, marks)
        shown.append(char if harmless else escaped(char))
        before = char
    return "".join(shown)


def unmistakable(text: str) -> str:
    """`printable` on one line; letters that pass for Latin ones are escaped where Latin ones stand beside them."""
    return word.sub(lambda found: _unmixed(found[0]), printable(text, lines=False))


def escaped(char: str) -> str:
    r"""`\n`, `\x1b`, `\u202e`, `\U000e0041`."""
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def _has_shape(char: str, before: str, marks: int) -> bool:
    category = unicodedata.category(char)
    if category in SHAPELESS or char in BLANKS:
        return False
    if category == "Me":
        return False
    if category == mark:
        if char == "\ufe0f":
            return before != "" and unicodedata.category(before) == "So"
        variation = "\ufe00" <= char <= "\ufe0e" or char >= "\U000e0100"
        return not variation and marks <= MOST_MARKS and (marks > 1 or before.isalpha())
    return True


def _unmixed(found: str) -> str:
    """A word, or the labels of a host or an address: one that is Latin throughout tells of one that only looks so."""
    if found.isascii() or not any(char.isascii() and char.isalpha() for char in found):
        return found
    return part.sub(lambda label: _label(label[0]), found)


def _label(label: str) -> str:
    latin = any(char.isascii() and char.isalpha() for char in label)
    if not (latin or all(char in TWINS or char.isascii() or _dressed(char) for char in label)):
        return label
    return "".join(escaped(char) if _imitates(char) else char for char in label)


def _dressed(char: str) -> bool:
    return unicodedata.name(char, "").startswith(("FULLWIDTH", "MATHEMATICAL"))


def _imitates(char: str) -> bool:
    return not char.isascii() and unicodedata.name(char, "").startswith(LOOKALIKES)
