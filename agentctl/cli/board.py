"""Where many runs are driven: a line as each one ends and, on a terminal, one that says how far they are."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable

from agentctl.cli import render
from agentctl.cli.plain import Lines
from agentctl.cli.runs import TONES
from agentctl.cli.tally import cost, run_id, steps, told
from agentctl.cli.telling import one
from agentctl.core.events import Stamped
from agentctl.core.messages import Delta
from agentctl.core.state import State
from agentctl.runner.many import Job, Outcome
from agentctl.runner.order import Listener, Progress

EVERY_S = 0.1
"""Between two drawings of the line that says how far they are."""
ERASE = "\r\x1b[K"


class Board:
    """Watches all of them."""

    def __init__(self, total: int, *, as_events: bool, passed: Callable[[Listener], Listener]) -> None:
        self._passed = passed
        self.lines = Lines() if as_events else None
        self._live = render.colours(sys.stderr) and not as_events
        self._total, self._drawn = total, 0.0
        self._running = 0
        self._ended: Counter[str] = Counter()
        self._micro: dict[int, int] = {}
        self._notes: set[str] = set()

    def begun(self, job: Job) -> Listener:
        """It runs."""
        self._running += 1
        self._draw()
        return self._passed(_Ear(self, job))

    def ended(self, outcome: Outcome) -> None:
        """One line about it."""
        if outcome.result is not None or outcome.error is not None:
            self._running -= 1
        status, reason = told(outcome)
        self._ended[status] += 1
        if not self.lines:
            mark = "✓" if outcome.exit_code == 0 else "✗"
            line = f" line {outcome.job.line}" if outcome.job.line else ""
            figures = f" · {cost(outcome)} · {steps(outcome)} steps" if outcome.result else ""
            what = f"{status}: {reason}" if reason else status
            text = f"{mark} {run_id(outcome)} {outcome.job.task}{line} {what}{figures}"
            self._print(text, TONES.get(status, "plain"))
        self._draw(now=True)

    def note(self, text: str) -> None:
        """What several say is said once."""
        if text not in self._notes:
            self._notes.add(text)
            self._print(text, "quiet")

    def event(self, job: Job, stamped: Stamped, state: State) -> None:
        """Keep the sum true."""
        self._micro[id(job)] = state.budget.spent_micro
        if self.lines:
            self.lines.event(stamped, state)
        self._draw()

    def status(self) -> str:
        """`3 of 20 · 4 running · completed 2 · stopped 1 · $0.0123`."""
        counts = [f"{status} {number}" for status, number in sorted(self._ended.items())]
        begun = [f"{self._ended.total()} of {self._total}", f"{self._running} running"]
        return " · ".join([*begun, *counts, f"${sum(self._micro.values()) / 1e6:,.4f}"])

    def close(self) -> None:
        """Nothing is left of the line that moved."""
        if self._live:
            self._write(ERASE)

    def _draw(self, *, now: bool = False) -> None:
        if self._live and (now or time.monotonic() - self._drawn >= EVERY_S):
            self._drawn = time.monotonic()
            self._write(ERASE + self.status()[: shutil.get_terminal_size().columns - 1])

    def _print(self, text: str, tone: render.Tone) -> None:
        self._write(f"{ERASE if self._live else ''}{render.paint(one(text), tone, sys.stderr)}\n")

    def _write(self, text: str) -> None:
        # The terminal may be gone; the runs go on.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


class _Ear:
    """The listener of one of them."""

    def __init__(self, board: Board, job: Job) -> None:
        self._board, self._job = board, job

    def event(self, stamped: Stamped, state: State) -> None:
        """Pass it on."""
        self._board.event(self._job, stamped, state)

    def delta(self, delta: Delta) -> None:
        """Pieces of many texts make no text."""

    def progress(self, at: Progress) -> None:
        """How far one call of one of many runs is has no place."""

    def note(self, text: str) -> None:
        """Pass it on."""
        self._board.note(text)
