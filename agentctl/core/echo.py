"""Whether a text repeats the system prompt: so many words in a row, whatever their case and punctuation. D09

Numbers are no words, so that a numbered list of the words is a copy too; nor are accents and what can't be seen part
of one. What is written as JSON writes it is read as JSON reads it.

A script without spaces has no words to count. There, characters stand for them: two of Chinese, Japanese or Korean
make a word, five of Thai, Lao, Khmer or Burmese.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

WORDS = 25
"""Words in a row that are a copy."""
_WHOLE = 10
"""What a word weighs; characters that stand for one weigh parts of it."""
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_SEA = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"

_UNSEEN = (
    "\u00ad\u0300-\u036f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\U000e0000-\U000e01ef"
)
unseen = re.compile(f"[{_UNSEEN}]")
marks = re.compile("[\u0300-\u036f]")
escaped = re.compile(r"\\(?:[nrt]|u([0-9a-fA-F]{4}))")
token = re.compile(rf"(?P<cjk>[{_CJK}])|(?P<sea>[{_SEA}])|(?:[^\W_{_CJK}{_SEA}{_UNSEEN}][{_UNSEEN}]*)+")
Token = tuple[str, int, int]
"""The word, what it weighs, and where it begins."""


def tokens(text: str) -> Iterator[Token]:
    """The words of a text."""
    for found in token.finditer(text):
        weight = _WHOLE // 2 if found["cjk"] else _WHOLE // 5 if found["sea"] else _WHOLE
        word = found[0] if found[0].isascii() else _bare(found[0])
        if not word.isdecimal():
            yield word.casefold(), weight, found.start()


def _bare(word: str) -> str:
    """Without its accents, so that it does not matter how they are written."""
    plain = marks.sub("", unicodedata.normalize("NFKD", unseen.sub("", word)))
    return unicodedata.normalize("NFKC", plain)  # syllables of Hangul are whole again


def _as_read(text: str) -> str:
    """With the escapes of JSON undone."""
    return escaped.sub(lambda found: chr(int(found[1], 16)) if found[1] else " ", text)


def _windows(words: Sequence[Token]) -> Iterator[tuple[str, ...]]:
    """From each word on, the shortest run that is WORDS long."""
    names = tuple(name for name, _, _ in words)
    end = weight = 0
    for start in range(len(words)):
        while weight < WORDS * _WHOLE and end < len(words):
            weight += words[end][1]
            end += 1
        if weight < WORDS * _WHOLE:
            return
        yield names[start:end]
        weight -= words[start][1]


@lru_cache(maxsize=32)
def of(system: str) -> Echo:
    """What to look for, worked out once for each prompt."""
    return Echo(system)


class Echo:
    """What a run must not repeat."""

    def __init__(self, system: str) -> None:
        self._known = frozenset(_windows(tuple(tokens(system))))

    def __bool__(self) -> bool:
        """Whether there is anything to look for: a short prompt is no secret."""
        return bool(self._known)

    def heard(self, text: str) -> bool:
        """Whether the text repeats it."""
        if not self._known:
            return False
        ways = (text, _as_read(text)) if "\\" in text else (text,)
        return any(not self._known.isdisjoint(_windows(tuple(tokens(way)))) for way in ways)

    def safe(self, text: str) -> int:
        """How much of the beginning can be shown, though more words follow: all but the last WORDS."""
        if not self._known:
            return len(text)
        weight = 0
        for _, each, start in reversed(tuple(tokens(text))):
            weight += each
            if weight > WORDS * _WHOLE:  # one more than make a copy: the last may not have come to its end
                return start
        return 0
