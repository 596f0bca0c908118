"""`list_files`: what is in a folder beneath the roots."""

from __future__ import annotations

import heapq
import os
import stat
from typing import TYPE_CHECKING, ClassVar

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import Json, JsonObject
from agentctl.records import dataclass
from agentctl.tools.confine import Roots, shown
from agentctl.tools.plain import clean, json_safe

if TYPE_CHECKING:
    from agentctl.tools.base import Invocation

MOST = 1_000


@dataclass(frozen=True, slots=True)
class ListFiles:
    """Lists a folder that was opened beneath its roots."""

    DESCRIPTION: ClassVar[str] = "List a folder: names, kinds and sizes in bytes, sorted by name."
    PARAMETERS: ClassVar[JsonObject] = {
        "type": "object",
        "properties": {
            "path": {
                "type": "string",
                "minLength": 1,
                "default": ".",
                "description": "path of the folder; default '.'",
            },
        },
        "additionalProperties": False,
    }

    contract: Contract
    roots: Roots

    async def run(self, call: Invocation) -> Envelope:
        """List it once."""
        path = call.args.get("path", ".")
        if not isinstance(path, str):
            return envelope.bad_arguments("'path' must be string", "Expected string for 'path'.")
        opened = self.roots.open_dir(path)
        if isinstance(opened, Envelope):
            return opened
        try:
            return _listed(opened, path)
        except OSError as error:
            return envelope.permanent(f"'{shown(path)}' could not be listed: {error.strerror}")
        finally:
            os.close(opened)


def _listed(folder: int, path: str) -> Envelope:
    with os.scandir(folder) as found:
        # The first ones by name, however many there are: the same folder gives the same list.
        names = heapq.nsmallest(MOST + 1, (each.name for each in found))
    entries: list[Json] = [entry for name in names[:MOST] if (entry := _entry(folder, name))]
    truncated = len(names) > MOST
    return envelope.success({"path": clean(path), "entries": entries, "truncated": truncated})


def _entry(folder: int, name: str) -> JsonObject | None:
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:  # gone since it was listed
        return None
    if stat.S_ISREG(info.st_mode):
        return {"name": json_safe(name), "kind": "file", "size": info.st_size}
    if stat.S_ISDIR(info.st_mode):
        return {"name": json_safe(name), "kind": "folder"}
    return {"name": json_safe(name), "kind": "link" if stat.S_ISLNK(info.st_mode) else "other"}
