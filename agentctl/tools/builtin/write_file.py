"""`write_file`: a file made or replaced beneath the roots, in one moment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.records import dataclass
from agentctl.tools.builtin.writing import MOST, StillWanted, in_time, irreplaceable, unwritten
from agentctl.tools.confine import Roots, shown
from agentctl.tools.placing import Place, put, with_folders
from agentctl.tools.plain import clean
from agentctl.tools.protected import Protected

if TYPE_CHECKING:
    from agentctl.tools.base import Invocation


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Writes a file whose folder was reached beneath its roots."""

    DESCRIPTION: ClassVar[str] = "Create a text file, or replace all of its content. To change a part, edit it instead."
    PARAMETERS: ClassVar[JsonObject] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "path of the file"},
            "text": {"type": "string", "description": "the whole new content"},
            "parents": {"type": "boolean", "default": False, "description": "make missing folders; default false"},
        },
        "required": ["path", "text"],
        "additionalProperties": False,
    }
    contract: Contract
    roots: Roots
    protected: Protected = Protected()

    async def run(self, call: Invocation) -> Envelope:
        """Write it once."""
        path, text = call.args.get("path"), call.args.get("text")
        if not isinstance(path, str):
            return envelope.bad_arguments("'path' must be string", "Expected string for 'path'.")
        if not isinstance(text, str):
            return envelope.bad_arguments("'text' must be string", "Expected string for 'text'.")
        try:
            data = text.encode()
        except UnicodeEncodeError:
            return envelope.bad_arguments("'text' holds half of a surrogate pair", "Expected Unicode for 'text'.")
        if len(data) > MOST:
            return envelope.bad_arguments(f"'text' has more than {MOST} bytes", "Write a smaller file.")
        parents = call.args.get("parents") is True
        return await in_time(lambda wanted: self._write(path, data, wanted, parents=parents), call.timeout_s)

    def _write(self, path: str, data: bytes, wanted: StillWanted, *, parents: bool) -> Envelope:
        place = self.roots.place(path)
        if isinstance(place, Envelope):
            return place
        try:
            if refusal := self.protected.refusal(place, data.decode()):
                return refusal
            if not place.missing:
                return _put(path, place, data, wanted)
            if not parents:
                hint = "Pass `parents` as true to make its folder, or look for the right one."
                return envelope.permanent(f"The folder of '{shown(path)}' is not there.", hint=hint)
            return irreplaceable(path, place, None) or _put_in_new_folders(path, place, data, wanted)
        except OSError as error:
            return unwritten(path, error)
        finally:
            os.close(place.folder)


def _put_in_new_folders(path: str, place: Place, data: bytes, wanted: StillWanted) -> Envelope:
    made = with_folders(place)
    try:
        return _put(path, made, data, wanted)
    finally:
        os.close(made.folder)


def _put(path: str, place: Place, data: bytes, wanted: StillWanted) -> Envelope:
    before = place.found()
    if problem := irreplaceable(path, place, before):
        return problem
    if not put(place, data, before, wanted):
        return envelope.transient(f"'{shown(path)}' was not written in time.")
    return envelope.success({"path": clean(path), "bytes": len(data), "created": before is None})
