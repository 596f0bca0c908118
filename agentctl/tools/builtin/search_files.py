"""`search_files`: lines of the text files beneath a folder that a pattern is found in, always in the same order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import field
from typing import TYPE_CHECKING, ClassVar

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import Json, JsonObject
from agentctl.records import dataclass
from agentctl.tools.confine import Roots
from agentctl.tools.linear import Search, searcher
from agentctl.tools.plain import clean
from agentctl.tools.walking import Found, Names, fits, text_files, text_of

if TYPE_CHECKING:
    from agentctl.tools.base import Invocation

MATCHES = 100
MOST_MATCHES = 1_000
MOST_FILES = 20_000
MOST_BYTES = 64_000_000
SHOWN = 300
"""Characters of a line."""
LEAD = 80
"""Characters before the match, where the line is longer."""
SHARE_OF_TIME = 0.8
"""What was found by then is answered rather than lost."""


@dataclass(frozen=True, slots=True)
class SearchFiles:
    """Searches files that were opened beneath its roots."""

    DESCRIPTION: ClassVar[str] = (
        "Search text files for a pattern, line by line. Binary and very large files, links and what is in `.git` "
        "are passed over. Where `truncated` is true there may be more: narrow `path`, `glob` or `pattern`."
    )
    PARAMETERS: ClassVar[JsonObject] = {
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "regular expression (RE2)"},
            "path": {"type": "string", "minLength": 1, "default": ".", "description": "folder or file; default '.'"},
            "glob": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "description": "only these files: '*.py' by name, 'src/**/*.py' by path",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_MATCHES,
                "default": MATCHES,
                "description": f"most matches; default {MATCHES}",
            },
        },
        "required": ["pattern"],
        "additionalProperties": False,
    }

    contract: Contract
    roots: Roots

    async def run(self, call: Invocation) -> Envelope:
        """Search once."""
        pattern, path = call.args.get("pattern"), call.args.get("path", ".")
        if not isinstance(pattern, str) or not isinstance(path, str):
            return envelope.bad_arguments("'pattern' and 'path' must be string", "Expected string for both.")
        try:
            search = searcher(pattern)
        except ValueError as error:
            hint = "Expected RE2 for 'pattern': no look-around, no back-references; escape ( [ { . * + ? | ^ $ with \\."
            return envelope.bad_arguments(f"'pattern' is no regular expression: {clean(str(error))[:200]}", hint)
        glob, limit = call.args.get("glob"), call.args.get("limit")
        hunt = Hunt(
            search,
            glob if isinstance(glob, str) else "",
            min(limit, MOST_MATCHES) if isinstance(limit, int) else MATCHES,
            time.monotonic() + SHARE_OF_TIME * call.timeout_s,
        )
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._search, hunt, path), call.timeout_s)
        except TimeoutError:
            return envelope.timed_out(call.timeout_s)
        finally:
            hunt.until = 0.0  # a thread that is still at it stops

    def _search(self, hunt: Hunt, path: str) -> Envelope:
        folder = self.roots.open_dir(path)
        if isinstance(folder, int):
            try:
                with closing(text_files(folder, "" if path == "." else path, hunt.wants, lambda: hunt.over)) as found:
                    hunt.through(found)
            finally:
                os.close(folder)
            return hunt.answer(path)
        file = self.roots.open_file(path)
        if isinstance(file, Envelope):
            return folder  # says why it is no folder either
        hunt.through(iter([Found(path, text_of(file))]))
        return hunt.answer(path)


@dataclass(slots=True)
class Hunt:
    """One search: what it is for, what was found, and what it has left."""

    search: Search
    glob: str
    limit: int
    until: float
    matches: list[Json] = field(default_factory=list[Json])
    files: int = 0
    bytes: int = 0
    skipped: int = 0
    truncated: bool = False

    @property
    def over(self) -> bool:
        """Whether one of the limits is reached."""
        spent = self.files >= MOST_FILES or self.bytes >= MOST_BYTES or time.monotonic() > self.until
        self.truncated = self.truncated or spent
        return self.truncated

    def wants(self, names: Names) -> bool:
        """Whether the glob means this file."""
        return not self.glob or fits(names, self.glob)

    def through(self, found: Iterator[Found]) -> None:
        """Look at one file after the other."""
        for each in found:
            if each.text is None:
                self.skipped += 1
                continue
            self.files += 1
            self.bytes += len(each.text)
            self._look(each.path, each.text)

    def _look(self, path: str, text: str) -> None:
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            start = self.search(line := line.removesuffix("\r"))
            if start is not None and len(self.matches) < self.limit:
                self.matches.append({"file": clean(path), "line": number, "text": _cut(line, start)})
            elif start is not None or time.monotonic() > self.until:
                self.truncated = True
                return

    def answer(self, path: str) -> Envelope:
        """The result."""
        found: JsonObject = {
            "path": clean(path),
            "matches": self.matches,
            "files_searched": self.files,
            "files_skipped": self.skipped,
            "truncated": self.truncated,
        }
        return envelope.success(found)


def _cut(line: str, start: int) -> str:
    if len(line) <= SHOWN:
        return line
    first = max(0, min(start - LEAD, len(line) - SHOWN))
    shown = line[first : first + SHOWN]
    return f"{'…' if first else ''}{shown}{'…' if first + SHOWN < len(line) else ''}"
