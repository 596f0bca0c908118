"""What `policy backtest` prints: the runs that differ, the sums, and the rules that nothing ever met."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agentctl.cli import judging, render

if TYPE_CHECKING:
    from agentctl.core.backtests import Judged
    from agentctl.core.messages import JsonObject
    from agentctl.runner.backtesting import Never, Outcome

WORDS = {"ask": "newly ask", "refuse": "refused", "stop": "stopped", "allow": "go on", "other": "asked otherwise"}
"""What becomes of runs at their first difference."""
LINES = 20


def as_json(outcome: Outcome, limit: int | None) -> None:
    """Print one object; with --limit so many items of it."""
    totals = outcome.totals
    items = [_item(each) for each in outcome.items]
    sums: JsonObject = {
        "runs": totals.runs,
        "judged": totals.judged,
        "differ": totals.differ,
        "decisions": totals.decisions,
        "passed_over": totals.passed_over,
        "unreadable": totals.unread,
        "unspent_usd_at_most": totals.unspent_micro / 1e6,
        "calls": outcome.heard.calls,
        "by_guard": {guard: {**kinds} for guard, kinds in sorted(totals.by_guard.items())},
        **{kind: totals.of(kind) for kind in WORDS},
    }
    render.as_json(
        {
            "policy": judging.about(outcome.under),
            "n": totals.runs,
            "items": [*items[:limit]],
            "truncated": limit is not None and len(items) > limit,
            "totals": sums,
            "notes": {**outcome.notes},
            "never_hit": [_never(each) for each in outcome.never],
        }
    )


def _item(each: Judged) -> JsonObject:
    other = each.divergence
    first: JsonObject | None = None
    if other is not None:
        first = {
            "seq": other.seq, "step": other.step, "guard": other.guard, "kind": other.kind,
            "recorded": other.recorded, "now": other.now, "why": other.why,
        }  # fmt: skip
    return {
        "run_id": each.run_id, "task": each.task, "policy": each.policy, "divergence": first,
        "unspent_usd_at_most": each.unspent_micro / 1e6, "decisions": each.decisions, "passed_over": each.passed_over,
        "unreadable": each.unread, "not_judged": each.why_not or None, "notes": [*each.notes],
    }  # fmt: skip


def _never(each: Never) -> JsonObject:
    return {
        "key": each.what, "tool": each.tool, "tier": each.tier, "why": each.why, "file": each.file or None,
        "line": each.line or None, "own": each.own,
    }  # fmt: skip


def say(outcome: Outcome, limit: int | None, which: str, *, rehearsed: bool) -> None:
    """Print it for a person."""
    totals, name = outcome.totals, outcome.under.name
    if not totals.runs:
        render.say(f"no runs {which}{'' if rehearsed else '; rehearsals count with --rehearsed'}")
        render.hint("agentctl policy backtest P --since 90d looks further back.")
        return
    same = totals.judged - totals.differ
    runs = f"{totals.runs:,} run{'' if totals.runs == 1 else 's'}"
    head = f"{runs} decided again under {name}: {totals.differ:,} differ, {same:,} do the same"
    render.out(head, "warn" if totals.differ else "good")
    _table(outcome, limit or LINES)
    for guard, kinds in sorted(totals.by_guard.items(), key=lambda each: (-each[1].total(), each[0])):
        render.out(f"{guard}: {', '.join(f'{kinds[kind]:,} {WORDS[kind]}' for kind in WORDS if kinds[kind])}")
    if totals.unspent_micro:
        render.out(f"not spent: at most {render.dollars(totals.unspent_micro / 1e6)}")
    over = f"; {totals.passed_over:,} can't be made again from what was recorded" if totals.passed_over else ""
    render.out(f"decisions: {totals.decisions:,} the same before that{over}")
    _silent(outcome)
    _remarks(outcome)


def _table(outcome: Outcome, lines: int) -> None:
    """Runs that differ alike are one line, with the newest of them."""
    from agentctl.approvals.printable import printable

    groups: dict[tuple[str, ...], list[Judged]] = {}
    for each in outcome.items:
        if (other := each.divergence) is not None:
            now = f"{other.now}: {other.why}" if other.why else other.now
            key = each.task, str(other.step), other.guard, f"recorded: {other.recorded} -> now: {now}"
            groups.setdefault(key, []).append(each)
    rows: list[list[str]] = []
    changes: list[str] = []
    for (task, step, guard, change), alike in list(groups.items())[:lines]:
        run = f"{alike[0].run_id}{f' +{len(alike) - 1:,} alike' if len(alike) > 1 else ''}"
        unspent = sum(each.unspent_micro for each in alike)
        saved = f"<= {render.dollars(unspent / 1e6)}" if unspent else "-"
        cells = run, task, step, guard, saved
        changes.append(printable(change, lines=False))
        rows.append([printable(cell, lines=False) for cell in cells])
    if rows:
        render.table(("run", "task", "step", "guard", "not spent"), rows, below=changes)
    if len(groups) > lines:
        render.say(f"and {len(groups) - lines:,} lines more: --limit {len(groups)}, or --json")


def _silent(outcome: Outcome) -> None:
    """Rules that did nothing; those of shipped policies are counted alone."""
    from agentctl.approvals.printable import printable

    own = [each for each in outcome.never if each.own]
    rest = sum(each.what.startswith("risk.rules") for each in outcome.never) - sum("rules" in each.what for each in own)
    shipped = f", {rest:,} of shipped policies" if rest else ""
    if own or rest:
        render.out(f"never hit by any of {outcome.heard.calls:,} recorded calls: {len(own):,} of yours{shipped}")
    for each in own:
        why = f" ({each.why})" if each.why else ""
        render.out(f"  {printable(f'{each.file}:{each.line} {each.what}: {each.tool} {each.tier}{why}', lines=False)}")


def _remarks(outcome: Outcome) -> None:
    from agentctl.approvals.printable import printable

    reasons = Counter(f"not judged: {each.why_not}" for each in outcome.items if each.why_not)
    reasons.update(outcome.notes)
    for reason, count in reasons.most_common(LINES):
        render.say(printable(f"{count:,} {'run' if count == 1 else 'runs'}: {reason}", lines=False), "warn")
    if outcome.totals.unread:
        render.say(f"{outcome.totals.unread:,} events can't be read (agentctl store check)", "warn")
    first = next((each for each in outcome.items if each.divergence is not None), None)
    if first is not None and first.divergence is not None:
        render.say(f"look:    agentctl replay {first.run_id} --from {first.divergence.seq}", "hint")
