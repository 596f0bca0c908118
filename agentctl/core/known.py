"""The secrets that a run knows: those it began with, and what a detector found since. Masked wherever they are.

A value joins only if it could not be a word of its own: otherwise one `password = production` would blacken a log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentctl.core.spellings import spellings

MOST = 256
"""Values that join in one run; what is found later is masked where it was found."""
SHORTEST = 8
LEAST = 6
"""Every spelling has at least so many characters."""
GRAM, STRIDE = 5, 4
"""A text's pieces of so many characters at every fourth place; one of them is in each long spelling that it holds."""


class Known:
    """What is known; `learn` is the only change."""

    def __init__(self, secrets: Iterable[str], replacement: str) -> None:
        """`replacement` is never masked itself."""
        self._replacement = replacement
        self._all: set[str] = set()
        self._short: list[str] = []
        self._grams: dict[str, list[str]] = {}
        self._learned = 0
        for secret in secrets:
            self._add(secret)

    def __len__(self) -> int:
        """Spellings."""
        return len(self._all)

    def __contains__(self, value: str) -> bool:
        """Whether it is one of them."""
        return value in self._all

    def learn(self, value: str) -> bool:
        """Keep what a detector found, also without what ends a sentence; whether it is new."""
        value = value.strip()
        before = len(self._all)
        for each in (value, value.rstrip(".,;:?)")):
            if each not in self._all and self._learned < MOST and _strange(each):
                self._learned += 1
                self._add(each)
        return len(self._all) > before

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where known values stand."""
        for value in self.here(text):
            at = text.find(value)
            while at >= 0:
                yield at, at + len(value)
                at = text.find(value, at + len(value))

    def here(self, text: str) -> Iterable[str]:
        """The known values that stand in a text."""
        if len(self._all) * (len(text) + 240) < 80 * len(text):  # what both ways cost, measured
            return [value for value in self._all if value in text]
        grams = self._grams.keys() & {text[at : at + GRAM] for at in range(0, len(text) - GRAM + 1, STRIDE)}
        likely = {value for gram in grams for value in self._grams[gram]}
        return [value for value in (*self._short, *likely) if value in text]

    def folded(self, text: str) -> list[str]:
        """The known values without case that stand in a text without case, the longest first."""
        return sorted({folded for value in self._all if (folded := value.casefold()) in text}, key=len, reverse=True)

    def _add(self, secret: str) -> None:
        for spelling in spellings(secret):
            if spelling in self._replacement or spelling in self._all or len(spelling) < LEAST:
                continue
            self._all.add(spelling)
            if len(spelling) < GRAM + STRIDE - 1:
                self._short.append(spelling)
                continue
            for at in range(STRIDE):
                self._grams.setdefault(spelling[at : at + GRAM], []).append(spelling)


def _strange(value: str) -> bool:
    """No word, no path, no sentence: letters with digits, or long, in one piece."""
    if not SHORTEST <= len(value) <= 4096:
        return False
    if "\n" in value:
        return "-----" in value
    if " " in value or value.startswith(("/", "./", "http:", "https:")):
        return False
    return any(each.isdigit() for each in value) and any(each.isalpha() for each in value)
