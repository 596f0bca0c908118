"""What a policy is worth: the same drills and the headline figures without any guard, beside those with it."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl.cli import render

if TYPE_CHECKING:
    from agentctl.runner.drills.drilling import Wanted

FIGURES = "agentctl.runner.drills.figures.compare"


def without_guards(wanted: Wanted, folder: Path) -> Wanted:
    """The same with every `enabled = false`; nothing is mended."""
    from agentctl.runner.drills.altering import naive

    folder.mkdir()
    return replace(wanted, folder=folder, alter=naive, mend=False)


def compared(wanted: Wanted, folder: Path) -> Any:  # noqa: ANN401 -- the figures' own `Comparison`
    """The comparison: `rows` of metric, naive, resilient, delta and note, and `as_json`; None where there is none."""
    if find_spec(FIGURES.rpartition(".")[0]) is None:
        return None
    from importlib import import_module

    folder.mkdir()
    return import_module(FIGURES).compare(replace(wanted, folder=folder), _tell)


def _tell(text: str) -> None:
    render.say(text, "quiet")
