"""Arguments that a person edits are shown without their secrets: what was masked and left alone is put back."""

from __future__ import annotations

import json
from typing import cast

from agentctl.core.messages import Json, JsonObject, is_list, is_object

NOTHING: JsonObject = {}


class Moved(ValueError):
    """A mask stands where none was: nobody knows what it stands for."""


def restored(edited: JsonObject, shown: Json, original: Json, mask: str) -> JsonObject:
    """The edited arguments with the original values behind the masks that were left where they were.

    `shown` is `original` without secrets, and of its shape; `mask` is what stands for a secret.

    Raises:
        Moved: a mask was moved, or changed in part.
    """
    return cast("JsonObject", _restored(edited, shown, original, mask, "arguments"))


def same(value: Json, other: Json) -> bool:
    """Whether both are written alike: 1, 1.0 and true are not, nor is another order."""
    return value == other and json.dumps(value) == json.dumps(other)


def _restored(value: Json, shown: Json, original: Json, mask: str, where: str) -> Json:
    if same(value, shown):
        return original
    if is_object(value):
        before, real = (shown, original) if is_object(shown) and is_object(original) else (NOTHING, NOTHING)
        names = dict(zip(before, real, strict=False))
        return {
            names.get(name) or _bare(name, mask, where): _restored(
                each, before.get(name), real.get(names.get(name, name)), mask, f"{where}.{name}"
            )
            for name, each in value.items()
        }
    if is_list(value):
        known: list[tuple[Json, Json]] = [(None, None)] * len(value)
        if is_list(shown) and is_list(original):
            known = [*zip(shown, original, strict=False), *known]
        return [
            _restored(each, *pair, mask, f"{where}[{at}]")
            for at, (each, pair) in enumerate(zip(value, known, strict=False))
        ]
    return _bare(value, mask, where) if isinstance(value, str) else value


def _bare(text: str, mask: str, where: str) -> str:
    if mask in text:
        raise Moved(f"{where}: a masked value can be left as it is or replaced, not moved or changed in part")
    return text
