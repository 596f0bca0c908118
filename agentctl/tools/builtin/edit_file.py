"""`edit_file`: one exact piece of a text file replaced by another, in one moment."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, ClassVar

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.records import dataclass
from agentctl.tools.builtin.writing import MOST, StillWanted, in_time, irreplaceable, unwritten
from agentctl.tools.confine import Roots, not_ordinary, shown
from agentctl.tools.placing import Place, put
from agentctl.tools.plain import clean
from agentctl.tools.protected import Protected

if TYPE_CHECKING:
    from agentctl.tools.base import Invocation

COUNTED = 1_000
"""Matches after which nobody cares how many there are."""


@dataclass(frozen=True, slots=True)
class EditFile:
    """Edits a file whose folder was reached beneath its roots."""

    DESCRIPTION: ClassVar[str] = (
        "Replace one piece of a text file. `old` must stand in the file exactly once, to the letter, "
        "white space included: take enough lines around the change."
    )
    PARAMETERS: ClassVar[JsonObject] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "path of the file"},
            "old": {"type": "string", "minLength": 1, "description": "the text to replace, exactly as it stands"},
            "new": {"type": "string", "description": "the text to put there"},
        },
        "required": ["path", "old", "new"],
        "additionalProperties": False,
    }

    contract: Contract
    roots: Roots
    protected: Protected = Protected()

    async def run(self, call: Invocation) -> Envelope:
        """Edit it once."""
        path, old, new = (call.args.get(key) for key in ("path", "old", "new"))
        if not (isinstance(path, str) and isinstance(old, str) and isinstance(new, str)):
            return envelope.bad_arguments("'path', 'old' and 'new' must be string", "Expected string for each.")
        if not old:
            return envelope.bad_arguments("'old' must not be empty", "Expected the text to replace for 'old'.")
        if old == new:
            return envelope.permanent("`old` and `new` are the same: nothing would change.")
        return await in_time(lambda wanted: self._edit(path, old, new, wanted), call.timeout_s)

    def _edit(self, path: str, old: str, new: str, wanted: StillWanted) -> Envelope:
        place = self.roots.place(path)
        if isinstance(place, Envelope):
            return place
        try:
            before = place.found()
            if before is None:
                return envelope.not_found(shown(path))
            # Before a word is said of what is in it.
            refusal = irreplaceable(path, place, before) or self.protected.refusal(place, "")
            return refusal or self._replaced(path, place, old, new, wanted)
        except OSError as error:
            return unwritten(path, error)
        finally:
            os.close(place.folder)

    def _replaced(self, path: str, place: Place, old: str, new: str, wanted: StillWanted) -> Envelope:
        read = _read(path, place)
        if isinstance(read, Envelope):
            return read
        text, before = read
        old, new = in_style(text, old, new)
        if problem := _not_once(path, text, old):
            return problem
        at = text.index(old)
        made = text[:at] + new + text[at + len(old) :]
        if refusal := self.protected.refusal(place, made):
            return refusal
        try:
            data = made.encode()
        except UnicodeEncodeError:
            return envelope.bad_arguments("'new' holds half of a surrogate pair", "Expected Unicode for 'new'.")
        if len(data) > MOST:
            return envelope.permanent(f"'{shown(path)}' would become larger than {MOST} bytes.")
        changed = envelope.transient(f"'{shown(path)}' was changed by someone else meanwhile. Read it again.")
        if not put(place, data, before, lambda: wanted() and _same(place.found(), before)):
            return changed
        return envelope.success({"path": clean(path), "line": text.count("\n", 0, at) + 1, "bytes": len(data)})


def _read(path: str, place: Place) -> tuple[str, os.stat_result] | Envelope:
    with os.fdopen(place.opened(), "rb") as file:
        info = os.fstat(file.fileno())
        if problem := not_ordinary(path, info):
            return problem
        data = file.read(MOST + 1)
    if len(data) > MOST:
        return envelope.permanent(f"'{shown(path)}' is larger than {MOST} bytes and is not edited.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return envelope.permanent(f"'{shown(path)}' is not UTF-8 (byte {error.start}) and is not edited.")
    if "\0" in text:
        return envelope.permanent(f"'{shown(path)}' is a binary file and is not edited.")
    return text, info


def in_style(text: str, old: str, new: str) -> tuple[str, str]:
    """Both with the file's own line ends, where it has one kind only."""
    windows = text.count("\r\n")
    if windows and windows == text.count("\n"):
        return _with_ends(old, "\r\n"), _with_ends(new, "\r\n")
    if not windows and "\n" in text:
        return _with_ends(old, "\n"), _with_ends(new, "\n")
    return old, new


def _with_ends(text: str, end: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", end)


def _not_once(path: str, text: str, old: str) -> Envelope | None:
    lines: list[int] = []
    at = text.find(old)
    for _ in itertools.repeat(None, COUNTED):  # overlapping ones too: they are just as ambiguous
        if at < 0:
            break
        lines.append(text.count("\n", 0, at) + 1 if len(lines) < 5 else 0)
        at = text.find(old, at + 1)
    if len(lines) == 1:
        return None
    if not lines:
        hint = "Read the file again: `old` must be the same to the letter, indentation and line ends included."
        return envelope.permanent(f"`old` is not in '{shown(path)}'.", hint=hint)
    many = f"at least {COUNTED}" if len(lines) == COUNTED else str(len(lines))
    where = ", ".join(str(line) for line in lines[:5])
    hint = f"Add the lines around it until it is unique. It is found at line {where}{', …' if len(lines) > 5 else ''}."
    return envelope.permanent(f"`old` is in '{shown(path)}' {many} times; it must be there once.", hint=hint)


def _same(now: os.stat_result | None, before: os.stat_result) -> bool:
    return now is not None and all(
        getattr(now, each) == getattr(before, each) for each in ("st_dev", "st_ino", "st_size", "st_mtime_ns")
    )
