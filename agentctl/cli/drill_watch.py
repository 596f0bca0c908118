"""What is said while drills are played: a line that changes on a terminal, else a line for each."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.cli import render
from agentctl.records import dataclass

if TYPE_CHECKING:
    from agentctl.rehearsal.drills.registry import Drill
    from agentctl.runner.drills.drilling import Outcome, Wanted

RESULTS = {True: ("✓", "held"), False: ("✗", "FAILED"), None: ("–", "does not apply")}  # noqa: RUF001 -- a sign
ERASE = "\r\x1b[2K"


@dataclass(slots=True)
class Watch:
    """See the module."""

    live: bool
    prefix: str = ""
    done: list[Outcome] = field(default_factory=list["Outcome"])
    of: int = 0

    def begun(self, drill: Drill, number: int, of: int) -> None:
        """Say which one is played."""
        self.of = of
        failed = sum(each.passed is False for each in self.done)
        self._draw(f"{self.prefix}{number}/{of} {drill.name}" + (f" · {failed} FAILED" if failed else "") + " …")

    def ended(self, outcome: Outcome) -> None:
        """Say how it ended, where that line stays."""
        self.done.append(outcome)
        if not self.live:
            _, result = RESULTS[outcome.passed]
            at = f"{self.prefix}{len(self.done)}/{self.of}"
            with suppress(OSError):
                render.say(f"{at} {outcome.drill.name}: {result} ({outcome.duration_s:.1f}s)")

    def clear(self) -> None:
        """Leave nothing on the line."""
        self._draw("")

    def _draw(self, text: str) -> None:
        if self.live:
            with suppress(OSError):  # the terminal may be gone
                sys.stderr.write(ERASE + text)
                sys.stderr.flush()


def played(wanted: Wanted, folder: Path, prefix: str = "") -> tuple[Outcome, ...]:
    """Play them, and tell of it. KeyboardInterrupt: after a line that says how far it came."""
    from agentctl.runner.drills.drilling import run

    watch = Watch(render.colours(sys.stderr) and sys.stdout.isatty(), prefix)
    try:
        return tuple(run(wanted, watch))
    except KeyboardInterrupt:
        watch.clear()
        render.say(f"interrupted: {len(watch.done)} of {len(wanted.drills)} were played; their runs are in {folder}")
        raise
    finally:
        watch.clear()
