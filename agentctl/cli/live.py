"""A run on a terminal: text as it streams, a line for each tool call, and a status line that stays at the bottom.

Only the last, unfinished line of the text and the status line are ever redrawn; everything above them is printed once.
While a question stands nothing is drawn at all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from typing import Self

from rich.console import Console
from rich.live import Live as Drawing
from rich.text import Text

from agentctl.approvals.printable import printable
from agentctl.cli.status import status
from agentctl.cli.telling import Telling, progressed
from agentctl.core import events as e
from agentctl.core.doing import doing_at, rest
from agentctl.core.events import Stamped
from agentctl.core.messages import Delta
from agentctl.core.state import State
from agentctl.runner.order import Progress
from agentctl.tui.limits import Limits

STYLES = {"plain": "", "good": "green", "warn": "yellow", "bad": "red", "quiet": "dim", "hint": "cyan", "bold": "bold"}


class Live:
    """A listener for eyes."""

    def __init__(
        self, limits: Limits, *, console: Console | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._limits, self._clock = limits, clock
        self._telling = Telling()
        self._state = State()
        self._doing, self._since = "starts", clock()
        self._until = 0.0
        """When a rest is over whose length is known."""
        self._partial, self._style = "", ""
        self._steps: dict[str, str] = {}
        """How far the calls in flight are, the one heard of last at the end."""
        self._step = ""
        self.shown = ""
        """The text of the last reply, as far as it was streamed."""
        self._drawing = Drawing(
            get_renderable=self._bottom,
            console=self._console,
            transient=True,
            refresh_per_second=5,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()
        with contextlib.suppress(OSError):
            self._drawing.stop()

    @contextlib.contextmanager
    def aside(self) -> Generator[None]:
        """Nothing is drawn while somebody else has the screen."""
        self._end_line()
        self._drawing.stop()
        try:
            yield
        finally:
            self._drawing.start()

    def event(self, stamped: Stamped, state: State) -> None:
        """Tell it, and keep the status line true."""
        self._state = state
        doing = doing_at(stamped.event)
        if doing:
            self._doing, self._since, self._until = doing, self._clock(), self._clock() + rest(stamped.event)
        if isinstance(stamped.event, e.ModelAsked):
            self._end_line()
            self.shown = ""
        if isinstance(stamped.event, e.ToolFinished):
            self._steps.pop(stamped.event.call_id, None)
            self._step = next(reversed(self._steps.values()), "")
        line = self._telling.line(stamped.event)
        if line is not None:
            self._end_line()
            self._print(line.text, STYLES[line.tone], whole=False)

    def delta(self, delta: Delta) -> None:
        """Print the lines that are complete; the rest waits at the bottom."""
        if delta.kind == "tool":
            return
        style = "dim" if delta.kind == "thinking" else ""
        if style != self._style:
            self._end_line()
            self._style = style
        if not self._doing.endswith("writes"):
            self._doing, self._since = f"{self._state.route.asked} writes", self._clock()
        if delta.kind == "text":
            self.shown += delta.text
        *complete, self._partial = (self._partial + delta.text).split("\n")
        for line in complete:
            self._print(line, style)
        if len(self._partial) > self._console.width:
            *wrapped, last = Text(self._partial).wrap(self._console, self._console.width)
            for part in wrapped:
                self._print(part.plain.rstrip(), style)
            self._partial = last.plain

    def progress(self, at: Progress) -> None:
        """Show it in the status line, until the call ends."""
        if at.call_id in self._telling.tiers:
            self._steps.pop(at.call_id, None)
            self._steps[at.call_id] = self._step = progressed(at)

    def note(self, text: str) -> None:
        """One line, dim."""
        self._end_line()
        self._print(text, "dim")

    def _end_line(self) -> None:
        partial, self._partial = self._partial, ""
        if partial:
            self._print(partial, self._style)

    def _print(self, text: str, style: str, *, whole: bool = True) -> None:
        # The terminal may be gone; the run goes on.
        with contextlib.suppress(OSError, ValueError):
            shown = Text(printable(text, lines=False), style=style)
            self._console.print(shown, no_wrap=not whole, overflow=None if whole else "ellipsis")

    def _bottom(self) -> Text:
        now = self._clock()
        figures, seconds = status(self._limits, self._state, now), f"{max(0.0, now - self._since):.0f}s"
        step = self._step
        if self._until > now:
            step, seconds = self._doing, f"{self._until - now:.0f}s left"
        # What is only here for a while stands where a narrow terminal does not cut it off.
        line = f"{step} {seconds} · {figures}" if step else f"{figures} · {self._doing} {seconds}"
        bottom = Text(printable(line, lines=False), style="reverse", no_wrap=True, overflow="ellipsis")
        if not self._partial:
            return bottom
        return Text(printable(self._partial, lines=False) + "\n", style=self._style) + bottom
