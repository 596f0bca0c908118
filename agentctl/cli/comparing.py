"""What a policy is worth: the same drills and the headline figures without any guard, beside those with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.cli import render

if TYPE_CHECKING:
    from agentctl.runner.drills.drilling import Wanted
    from agentctl.runner.drills.figures.row import Comparison


def without_guards(wanted: Wanted, folder: Path) -> Wanted:
    """The same with every `enabled = false`; nothing is mended."""
    from agentctl.runner.drills.altering import naive

    folder.mkdir()
    return replace(wanted, folder=folder, alter=naive, mend=False)


def compared(wanted: Wanted, folder: Path) -> Comparison:
    """The figures with every guard on, and with none."""
    from agentctl.runner.drills.figures.compare import compare

    folder.mkdir()
    return compare(replace(wanted, folder=folder), _tell)


def _tell(text: str) -> None:
    render.say(text, "quiet")
