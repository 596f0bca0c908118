"""`agentctl run` with several tasks, or with a line of variables for each run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer

from agentctl.cli import lines as line_file
from agentctl.cli import render, tally
from agentctl.cli.board import Board
from agentctl.errors import Defect
from agentctl.records import dataclass
from agentctl.runner import many
from agentctl.runner.order import Listener, Order


@dataclass(frozen=True, slots=True)
class Together:
    """How they are to be run and shown."""

    lines: str
    """The file of variables; empty: there is none."""
    parallel: int
    store: str | None
    as_json: bool
    as_events: bool


def drive(orders: Sequence[Order], how: Together, passed: Callable[[Listener], Listener]) -> NoReturn:
    """Run them all, print what they came to, and exit with the code that speaks for all."""
    rows, problems = line_file.read(how.lines)
    jobs = many.jobs(orders, rows, line_file.called(how.lines), problems)
    board = Board(len(jobs), as_events=how.as_events, passed=passed)
    try:
        outcomes = asyncio.run(many.run_all(jobs, board, store=how.store, parallel=how.parallel))
    finally:
        board.close()
    code = many.exit_code(outcomes)
    _failures([each.error for each in outcomes if isinstance(each.error, Defect)])
    if how.as_json:
        render.as_json(tally.listed(outcomes, code))
    elif not how.as_events:
        tally.table(outcomes)
    raise typer.Exit(code)


def _failures(defects: Sequence[Defect]) -> None:
    """One report of all defects; the other runs ended as they would have ended anyway."""
    if defects:
        from agentctl.cli.crash import reported

        texts = dict.fromkeys(defect.report for defect in defects)
        together = Defect(defects[0].message, "\n\n".join(texts))
        render.failure(reported(together, sys.argv[1:]), json_wanted=False)
