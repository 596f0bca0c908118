"""What many runs came to: each on a line of one table, and their sum; the same as objects for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from agentctl.cli import render
from agentctl.cli.runs import TONES
from agentctl.cli.telling import one
from agentctl.core.messages import JsonObject
from agentctl.runner.many import Outcome


def table(outcomes: Sequence[Outcome]) -> None:
    """One line each, and their sum."""
    numbered = any(each.job.line for each in outcomes)
    line = ("line",) if numbered else ()
    rows = [_row(each, numbered=numbered) for each in outcomes]
    count = f"{len(rows)} run{'' if len(rows) == 1 else 's'}"
    spent, taken = sum(_figure(each, "cost_usd") for each in outcomes), sum(map(steps, outcomes))
    rows.append(("total", count, *("" for _ in line), "", "", f"${spent:,.4f}", str(taken)))
    tones: list[render.Tone] = [TONES.get(told(each)[0], "plain") for each in outcomes]
    tones.append("bold")
    render.table(("id", "task", *line, "status", "reason", "cost", "steps"), rows, tones)
    render.say(f"Cache hit ratio: {_hit_ratio(outcomes)}")


def _hit_ratio(outcomes: Sequence[Outcome]) -> str:
    """Read over the whole input of all of them. A52"""
    usages = [cast("dict[str, int]", each.result.body["usage"]) for each in outcomes if each.result is not None]
    read = sum(usage["cache_read_tokens"] for usage in usages)
    prompt = read + sum(usage["input_tokens"] + usage["cache_write_tokens"] for usage in usages)
    return f"{read / prompt:.1%}" if prompt else "-"


def _row(each: Outcome, *, numbered: bool) -> tuple[str, ...]:
    line = (str(each.job.line),) if numbered else ()
    status, reason = told(each)
    return (run_id(each), one(each.job.task), *line, status, reason, cost(each), str(steps(each)))


def told(outcome: Outcome) -> tuple[str, str]:
    """Status and reason, also of a job that never became a run."""
    if outcome.result is not None:
        return outcome.result.status, outcome.result.reason
    if outcome.error is not None:
        return "failed", outcome.error.code
    return "not begun", "SIGINT" if outcome.signal == 130 else "SIGTERM"


def run_id(outcome: Outcome) -> str:
    """The id, where there is a run."""
    return "-" if outcome.result is None else str(outcome.result.body["run_id"])


def cost(outcome: Outcome) -> str:
    """What it cost."""
    return f"${_figure(outcome, 'cost_usd'):,.4f}"


def steps(outcome: Outcome) -> int:
    """How many model calls it took."""
    return int(_figure(outcome, "steps"))


def _figure(outcome: Outcome, key: str) -> float:
    return 0.0 if outcome.result is None else cast("float", outcome.result.body[key])


def listed(outcomes: Sequence[Outcome], code: int) -> JsonObject:
    """The contract's list: each run's own object with its task and line; and what they came to together."""
    statuses = Counter(told(each)[0] for each in outcomes)
    total: JsonObject = {
        "runs": len(outcomes),
        "statuses": dict(sorted(statuses.items())),
        "cost_usd": round(sum(_figure(each, "cost_usd") for each in outcomes), 6),
        "steps": sum(map(steps, outcomes)),
        "exit_code": code,
    }
    return {"items": [_item(each) for each in outcomes], "truncated": False, "total": total}


def _item(each: Outcome) -> JsonObject:
    at: JsonObject = {"task": each.job.task, "line": each.job.line or None}
    if each.result is not None:
        return {**each.result.body, **at}
    status, reason = told(each)
    message = "" if each.error is None else each.error.message
    return {
        "run_id": None,
        "status": status,
        "reason": reason,
        "exit_code": each.exit_code,
        "cost_usd": 0.0,
        "steps": 0,
        "message": message,
        **at,
    }
