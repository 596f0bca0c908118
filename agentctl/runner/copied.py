"""The untrusted texts of a run, and which parts of a call's arguments stand in them.

Texts and arguments are compared without case and with every run of blanks as one space. The texts are indexed when they
are first asked about: every fifth stretch of eight characters, so that any twelve in a row hold one of them. What the
task's own words say too is nobody's copy.

Bound: the newest MOST characters of untrusted text, and SLACK.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice

from agentctl.core.messages import Json, is_list, is_object
from agentctl.core.taint import Copied
from agentctl.core.wrapping import unwrapped, visible

MOST = 1_000_000
SLACK = 250_000
"""Characters above MOST at which the oldest texts go: an index is made anew then."""
LEAST = 12
"""Characters in a row that are a copy."""
GRAM, STRIDE = 8, 5
"""Length of an indexed stretch and the distance to the next: together at most LEAST + 1."""
FREQUENT = 1_000
"""A stretch that stands there more often is looked for with what is around it."""
MOST_FOUND = 4
"""Copies of one call that are told."""
MOST_RUNS = 32
"""Copies in one text that are looked for."""
LONGEST = 120
"""Characters of a copy that are told."""
MOST_ARGUMENT = 50_000
"""Characters of one argument that are compared: its head and its tail."""
BETWEEN = "\0"
"""Between two texts; no argument holds it once it is normalised."""

blanks = re.compile(r"\s+")
escaped = re.compile(r"\\[nrt]")
recipient = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://(?:[^\s/?#@]{0,100}@)?(?P<host>\[[0-9a-f:.]{2,45}\]|[\w.-]{1,253})"
    r"|(?P<mail>[a-z0-9._%+-]{1,64}@[\w.-]{1,253}\w)"
)
"""A host or an address, in normalised text."""


def normalised(text: str) -> str:
    """Without case, each run of blanks as one space, without what can't be seen."""
    return blanks.sub(" ", visible(text)).casefold()


class Untrusted:
    """See the module."""

    def __init__(self) -> None:
        self._own = ""
        """What the task itself says."""
        self._words = ""
        self._starts: list[int] = []
        self._sources: list[str] = []
        self._places: dict[str, list[int]] = {}
        self._next = 0
        """Where the index goes on."""

    def trust(self, *texts: str) -> None:
        """The task's own words: goal and system prompt, without the variables that are somebody else's."""
        self._own = normalised("\n".join(texts))

    def add(self, source: str, sent: str) -> None:
        """A result as the model was sent it, or the value of a variable."""
        self._starts.append(len(self._words))
        self._sources.append(source)
        self._words += normalised(_words(unwrapped(sent)))[-MOST:] + BETWEEN
        if len(self._words) > MOST + SLACK:
            self._forget()

    def _forget(self) -> None:
        first = next(n for n, start in enumerate(self._starts) if len(self._words) - start <= MOST + 1)
        cut = self._starts[first]
        self._words = self._words[cut:]
        self._starts = [start - cut for start in self._starts[first:]]
        self._sources = self._sources[first:]
        self._places, self._next = {}, 0

    def found_in(self, args: Json) -> tuple[Copied, ...]:
        """The copies in the arguments of a call: recipients first, then the longest."""
        if not self._words:
            return ()
        self._index()
        found: dict[str, Copied] = {}
        for leaf in leaves(args):
            words = normalised(leaf if len(leaf) <= MOST_ARGUMENT else _ends(leaf))
            for each in (*self._recipients(words), *islice(self._runs(words), MOST_RUNS)):
                found.setdefault(each.text, each)
        ranked = sorted(found.values(), key=lambda each: (not each.recipient, -len(each.text)))
        return tuple(ranked[:MOST_FOUND])

    def _index(self) -> None:
        words, places = self._words, self._places
        end = len(words) - GRAM + 1
        for at in range(self._next, end, STRIDE):
            places.setdefault(words[at : at + GRAM], []).append(at)
        self._next += max(0, -(-(end - self._next) // STRIDE)) * STRIDE

    def _source(self, place: int) -> str:
        return self._sources[bisect_right(self._starts, place) - 1]

    def _recipients(self, words: str) -> Iterator[Copied]:
        for found in recipient.finditer(words):
            name = found["host"] or found["mail"]
            place = self._words.find(name)
            if place >= 0 and not re.search(rf"(?<![\w.@-]){re.escape(name)}(?![\w-]|\.\w)", self._own):
                yield Copied(name[:LONGEST], self._source(place), recipient=True)

    def _runs(self, words: str) -> Iterator[Copied]:
        at, none = 0, set[tuple[str, int]]()
        while at <= len(words) - GRAM:
            # Whether there is a copy depends on these characters alone.
            around = (words[max(0, at - STRIDE + 1) : at + LEAST], min(at, STRIDE - 1))
            start, end, place = (at, at, 0) if around in none else self._longest(words, at)
            if end - start < LEAST:
                none.add(around)
                at += 1
                continue
            # Another text may hold more of it, whose stretches begin elsewhere.
            near = (self._longest(words, each) for each in range(at + 1, at + STRIDE))
            start, end, place = max((start, end, place), *near, key=_length)
            run = words[start:end].strip()
            if run in self._own:
                at = max(at + 1, end - GRAM + 1)
            else:
                yield Copied(run[:LONGEST], self._source(place))
                at = end

    def _longest(self, words: str, at: int) -> tuple[int, int, int]:
        """The longest run around the stretch at this place: where it begins and ends, and where it stands."""
        text, best = self._words, (at, at, 0)
        places: Sequence[int] = self._places.get(words[at : at + GRAM], ())
        if len(places) > FREQUENT:
            places = self._rare(words, at)
        for place in places:
            start, here = at, place
            while start > 0 and here > 0 and words[start - 1] == text[here - 1]:
                start, here = start - 1, here - 1
            end, there = at + GRAM, place + GRAM
            while end < len(words) and words[end] == text[there]:  # a text ends with what no argument holds
                end, there = end + 1, there + 1
            best = max(best, (start, end, here), key=_length)
        return best

    def _rare(self, words: str, at: int) -> list[int]:
        """Where one of the runs of LEAST around this stretch stands."""
        starts = range(max(0, at - STRIDE + 1), min(at, len(words) - LEAST) + 1)
        found = ((start, self._words.find(words[start : start + LEAST])) for start in starts)
        return [place + at - start for start, place in found if place >= 0]


def _length(run: tuple[int, int, int]) -> int:
    return run[1] - run[0]


def leaves(value: Json) -> Iterator[str]:
    """Every text of a value; numbers are written out, for an account is copied as well as a name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif is_object(value):
        for name, each in value.items():
            yield name
            yield from leaves(each)
    elif is_list(value):
        for each in value:
            yield from leaves(each)


def _ends(text: str) -> str:
    return f"{text[: MOST_ARGUMENT // 2]}\n{text[-MOST_ARGUMENT // 2 :]}"


def _words(sent: str) -> str:
    """What a result says: the texts of its envelope. One that was cut is no JSON any more."""
    try:
        said = json.loads(sent)
    except (ValueError, RecursionError):
        return escaped.sub(" ", sent).replace('\\"', '"')
    if not is_object(said) or "status" not in said:
        return "\n".join(leaves(said))
    return "\n".join(each for part in ("data", "message", "hint") for each in leaves(said.get(part)))
