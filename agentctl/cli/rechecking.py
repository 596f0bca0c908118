"""`agentctl replay --check`: whether a recorded run would be decided as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from agentctl.approvals.printable import printable
from agentctl.cli import render

if TYPE_CHECKING:
    from agentctl.journal.store import Store
    from agentctl.runner.rechecking import Checked

GATE = 17


def rechecked(journal: Store, run_id: str, *, as_json: bool) -> None:
    """Decide it again, say so, and exit with 17 where something was decided otherwise."""
    from agentctl.runner.rechecking import recheck

    found = recheck(journal, run_id)
    if as_json:
        _print(run_id, found)
    else:
        _say(run_id, found)
    if found.divergence is not None:
        raise typer.Exit(GATE)


def _say(run_id: str, found: Checked) -> None:
    other = found.divergence
    for line in found.left_out:
        render.say(f"not decided again: {line}", "warn")
    if other is not None:
        render.out(f"{run_id}: {other.guard} decides otherwise at event {other.seq}", "bad")
        render.out(f"  recorded: {printable(other.recorded, lines=False)}")
        render.out(f"  now:      {printable(other.now, lines=False)}")
        render.say(f"look:    agentctl replay {run_id} --from {other.seq}", "hint")
        return
    over = f"; {found.passed_over:,} more can't be, from what was recorded" if found.passed_over else ""
    render.out(f"the same decisions: {found.decisions:,} made again{over}", "good")


def _print(run_id: str, found: Checked) -> None:
    other = found.divergence
    render.as_json(
        {
            "run_id": run_id,
            "same": other is None,
            "decisions": found.decisions,
            "passed_over": found.passed_over,
            "left_out": list(found.left_out),
            "divergence": None
            if other is None
            else {"seq": other.seq, "guard": other.guard, "recorded": other.recorded, "now": other.now},
        }
    )
