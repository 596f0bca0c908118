"""What one `drill` came to, and the words for it that all its outputs share."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl.records import dataclass

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.runner.drills.drilling import Outcome

a_key = re.compile(r"[a-z_]+(\.[a-z_]+)+ = ")


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one `drill` came to."""

    name: str
    """The task's."""
    task: Path
    under: LoadedPolicy
    seed: int
    outcomes: tuple[Outcome, ...]
    bare: tuple[Outcome, ...]
    """The same without any guard; empty: nobody asked."""
    compared: Any
    """The figures' `Comparison`; None: nobody asked."""
    folder: Path

    @property
    def held(self) -> int:
        """How many held."""
        return sum(each.passed is True for each in self.outcomes)

    @property
    def failed(self) -> int:
        """How many did not."""
        return sum(each.passed is False for each in self.outcomes)

    @property
    def skipped(self) -> int:
        """How many do not apply."""
        return sum(each.passed is None for each in self.outcomes)

    def without(self, name: str) -> Outcome | None:
        """The drill of this name without any guard."""
        return next((each for each in self.bare if each.drill.name == name), None)

    def summary(self) -> str:
        """`14 of 15 held under policy customer-facing (seed 0)`."""
        not_here = f", {self.skipped} {'does' if self.skipped == 1 else 'do'} not apply" if self.skipped else ""
        played = len(self.outcomes) - self.skipped
        return f"{self.held} of {played} held under policy {self.policy} (seed {self.seed}){not_here}"

    @property
    def policy(self) -> str:
        """As one would name it: what came with the program by its name, else the file."""
        from agentctl.config import paths
        from agentctl.config.text import display

        return self.under.name if paths.is_shipped(self.under.path) else display(self.under.path.absolute())


def fix(outcome: Outcome, report: Report) -> str:
    """The key with its file, else what helps; empty: nothing is known to."""
    if not a_key.match(outcome.fix):
        return outcome.fix
    if report.policy == report.under.name:
        return f'{outcome.fix} in a policy of yours with extends = "{report.policy}"'
    return f"{outcome.fix} in {report.policy}"


def command(outcome: Outcome) -> str:
    """What shows the run that matters: the first that did not end well, else the last; empty: there is none."""
    seen = outcome.seen
    runs = [client for client in seen.clients if client.run_id] if seen else []
    if not runs:
        return ""
    run = next((client for client in runs if client.exit_code), runs[-1])
    return f"agentctl trace {run.run_id} --store {shlex.quote(outcome.store)}"
