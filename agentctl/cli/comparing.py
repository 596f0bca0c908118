"""What a policy is worth: the same drills and the headline figures without any guard, beside those with it."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl.cli import render

if TYPE_CHECKING:
    from agentctl.runner.drills.drilling import Wanted

FIGURES = "agentctl.runner.drills.figures"


def without_guards(wanted: Wanted, folder: Path) -> Wanted:
    """The same with every `enabled = false`; nothing is mended."""
    from agentctl.runner.drills.altering import naive

    folder.mkdir()
    return replace(wanted, folder=folder, alter=naive, mend=False)


def compared(wanted: Wanted, folder: Path) -> tuple[Any, ...]:
    """The rows of the comparison: metric, naive, resilient, delta, naive_value, resilient_value, unit, note."""
    if find_spec(FIGURES) is None:
        return ()
    from importlib import import_module

    folder.mkdir()
    found = import_module(FIGURES).compare(replace(wanted, folder=folder), _tell)
    return tuple(found.rows)


def _tell(text: str) -> None:
    render.say(text, "quiet")
