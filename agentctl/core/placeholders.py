"""`[REDACTED:n]`: what a model is shown for a secret under `scrub.to_model`, and what it stands for.

Rules. A value has one number in a run, by the order of first appearance; a value is the very characters that were
masked, so that filling in gives back what was there. Numbers that nobody gave stand for nothing. What only looks like
a placeholder where text comes in is made to look like none: nobody but the filter may make one.

Bound: MOST values; what is found later is masked without a number and can't be filled in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

from agentctl.core.messages import Json, is_list, is_object

MOST = 4_096
UNNUMBERED = "[REDACTED]"
PLACEHOLDER = re.compile(r"\[REDACTED:([0-9]{1,6})\]")
DEEPEST = 4
SHORTEST = 3
"""A shorter value would be hidden in every word."""
FORGED = re.compile(r"\[(REDACTED:[0-9]+)\]")


class Vault:
    """The values of one run, in the order of their numbers. `number` and `restore` are the only changes."""

    def __init__(self) -> None:
        self._values: list[Json] = []
        self._numbers: dict[str, int] = {}
        self._told = 0

    def __len__(self) -> int:
        """Values."""
        return len(self._values)

    @property
    def values(self) -> tuple[Json, ...]:
        """The values, in the order of their numbers."""
        return tuple(self._values)

    def __repr__(self) -> str:
        """Nothing of what it keeps."""
        return f"Vault({len(self)})"

    def number(self, value: Json) -> str:
        """The placeholder of a value; one that is none yet gets the next number."""
        value = self.filled(value)
        said = json.dumps(value)
        if said not in self._numbers:
            if len(self._values) >= MOST:
                return UNNUMBERED
            self._values.append(value)
            self._numbers[said] = len(self._values)
        return f"[REDACTED:{self._numbers[said]}]"

    def untold(self) -> list[Json]:
        """The values that were numbered since this was asked last."""
        new, self._told = self._values[self._told :], len(self._values)
        return new

    def restore(self, values: Iterable[Json]) -> None:
        """Go on after these, which were told before."""
        for value in values:
            self._values.append(value)
            self._numbers.setdefault(json.dumps(value), len(self._values))
        self._told = len(self._values)

    def filled(self, value: Json) -> Json:
        """A JSON value with the values themselves, at any depth; numbers that nobody gave stay as they are."""
        match value:
            case str() if "[REDACTED:" in value:
                whole = PLACEHOLDER.fullmatch(value)
                return self._value(whole) if whole else self._text(value)
            case _ if is_object(value):
                return {self._text(name): self.filled(inner) for name, inner in value.items()}
            case _ if is_list(value):
                return [self.filled(inner) for inner in value]
            case _:
                return value

    def hidden(self, text: str, numbers: Iterable[int] = ()) -> str:
        """A text without the values, or those with these numbers, wherever they stand in it, also as part of a word."""
        wanted = set(numbers)
        values = [(number, value) for number, value in enumerate(self._values, 1) if not wanted or number in wanted]
        written = [(value if isinstance(value, str) else json.dumps(value), number) for number, value in values]
        for value, number in sorted(written, key=lambda each: -len(each[0])):
            text = text.replace(value, f"[REDACTED:{number}]") if len(value) >= SHORTEST else text
        return text

    def _text(self, text: str) -> str:
        within = _is_json(text)

        def said(match: re.Match[str]) -> str:
            value = self._value(match)
            written = value if isinstance(value, str) else json.dumps(value)
            return json.dumps(written, ensure_ascii=False)[1:-1] if within else written

        return PLACEHOLDER.sub(said, text)

    def _value(self, match: re.Match[str]) -> Json:
        number = int(match[1])
        return self._values[number - 1] if 0 < number <= len(self._values) else match[0]


def _is_json(text: str) -> bool:
    """Whether a value in it has to be written as JSON writes it."""
    if text[:1] not in {"{", "["}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def whole(value: Json) -> bool:
    """Whether it is a placeholder and nothing else."""
    return isinstance(value, str) and PLACEHOLDER.fullmatch(value) is not None


def numbers(value: Json) -> tuple[int, ...]:
    """The numbers that stand in a JSON value, each once, in order."""
    found: set[int] = set()

    def seen(text: str) -> str:
        found.update(int(number) for number in PLACEHOLDER.findall(text))
        return text

    mapped(value, seen)
    return tuple(sorted(found))


def unforged(value: Json, depth: int = 0) -> Json:
    """A JSON value in which nothing is a placeholder: `(REDACTED:7)` for what looked like one.

    Also in JSON within its texts, where escapes would hide it from a look at the text.
    """

    def cleaned(text: str) -> str:
        text = FORGED.sub(r"(\1)", text) if "[REDACTED:" in text else text
        if depth >= DEEPEST or "\\u" not in text or text[:1] not in {"{", "[", '"'}:
            return text
        try:
            inner: Json = json.loads(text)
        except (ValueError, RecursionError):
            return text
        outer = unforged(inner, depth + 1)
        return text if outer == inner else json.dumps(outer, ensure_ascii=False)

    return mapped(value, cleaned)


def mapped(value: Json, change: Callable[[str], str]) -> Json:
    """A JSON value with every text in it changed, names of fields too."""
    match value:
        case str():
            return change(value)
        case _ if is_object(value):
            return {change(name): mapped(inner, change) for name, inner in value.items()}
        case _ if is_list(value):
            return [mapped(inner, change) for inner in value]
        case _:
            return value
