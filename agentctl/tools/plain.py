"""JSON in and out: strict where a program wrote it, forgiving where Python did.

What comes out of either function can be written as JSON by anybody: no NaN, no lone surrogate, no
circle, nothing nested more than 100 deep.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import cast

from agentctl.core.messages import Json, JsonObject
from agentctl.foreign import Raised, outcome

DEEPEST = 100
MOST_BITS = 13_000
"""Of a whole number. Python refuses to print a decimal number of more than 4,300 digits."""

address = re.compile(r" at 0x[0-9a-fA-F]+(?=>)")
"""Of an object, in its words: it would differ from run to run."""
_escape = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
"""Of JSON; group 1: half of a pair."""
_REPLACEMENT = b"\\ufffd"
_surrogate_escape = re.compile(r"\\u[dD][89a-fA-F]")


# --- What a program wrote ------------------------------------------------------------------------


def parse(text: str) -> Json:
    """The value of a JSON text; ValueError says in a few words why it has none."""
    try:
        value: Json = json.loads(
            text,
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_distinct,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg}, at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    # As many brackets as that are needed to be so deep, so that most texts need no second look.
    if text.count("[") + text.count("{") > DEEPEST and _deeper(value, DEEPEST):
        raise ValueError("it is nested too deeply")
    if _surrogate_escape.search(text):
        _encodable(value)
    return value


def _no_constant(word: str) -> Json:
    raise ValueError(f"{word} is not a number in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _distinct(pairs: list[tuple[str, Json]]) -> JsonObject:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {clean(twice)[:100]!r} stands twice in one object")
    return made


def _deeper(value: Json, limit: int) -> bool:
    level: list[Json] = [value]
    for _ in range(limit + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Json) -> Iterable[Json]:
    if isinstance(node, dict):
        return cast("JsonObject", node).values()
    return cast("list[Json]", node) if isinstance(node, list) else ()


def _encodable(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a surrogate pair") from None


def mended(raw: bytes) -> bytes:
    """JSON text in which no escape stands for half of a surrogate pair: U+FFFD stands there instead."""
    return _escape.sub(lambda found: _REPLACEMENT if found[1] else found[0], raw)


# --- What Python code returned -------------------------------------------------------------------


def clean(text: str) -> str:
    """The text with whatever is no Unicode (lone surrogates) written out as an escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def json_safe(value: object) -> Json:
    """Any Python object as JSON can say it: the same value where it can, words where it can't."""
    return _safe(value, ())


def _safe(value: object, above: tuple[int, ...]) -> Json:  # one line per kind
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return _safe(value.value, above)
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, int):
        return int(value) if value.bit_length() <= MOST_BITS else f"{int(value):#x}"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    return _safe_container(value, above)


def _safe_container(value: object, above: tuple[int, ...]) -> Json:
    if id(value) in above:
        return "<circular>"
    if len(above) >= DEEPEST:
        return "<nested too deeply>"
    path = (*above, id(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return _safe_object(cast("Mapping[object, object]", value), path)
    if isinstance(value, AbstractSet):
        # Sets have no order of their own; the same set must give the same text in every process.
        members = [_safe(each, path) for each in cast("AbstractSet[object]", value)]
        return sorted(members, key=json.dumps)
    if isinstance(value, list | tuple):
        return [_safe(each, path) for each in cast("Sequence[object]", value)]
    return _words(value)


def _safe_object(value: Mapping[object, object], path: tuple[int, ...]) -> JsonObject:
    made: JsonObject = {}
    for key, each in value.items():
        name = clean(key) if isinstance(key, str) else _words(key)
        while name in made:  # 1 and "1" are two keys in Python
            name += "_"
        made[name] = _safe(each, path)
    return made


def _words(value: object) -> str:
    kind = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return f"<{kind.__name__}>"  # an address would differ from run to run
    said = outcome(lambda: str(value))
    return f"<{kind.__name__}>" if isinstance(said, Raised) else address.sub("", clean(said))
