"""Texts made from regular expressions, and tried against them in a time that the pattern cannot blow up.

Made text is tried against the pattern, so that looking around and edges inside need no understanding. A trial follows
all ways through the pattern at once, as a set of places in the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from typing import Final

from agentctl.core import regexes
from agentctl.core.regexes import Again, Chars, Edge, Either, Group, Look, Node, Ranges, Repeat, Row, UnreadableError

LONGEST: Final = 10_000
"""Characters of a text that is made."""
STEPS: Final = 60_000
"""Pieces of a pattern that are looked at for one answer."""
TRIES: Final = 24
WINDOW: Final = 200
"""So many different texts a pattern is asked for before they may come again."""
PLAIN: Final = "abcdefghijklmnopqrstuvwxyz1234567890ABCDEFGHIJKLMNOPQRSTUVWXYZ-_. /:@,+=!#%&~$*?;'\"()<>[]{}|^`\\"
MIXED: Final = "aB3-cD4_eF5!gH6.jK7@mN8#pQ9%" + PLAIN
"""Begins with what rules for passwords ask for."""


class _SpentError(Exception):
    """The text gets too long, or its making."""


def matching(pattern: str, n: int = 0) -> str | None:
    """A text that a pattern matches in full, the `n`th of them; None: cannot be made."""
    found = [*islice(texts(pattern, 0, LONGEST, [STEPS]), min(n, WINDOW) + 1)]
    return found[n % len(found)] if found else None


def texts(pattern: str, least: int, most: int, steps: list[int]) -> Iterator[str]:
    """Different texts of so many characters that a pattern matches in full, until the steps are used up."""
    seen: set[str] = set()
    try:
        node = regexes.read(pattern)
        for text in _made(node, least, most, steps):
            if least <= len(text) <= most and text not in seen and _trial(node, text, steps):
                seen.add(text)
                yield text
    except (UnreadableError, _SpentError):
        return


def matches(pattern: str, text: str, steps: list[int] | None = None) -> bool | None:
    """Whether a pattern is found in a text, as JSON Schema means it; None: cannot be told."""
    if not text.isascii() or "\n" in text:  # where the dialects differ
        return None
    try:
        node = regexes.read(pattern)
        return bool(_ends(node, text, frozenset(range(len(text) + 1)), [STEPS] if steps is None else steps))
    except (UnreadableError, _SpentError):
        return None


def _made(node: Node, least: int, most: int, steps: list[int]) -> Iterator[str]:
    """Texts to try, the likeliest first."""
    for letters in (PLAIN, MIXED):
        for easy in (True, False):
            number, spare, length = 0, 0, -1
            for _ in range(WINDOW + TRIES):
                making = _Making(letters, number, easy, spare, steps)
                making.add(node)
                text = "".join(making.text)
                yield text
                if length < len(text) < least:  # a longer one may do
                    spare += least - len(text)
                    length = len(text)
                    continue
                number += 1
                if making.number and len(text) < most:  # all its choices are made: only a longer one is another
                    spare += 1


class _Making:
    """One text. Each choice takes its part of a number, so that different numbers give different texts."""

    def __init__(self, letters: str, number: int, easy: bool, spare: int, steps: list[int]) -> None:
        self.letters = letters
        self.number = number
        self.easy = easy
        self.spare = spare
        self.steps = steps
        self.rank = 0
        self.text: list[str] = []
        self.groups: dict[str, str] = {}

    def pick(self, several: int) -> int:
        self.number, picked = divmod(self.number, several)
        return picked

    def add(self, node: Node) -> None:
        _step(self.steps)
        match node:
            case Chars(ranges):
                usable = _usable(ranges, self.letters)
                if not usable or len(self.text) >= LONGEST:
                    raise _SpentError
                self.text.append(usable[(self.rank + self.pick(len(usable))) % len(usable)])
                self.rank += len(usable) > 2  # so that it reads abc, 123
            case Row(parts):
                for part in parts:
                    self.add(part)
            case Either(parts):
                self.add(parts[self.pick(len(parts))])
            case Repeat():
                self.repeat(node)
            case Group(part, names):
                start = len(self.text)
                self.add(part)
                self.groups.update(dict.fromkeys(names, "".join(self.text[start:])))
            case Again(name):
                self.text.extend(self.groups.get(name, ""))
            case Edge() | Look():  # the trial sees to them
                pass

    def repeat(self, node: Repeat) -> None:
        wanted = 3 if isinstance(node.part, Chars) and not node.least else 1
        least = max(node.least, wanted if self.easy and node.most is None else 0)
        for done in count():
            if done >= least and (self.spare <= 0 or (node.most is not None and done >= node.most)):
                break
            before = len(self.text)
            self.add(node.part)
            if len(self.text) == before:
                break
            self.spare -= len(self.text) - before if done >= least else 0


@cache
def _usable(ranges: Ranges, letters: str) -> str:
    """The characters of a class that are worth using, the plainest first."""
    plain = "".join(dict.fromkeys(each for each in letters if _holds(ranges, ord(each))))
    if plain:
        return plain
    points = [point for low, high in ranges for point in range(low, min(high, low + 25) + 1)]
    return "".join(chr(point) for point in points if not 0xD800 <= point <= 0xDFFF)


def _holds(ranges: Ranges, point: int) -> bool:
    return any(low <= point <= high for low, high in ranges)


def _trial(node: Node, text: str, steps: list[int]) -> bool:
    """Whether it is the whole text; made text with the same again in it is right by its making."""
    try:
        return len(text) in _ends(node, text, frozenset({0}), steps)
    except UnreadableError:
        return True


def _ends(node: Node, text: str, starts: frozenset[int], steps: list[int]) -> frozenset[int]:
    """Where matches end that start at one of these places."""
    _step(steps, 1 + len(starts) // 8)
    match node:
        case Chars(ranges):
            return frozenset(at + 1 for at in starts if at < len(text) and _holds(ranges, ord(text[at])))
        case Row(parts):
            for part in parts:
                starts = _ends(part, text, starts, steps)
            return starts
        case Either(parts):
            return frozenset[int]().union(*(_ends(part, text, starts, steps) for part in parts))
        case Repeat():
            return _repeated(node, text, starts, steps)
        case Group(part):
            return _ends(part, text, starts, steps)
        case Again(name):
            raise UnreadableError(name)
        case Edge(kind):
            return frozenset(at for at in starts if _at_edge(kind, text, at))
        case Look(part, ahead, wanted):
            return frozenset(at for at in starts if _seen(part, text, at, ahead, steps) is wanted)


def _repeated(node: Repeat, text: str, starts: frozenset[int], steps: list[int]) -> frozenset[int]:
    for _ in range(min(node.least, len(text) + 1)):
        starts = _ends(node.part, text, starts, steps)
    reached, fresh = {*starts}, starts
    for done in count(node.least):
        if not fresh or (node.most is not None and done >= node.most):
            break
        fresh = _ends(node.part, text, fresh, steps) - reached
        reached |= fresh
    return frozenset(reached)


def _seen(part: Node, text: str, at: int, ahead: bool, steps: list[int]) -> bool:
    if ahead:
        return bool(_ends(part, text, frozenset({at}), steps))
    return at in _ends(part, text[:at], frozenset(range(at + 1)), steps)


def _at_edge(kind: str, text: str, at: int) -> bool:
    if kind in "^$":
        return at == (0 if kind == "^" else len(text))
    before = at > 0 and _holds(regexes.WORD, ord(text[at - 1]))
    after = at < len(text) and _holds(regexes.WORD, ord(text[at]))
    return (before != after) is (kind == "b")


def _step(steps: list[int], several: int = 1) -> None:
    steps[0] -= several
    if steps[0] < 0:
        raise _SpentError
