"""The untrusted texts of a run, and which parts of a call's arguments stand in them.

Texts and arguments are compared as `reading.py` reads them: decoded, without case, with every run of blanks as one
space; numbers also without what groups them. The texts are indexed when they are first asked about: every fifth stretch
of eight characters, so that any twelve in a row hold one of them. What the task's own words say too is nobody's copy.

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
from agentctl.core.wrapping import unwrapped
from agentctl.runner.reading import forms, hidden, normalised, numbers, recipients, tight

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


class Untrusted:
    """See the module."""

    def __init__(self) -> None:
        self._own = ""
        """What the task itself says."""
        self._words = ""
        self._tight = ""
        """The words without anything between letters and digits, but for `BETWEEN`."""
        self._starts: list[int] = []
        self._sources: list[str] = []
        self._places: dict[str, list[int]] = {}
        self._next = 0
        """Where the index goes on."""
        self._tightened = 0
        """Where `_tight` does."""

    def trust(self, *texts: str) -> None:
        """The task's own words: goal and system prompt, without the variables that are somebody else's."""
        self._own = normalised("\n".join(texts))

    def add(self, source: str, sent: str) -> None:
        """A result as the model was sent it."""
        self.add_text(source, _words(unwrapped(sent)))

    def add_text(self, source: str, text: str) -> None:
        """Words as they are: the value of a variable."""
        said = "\n".join((text, *hidden(text)))
        self._starts.append(len(self._words))
        self._sources.append(source)
        self._words += normalised(said)[-MOST:] + BETWEEN
        if len(self._words) > MOST + SLACK:
            self._forget()

    def _forget(self) -> None:
        first = next(n for n, start in enumerate(self._starts) if len(self._words) - start <= MOST + 1)
        cut = self._starts[first]
        self._words = self._words[cut:]
        self._starts = [start - cut for start in self._starts[first:]]
        self._sources = self._sources[first:]
        self._places, self._next, self._tight, self._tightened = {}, 0, "", 0

    def found_in(self, args: Json, *, egress: bool = False) -> tuple[Copied, ...]:
        """The copies in the arguments of a call: recipients first, then the longest.

        `egress`: it can carry data out, so that an argument which is no more than a host is a recipient too.
        """
        if not self._words:
            return ()
        self._index()
        found: dict[str, Copied] = {}
        for leaf in leaves(args):
            for text in (leaf, *hidden(leaf)):
                words = normalised(text if len(text) <= MOST_ARGUMENT else _ends(text))
                runs = tuple(islice(self._runs(words), MOST_RUNS))
                for each in (*self._recipients(words, egress=egress), *runs, *self._numbers(words, runs)):
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

    def _recipients(self, words: str, *, egress: bool) -> Iterator[Copied]:
        for name in recipients(words, bare_hosts=egress):
            ways = [rf"(?<![\w-]){re.escape(form)}(?![\w-])" for form in forms(name)]
            found = next((at for way in ways if (at := re.search(way, self._words))), None)
            if found and not any(re.search(rf"(?<![.@]){way}(?!\.\w)", self._own) for way in ways):
                yield Copied(name[:LONGEST], self._source(found.start()), recipient=True)

    def _numbers(self, words: str, runs: Sequence[Copied]) -> Iterator[Copied]:
        """Where they stand grouped another way: one that stands there as it is was found as a run."""
        told = BETWEEN.join(tight(run.text) for run in runs)
        for number in numbers(words):
            place = -1 if number in told else self._tightly(number)
            if place >= 0 and number not in tight(self._own):
                yield Copied(number, self._sources[place])

    def _tightly(self, number: str) -> int:
        """Of which text this is a part, once nothing stands between letters and digits; below 0: of none."""
        texts = self._words[self._tightened :].split(BETWEEN)
        self._tight += "".join(tight(text) + BETWEEN for text in texts[:-1])
        self._tightened = len(self._words)
        place = self._tight.find(number)
        return self._tight.count(BETWEEN, 0, place) if place >= 0 else -1

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


def leaves(value: Json, *, names: bool = True) -> Iterator[str]:
    """Every text of a value; numbers are written out, for an account is copied as well as a name.

    `names`: those of its fields too.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif is_object(value):
        for name, each in value.items():
            if names:
                yield name
            yield from leaves(each, names=names)
    elif is_list(value):
        for each in value:
            yield from leaves(each, names=names)


def _ends(text: str) -> str:
    return f"{text[: MOST_ARGUMENT // 2]}\n{text[-MOST_ARGUMENT // 2 :]}"


def _words(sent: str) -> str:
    """What a result says: the texts of its envelope. One that was cut is no JSON any more."""
    try:
        said = json.loads(sent)
    except (ValueError, RecursionError):
        return sent
    # The keys of the envelope are ours, whatever else it holds.
    return "\n".join(leaves(list(said.values()) if is_object(said) and "error_type" in said else said))
