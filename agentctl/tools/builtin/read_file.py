"""`read_file`: the text of a file beneath the roots, by lines."""

from __future__ import annotations

import asyncio
import codecs
import os
from io import BufferedReader
from typing import TYPE_CHECKING, ClassVar

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.records import dataclass
from agentctl.tools.confine import Roots, shown
from agentctl.tools.plain import clean

if TYPE_CHECKING:
    from agentctl.tools.base import Invocation

INLINE = 65_536
"""Bytes of a file that is read at once; a larger one is read beside the loop."""
READ_LIMIT = 1_000_000
"""Bytes of text that one call answers."""
SKIP_LIMIT = 64_000_000
"""Bytes that are passed over to reach `offset`."""
REPLACED = "Bytes that are not UTF-8 were replaced."


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Reads a file that was opened beneath its roots."""

    DESCRIPTION: ClassVar[str] = (
        "Read a text file. Long files come in pieces: where `truncated` is true, "
        "call again with `offset` + `lines` as the new `offset`."
    )
    PARAMETERS: ClassVar[JsonObject] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "path of the file"},
            "offset": {
                "type": "integer",
                "minimum": 0,
                "description": "lines to pass over; default 0",
            },
            "limit": {"type": "integer", "minimum": 1, "description": "most lines to return"},
        },
        "required": ["path"],
        "additionalProperties": False,
    }

    contract: Contract
    roots: Roots

    async def run(self, call: Invocation) -> Envelope:
        """Read it once."""
        path, offset, limit = (call.args.get(key) for key in ("path", "offset", "limit"))
        if not isinstance(path, str):
            return envelope.bad_arguments("'path' must be string", "Expected string for 'path'.")
        opened = self.roots.open_file(path)
        if isinstance(opened, Envelope):
            return opened
        first = offset if isinstance(offset, int) else 0
        most = limit if isinstance(limit, int) else READ_LIMIT
        if os.fstat(opened).st_size <= INLINE:
            return _read(opened, path, first, most)
        reading = asyncio.to_thread(_read, opened, path, first, most)
        try:
            return await asyncio.wait_for(reading, call.timeout_s)
        except TimeoutError:
            return envelope.timed_out(call.timeout_s)


def _read(descriptor: int, path: str, offset: int, limit: int) -> Envelope:
    """Read lines and close the descriptor, whatever happens."""
    try:
        with os.fdopen(descriptor, "rb") as file:
            _skip(file, offset)
            data, lines, more = _take(file, limit)
    except OSError as error:
        return envelope.permanent(f"'{shown(path)}' could not be read: {error.strerror}")
    if b"\0" in data:
        return envelope.permanent(f"'{shown(path)}' is a binary file; only text can be read.")
    # A cut within a character is no fault of the file: without `final` its rest is left out.
    text, _ = codecs.utf_8_decode(data, "replace", not more)
    found: JsonObject = {"path": clean(path), "text": text, "lines": lines, "truncated": more}
    if "\ufffd" in text and "\ufffd".encode() not in data:
        found["note"] = REPLACED
    return envelope.success(found)


def _skip(file: BufferedReader, offset: int) -> None:
    passed = 0
    while offset > 0 and passed < SKIP_LIMIT and (piece := file.readline(READ_LIMIT)):
        passed += len(piece)
        offset -= piece.endswith(b"\n")


def _take(file: BufferedReader, limit: int) -> tuple[bytes, int, bool]:
    """Whole lines as far as they fit; of one that is too long for itself, the beginning."""
    data = file.read(READ_LIMIT)
    cut = len(data) == READ_LIMIT and bool(file.peek(1))
    if cut and (end := data.rfind(b"\n")) >= 0:
        data = data[: end + 1]
    whole = data.count(b"\n")
    lines = whole + bool(data and not data.endswith(b"\n"))
    if lines <= limit:
        return data, lines, cut
    # splitlines() would also break at a lone CR, which `lines` does not count.
    return b"\n".join(data.split(b"\n", limit)[:limit]) + b"\n", limit, True
