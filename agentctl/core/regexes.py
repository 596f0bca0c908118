r"""Regular expressions read into a tree, for what must be made from one or tried against one without end in sight.

What Python, RE2 and ECMAScript write alike: literals, classes, groups, repeats, alternation, edges, looking around, the
same again. `\d`, `\w` and `\s` are ASCII's, as in the last two.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from agentctl.records import dataclass

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points from and to, both included, in order, none touching the next."""

LAST: Final = 0x10FFFF
LONGEST: Final = 10_000
"""Characters of a pattern, and the most that a repeat may count to."""
DEEPEST: Final = 40
"""Groups in groups."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of these."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other; none of them: nothing."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any one of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """So many times; `most` None: any number of times."""

    part: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """What it matches can be asked for again by its number or name."""

    part: Node
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """What the group of that name matched."""

    name: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A place between characters: start and end of the text, edge of a word and none."""

    kind: Literal["^", "$", "b", "B"]


@dataclass(frozen=True, slots=True)
class Look:
    """What must, or must not, stand ahead or behind."""

    part: Node
    ahead: bool
    wanted: bool


Node: TypeAlias = Chars | Row | Either | Repeat | Group | Again | Edge | Look

DIGIT: Final = ((48, 57),)
WORD: Final = ((48, 57), (65, 90), (95, 95), (97, 122))
SPACE: Final = ((9, 13), (32, 32))
UPPER: Final = ((65, 90),)
LOWER: Final = ((97, 122),)
POSIX: Final[dict[str, Ranges]] = {
    "digit": DIGIT,
    "word": WORD,
    "space": SPACE,
    "upper": UPPER,
    "lower": LOWER,
    "alpha": (*UPPER, *LOWER),
    "alnum": (*DIGIT, *UPPER, *LOWER),
    "xdigit": (*DIGIT, (65, 70), (97, 102)),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
}
PROPERTIES: Final = {"L": POSIX["alpha"], "Lu": UPPER, "Ll": LOWER, "N": DIGIT, "Nd": DIGIT, "Letter": POSIX["alpha"]}
CONTROL: Final = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "a": 7, "0": 0}
FLAGS: Final = re.compile(r"\(\?([aimsu]+)([:)])")
NAMED: Final = re.compile(r"\(\?P?<([A-Za-z_]\w*)>", re.ASCII)
AGAIN: Final = re.compile(r"\(\?P=([A-Za-z_]\w*)\)|\\k<([A-Za-z_]\w*)>|\\([1-9]\d?)", re.ASCII)
COUNT: Final = re.compile(r"\{(\d{1,9})(,)?(\d{1,9})?\}", re.ASCII)
CODE: Final = re.compile(r"x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|cJ")
PROPERTY: Final = re.compile(r"p\{(\w+)\}|p([LN])", re.ASCII)


class UnreadableError(Exception):
    """Not a regular expression, or not one of this kind."""


def read(pattern: str) -> Node:
    """The tree of a pattern; raises UnreadableError."""
    if len(pattern) > LONGEST:
        raise UnreadableError(pattern[:20])
    reader = _Reader(pattern)
    node = reader.either()
    if reader.at < len(pattern):
        raise UnreadableError(pattern[reader.at :])
    return node


def union(*many: Ranges) -> Ranges:
    """Each of them."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(span for ranges in many for span in ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def complement(ranges: Ranges) -> Ranges:
    """All others."""
    edges = [(-1, -1), *union(ranges), (LAST + 1, LAST + 1)]
    return tuple((left[1] + 1, right[0] - 1) for left, right in pairwise(edges) if left[1] + 1 < right[0])


class _Reader:
    """Goes through a pattern once, from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0
        self.groups = 0
        self.any_case = False

    def either(self) -> Node:
        parts = [self.row()]
        while self.took("|"):
            parts.append(self.row())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def row(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            if (part := self.atom()) is not None:
                parts.append(self.repeated(part))
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def repeated(self, part: Node) -> Node:
        count = COUNT.match(self.pattern, self.at)
        if count:
            least = int(count[1])
            most = int(count[3]) if count[3] else None if count[2] else least
            self.at = count.end()
        elif self.at < len(self.pattern) and self.pattern[self.at] in "*+?":
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.taken()]
        else:
            return part
        self.took("?")
        if (
            self.pattern[self.at : self.at + 1] in {"*", "+"}
            or isinstance(part, Edge)
            or COUNT.match(self.pattern, self.at)
        ):
            raise UnreadableError(self.pattern[self.at :])
        if least > LONGEST or (most is not None and most < least):
            raise UnreadableError(self.pattern)
        return Repeat(part, least, None if most is None else min(most, LONGEST))

    def atom(self) -> Node | None:
        """One piece; None for a comment or flags."""
        if self.pattern.startswith("(", self.at):
            return self.group()
        if again := AGAIN.match(self.pattern, self.at):
            self.at = again.end()
            return Again(again[1] or again[2] or again[3])
        sign = self.taken()
        if sign == "[":
            return Chars(self.cased(self.set()))
        if sign == ".":
            return Chars(complement(((10, 10),)))
        if sign in "^$":
            return Edge("^" if sign == "^" else "$")
        if sign in "*+?":
            raise UnreadableError(self.pattern[self.at - 1 :])
        if sign != "\\":
            return Chars(self.cased(((ord(sign), ord(sign)),)))
        if self.pattern[self.at : self.at + 1] in {"b", "B"}:
            return Edge("b" if self.taken() == "b" else "B")
        if self.pattern[self.at : self.at + 1] in {"A", "Z", "z"}:
            return Edge("^" if self.taken() == "A" else "$")
        return Chars(self.cased(self.escaped()))

    def group(self) -> Node | None:
        if self.pattern.startswith("(?#", self.at):
            self.at = self.pattern.find(")", self.at) + 1 or len(self.pattern)
            return None
        if again := AGAIN.match(self.pattern, self.at):
            self.at = again.end()
            return Again(again[1])
        before = self.any_case
        if flags := FLAGS.match(self.pattern, self.at):
            self.at = flags.end()
            self.any_case = self.any_case or "i" in flags[1]
            if "m" in flags[1]:
                raise UnreadableError(self.pattern)
            if flags[2] == ")":
                return None
            return self.closed(before)
        for sign, (ahead, wanted) in LOOKS.items():
            if self.took(sign):
                return Look(self.closed(before), ahead, wanted)
        if self.took("(?:"):
            return self.closed(before)
        named = NAMED.match(self.pattern, self.at)
        self.at = named.end() if named else self.at + 1
        if not named and self.pattern.startswith("?", self.at):
            raise UnreadableError(self.pattern[self.at :])
        self.groups += 1
        names = (str(self.groups), *([named[1]] if named else []))
        return Group(self.closed(before), names)

    def closed(self, before: bool) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise UnreadableError(self.pattern)
        node = self.either()
        if not self.took(")"):
            raise UnreadableError(self.pattern[self.at :])
        self.depth -= 1
        self.any_case = before
        return node

    def set(self) -> Ranges:
        """A class, behind its bracket."""
        others = self.took("^")
        held = [self.member()]  # a bracket that stands first is itself
        while not self.took("]"):
            held.append(self.member())
        ranges = union(*held)
        return complement(self.cased(ranges)) if others else ranges

    def member(self) -> Ranges:
        if self.took("[:"):
            end = self.pattern.find(":]", self.at)
            name = self.pattern[self.at : max(end, self.at)]
            self.at = end + 2
            if name not in POSIX:
                raise UnreadableError(name)
            return POSIX[name]
        low = self.one()
        if not self.pattern.startswith("-", self.at) or self.pattern[self.at + 1 : self.at + 2] in {"]", ""}:
            return low
        self.at += 1
        high = self.one()
        (start, start_end), (end, end_end) = low[0], high[0]
        if len(low) > 1 or len(high) > 1 or start != start_end or end != end_end or end < start:
            raise UnreadableError(self.pattern)
        return ((start, end),)

    def one(self) -> Ranges:
        sign = self.taken()
        if sign != "\\":
            return ((ord(sign), ord(sign)),)
        return ((8, 8),) if self.took("b") else self.escaped()

    def escaped(self) -> Ranges:
        """What an escape stands for, behind its backslash."""
        for pattern in (CODE, PROPERTY):
            if found := pattern.match(self.pattern, self.at):
                self.at = found.end()
                word = next((group for group in found.groups() if group), "A")
                if pattern is CODE:
                    point = min(int(word, 16), LAST)
                    return ((point, point),)
                if word not in PROPERTIES:
                    raise UnreadableError(word)
                return PROPERTIES[word]
        sign = self.taken()
        if sign in CLASSES:
            return CLASSES[sign]
        if sign in CONTROL:
            return ((CONTROL[sign], CONTROL[sign]),)
        if sign.isalnum():
            raise UnreadableError(sign)
        return ((ord(sign), ord(sign)),)

    def cased(self, ranges: Ranges) -> Ranges:
        if not self.any_case:
            return ranges
        other = [(low ^ 32, high ^ 32) for low, high in _within(ranges, UPPER[0]) + _within(ranges, LOWER[0])]
        return union(ranges, tuple(other))

    def took(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def taken(self) -> str:
        if self.at >= len(self.pattern):
            raise UnreadableError(self.pattern)
        self.at += 1
        return self.pattern[self.at - 1]


LOOKS: Final = {"(?=": (True, True), "(?!": (True, False), "(?<=": (False, True), "(?<!": (False, False)}
CLASSES: Final = {
    "d": DIGIT,
    "w": WORD,
    "s": SPACE,
    "D": complement(DIGIT),
    "W": complement(WORD),
    "S": complement(SPACE),
}


def _within(ranges: Ranges, span: tuple[int, int]) -> list[tuple[int, int]]:
    return [(max(low, span[0]), min(high, span[1])) for low, high in ranges if low <= span[1] and high >= span[0]]
