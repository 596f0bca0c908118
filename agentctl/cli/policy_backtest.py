"""`agentctl policy backtest`: what another policy would have made of recorded runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import far, options, values
from agentctl.cli.options import AsJson, StoreUrl, filled
from agentctl.cli.policy_backtest_page import WORDS, as_json, say
from agentctl.cli.policy_explain import PolicyName
from agentctl.errors import GateFailed, Usage

if TYPE_CHECKING:
    from agentctl.runner.backtesting import Outcome

GATES = ("any", *WORDS)
UNKNOWN = "nothing could be judged"


def _gates(incomplete: str) -> list[str]:
    return [name for name in GATES if name.startswith(incomplete)]


FailOn = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        callback=filled,
        help=f"End with 17 where a run differs so, or none could be judged: {', '.join(GATES)}",
        autocompletion=_gates,
    ),
]
Runs = Annotated[
    list[str] | None,
    typer.Option("--run", metavar="RUN", help="Only this run; several times", autocompletion=values.run_ids),
]


def backtest(
    policy: PolicyName,
    *,
    since: Annotated[
        str, typer.Option(metavar="SPAN", callback=filled, help="Runs begun within: 30m, 12h, 7d, 2w")
    ] = "30d",
    run: Runs = None,
    task: Annotated[str | None, typer.Option(callback=filled, help="Only those of this task")] = None,
    user: Annotated[str | None, typer.Option(callback=filled, help="Only those of this user")] = None,
    rehearsed: options.Rehearsed = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Lines of the table; default: 20, --json gives all")] = None,
    fail_on: FailOn = None,
    json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Decide recorded runs again under a policy: where each would first differ, and what would not have been spent

    Nothing is sent, run or written. No claim is made past the first difference of a run. Exit 0, but with --fail-on.
    """
    if fail_on is not None and fail_on not in GATES:
        raise Usage(f"--fail-on: expected one of {', '.join(GATES)}, got {fail_on!r}")
    from agentctl.runner import backtesting

    asked = backtesting.Asked(options.since(since), tuple(run or ()), task or "", user or "", rehearsed)
    with far.told() as told:
        outcome = backtesting.backtest(policy, asked, store, told)
    if json:
        as_json(outcome, limit)
    else:
        say(outcome, limit, f"in the last {since}" if not run else "of these", rehearsed=rehearsed)
    failed = _failed(outcome, fail_on)
    if failed and json:
        raise typer.Exit(GateFailed.exit_code)
    if failed:
        raise GateFailed(f"--fail-on {fail_on}: {failed}")


def _failed(outcome: Outcome, gate: str | None) -> str:
    """What a gate does not let through; empty: nothing."""
    totals = outcome.totals
    count = totals.differ if gate == "any" else totals.of(gate or "")
    if gate is None or (totals.judged and not count):
        return ""
    return f"{count:,} of {totals.judged:,} runs" if totals.judged else UNKNOWN
