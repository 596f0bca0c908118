"""What is shown of a reply while it streams in: scrubbed, so held back until a secret in it would be whole.

Text is let go up to its last line end; a long line without one is let go but for its last `HELD` characters, at a
space; never within a secret that is found already, nor before a line that may belong to one. What could still become
a copy of the system prompt is held back too, and a copy is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agentctl.core.echo import Echo
from agentctl.core.guards.scrub import Filter
from agentctl.core.messages import Delta

HELD = 256
OPEN = re.compile(r"(?:[:|>=,\\][+\-0-9]{0,2}|[A-Za-z0-9+/]{16,100})[ \t]*\n\Z")
"""A line that the next one goes on with."""


class Stream:
    """One reply on its way to the eyes."""

    def __init__(self, scrub: Filter, show: Callable[[Delta], None], echo: Echo, before: str = "") -> None:
        """`before` is what the answer said already that this reply goes on with."""
        self._scrub = scrub
        self._show = show
        self._echo = echo
        self._before = before[echo.safe(before) :]
        self._kind: str = ""
        self._held = ""
        self._withheld = False
        """The rest of this kind is not shown."""

    def take(self, delta: Delta) -> None:
        """A piece of the reply."""
        if delta.kind == "tool":
            self.end()
            self._show(Delta("tool", self._scrub.text(delta.text)))
            return
        if delta.kind != self._kind:
            self.end()
            # A thought that repeats the prompt is not shown and does no more; in an answer nothing else is shown.
            self._withheld = self._withheld and self._kind == "text"
            self._kind = delta.kind
        self._held += delta.text
        self._let_go(self._edge())

    def end(self) -> None:
        """Nothing more comes."""
        self._let_go(len(self._held), final=True)

    def _edge(self) -> int:
        safe = self._echo.safe(self._held) if self._echo else len(self._held)
        line = self._held.rfind("\n", 0, safe) + 1
        if line or len(self._held) <= 2 * HELD:
            return line
        return self._held.rfind(" ", 0, min(safe, len(self._held) - HELD)) + 1

    def _whole(self, edge: int) -> int:
        """Back to before a secret that goes on, or may: a private key, a block of YAML, a name whose value follows."""
        while edge > 0:
            line = self._held.rfind("\n", 0, edge - 1) + 1
            cut = [start for start, end, _ in self._scrub.spans(self._held) if start < edge <= end + 1]
            if cut:
                # With the name before it: to the start of its line, or well before it where that line is long.
                edge = self._held.rfind("\n", 0, min(cut)) + 1 or self._held.rfind(" ", 0, max(0, min(cut) - HELD)) + 1
            elif OPEN.search(self._held, line, edge):
                edge = line
            else:
                break
        return edge

    def _let_go(self, edge: int, *, final: bool = False) -> None:
        before = self._before if self._kind == "text" else ""
        if self._withheld or (self._echo and self._echo.heard(before + self._held)):
            self._withheld, self._held = True, ""
        edge = self._whole(edge) if edge < len(self._held) or not final else edge
        if edge <= 0 or not self._held:
            return
        text, self._held = self._held[:edge], self._held[edge:]
        if self._kind == "text":
            self._before = ""
        self._show(Delta("thinking" if self._kind == "thinking" else "text", self._scrub.text(text)))
