"""`agentctl policy suggest`: limits and narrow rules that recorded runs bear out, as a diff."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import far, judging, options, render, values
from agentctl.cli.options import AsJson, StoreUrl, filled
from agentctl.cli.policy_backtest_page import WORDS

if TYPE_CHECKING:
    from agentctl.core.backtests import Totals
    from agentctl.core.messages import JsonObject
    from agentctl.core.suggest.limits import Limit
    from agentctl.runner.suggesting import Narrow, Suggestion

LINES = 20


def suggest(
    policy: Annotated[
        str | None,
        typer.Argument(
            metavar="P",
            callback=filled,
            help="A name or a file; default: that of the task's file, else standard",
            autocompletion=values.policies,
        ),
    ] = None,
    *,
    since: Annotated[
        str, typer.Option(metavar="SPAN", callback=filled, help="From runs begun within: 30m, 12h, 7d, 2w")
    ] = "7d",
    task: Annotated[str | None, typer.Option(callback=filled, help="Only those of this task, by name or file")] = None,
    user: Annotated[str | None, typer.Option(callback=filled, help="Only those of this user")] = None,
    rehearsed: options.Rehearsed = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Suggest limits and narrow rules from what runs needed and people approved, as a diff of the policy's file

    Never applied by itself: write it to a file, read it, then
    `patch FILE new.diff`. Every line says from how many runs or approvals it is.
    """
    from agentctl.runner import suggesting
    from agentctl.runner.backtesting import Asked

    asked = Asked(options.since(since), (), task or "", user or "", rehearsed)
    with far.told() as told:
        found = suggesting.suggest(policy, asked, store, told)
    if as_json:
        render.as_json(_object(found))
        return
    _say(found, since, rehearsed=rehearsed)


def _say(found: Suggestion, since: str, *, rehearsed: bool) -> None:
    """The diff on stdout, what it is from and what it is not on stderr."""
    from agentctl.approvals.printable import printable

    name = found.under.name
    render.say(f"from {found.runs:,} runs under {name} in the last {since}")
    if found.others and not found.runs:
        others = ", ".join(f"{other} ({count:,})" for other, count in found.others.most_common(5))
        render.say(printable(f"runs under other policies say nothing of this one: {others}", lines=False), "warn")
    if not found.runs and not found.others and not rehearsed:
        render.say("rehearsals count with --rehearsed")
    for each in found.kept[:LINES]:
        render.say(printable(f"as it is: {each.key}: {each.why}", lines=False))
    if len(found.kept) > LINES:
        render.say(f"and {len(found.kept) - LINES:,} more: --json")
    if found.totals is None:
        render.say("nothing is suggested")
        return
    # `patch` needs the lines as they are; a terminal is shown what they hold.
    shown = printable(found.diff.replace("\r\n", "\n")) if sys.stdout.isatty() else found.diff
    render.out(shown.removesuffix("\n"))
    render.say(_backtest(found.totals), "hint")


def _backtest(totals: Totals) -> str:
    same = totals.judged - totals.differ
    kinds = ", ".join(f"{totals.of(kind):,} {word}" for kind, word in WORDS.items() if totals.of(kind))
    return f"backtest: of {totals.judged:,} runs {same:,} would do the same{f', {kinds}' if kinds else ''}"


def _object(found: Suggestion) -> JsonObject:
    totals = found.totals
    backtest: JsonObject | None = None
    if totals is not None:
        kinds = {kind: totals.of(kind) for kind in WORDS}
        backtest = {"runs": totals.runs, "judged": totals.judged, "differ": totals.differ, **kinds}
    return {
        "policy": judging.about(found.under),
        "n": found.runs,
        "items": [_limit(each) for each in found.limits],
        "rules": [_rule(each) for each in found.rules],
        "kept": [{"key": each.key, "why": each.why} for each in found.kept],
        "others": {**found.others},
        "backtest": backtest,
        "diff": found.diff,
        "truncated": False,
    }


def _limit(each: Limit) -> JsonObject:
    return {
        "key": each.key, "was": each.was, "value": each.value, "quantile": each.quantile, "seen": each.seen,
        "most": each.most, "n": each.n, "of": each.of, "beyond": each.beyond, "raises": each.raises,
    }  # fmt: skip


def _rule(each: Narrow) -> JsonObject:
    rule, proposal = each.proposal.rule, each.proposal
    return {
        "tool": rule.tool, "args": {**rule.args}, "tier": rule.tier, "match": [*rule.match],
        "not_match": [*rule.not_match], "approvals": proposal.approvals, "runs": proposal.runs,
        "rubber_stamps": proposal.rubber, "saved": each.saved, "asks": each.of,
    }  # fmt: skip
