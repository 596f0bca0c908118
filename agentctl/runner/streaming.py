"""What is shown of a reply while it streams in: scrubbed, so held back until a secret in it would be whole.

Text is let go up to its last line end; a long line without one is let go but for its last `HELD` characters, at a
space.
"""

from __future__ import annotations

from collections.abc import Callable

from agentctl.core.guards.scrub import Filter
from agentctl.core.messages import Delta

HELD = 256


class Stream:
    """One reply on its way to the eyes."""

    def __init__(self, scrub: Filter, show: Callable[[Delta], None]) -> None:
        self._scrub = scrub
        self._show = show
        self._kind: str = ""
        self._held = ""

    def take(self, delta: Delta) -> None:
        """A piece of the reply."""
        if delta.kind == "tool":
            self.end()
            self._show(Delta("tool", self._scrub.text(delta.text)))
            return
        if delta.kind != self._kind:
            self.end()
            self._kind = delta.kind
        self._held += delta.text
        self._let_go(self._edge())

    def end(self) -> None:
        """Nothing more comes."""
        self._let_go(len(self._held))

    def _edge(self) -> int:
        line = self._held.rfind("\n") + 1
        if line or len(self._held) <= 2 * HELD:
            return line
        return self._held.rfind(" ", 0, len(self._held) - HELD) + 1

    def _let_go(self, edge: int) -> None:
        if edge <= 0:
            return
        text, self._held = self._held[:edge], self._held[edge:]
        self._show(Delta("thinking" if self._kind == "thinking" else "text", self._scrub.text(text)))
