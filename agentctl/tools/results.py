"""Lists of objects in the order of a key, so that the same finds are the same text whatever order they came in."""

from __future__ import annotations

import json
import math
from typing import cast

from agentctl.core.messages import Json, JsonObject


def ordered(data: Json, key: str) -> Json:
    """The data with its lists of objects in order: the data itself, or the lists one level below. D50, D116, D117

    Numbers come before words, words before the rest, and who has no such key comes last. Objects with the same value
    are put in the order of their whole text, so that nothing depends on how they arrived.
    """
    if isinstance(data, dict):
        return {name: _in_order(each, key) for name, each in cast("JsonObject", data).items()}
    return _in_order(data, key)


def _in_order(value: Json, key: str) -> Json:
    if not isinstance(value, list):
        return value
    members = cast("list[Json]", value)
    objects = [cast("JsonObject", each) for each in members if isinstance(each, dict)]
    # A list that knows nothing of the key has an order of its own, which may mean something.
    if len(objects) < len(members) or not any(key in each for each in objects):
        return members
    return cast("Json", sorted(objects, key=lambda each: (_place(each.get(key)), _text(each))))


def _place(value: Json) -> tuple[int, float, str]:
    if value is None:
        return (3, 0, "")
    if isinstance(value, str):
        return (1, 0, value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return (0, value, "")
    return (2, 0, _text(value))


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
