"""Whether a text repeats the system prompt: so many words in a row, whatever their case and punctuation. D09

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

unseen = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
token = re.compile(rf"(?P<cjk>[{_CJK}])|(?P<sea>[{_SEA}])|[^\W_{_CJK}{_SEA}]+")
Token = tuple[str, int, int]
"""The word, what it weighs, and where it begins."""


def tokens(text: str) -> Iterator[Token]:
    """The words of a text."""
    for found in token.finditer(text):
        word = found[0] if found[0].isascii() else unicodedata.normalize("NFKC", found[0])
        weight = _WHOLE // 2 if found["cjk"] else _WHOLE // 5 if found["sea"] else _WHOLE
        yield word.casefold(), weight, found.start()


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
        self._known = frozenset(_windows(tuple(tokens(unseen.sub("", system)))))

    def __bool__(self) -> bool:
        """Whether there is anything to look for: a short prompt is no secret."""
        return bool(self._known)

    def heard(self, text: str) -> bool:
        """Whether the text repeats it."""
        return bool(self._known) and not self._known.isdisjoint(_windows(tuple(tokens(unseen.sub("", text)))))

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
