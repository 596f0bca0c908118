"""What a run came to, in numbers: folded live by the recorder and later from the journal, by the same function."""

from __future__ import annotations

from dataclasses import field

from agentctl.core.events import (
    BudgetCounted,
    Completed,
    Degraded,
    Event,
    Forked,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Retried,
    ToolStarted,
)
from agentctl.core.messages import JsonObject, Usage
from agentctl.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals of a run. Bound: providers of the policy, distinct notices."""

    usage: Usage = field(default_factory=Usage)
    cost_micro: int = 0
    steps: int = 0
    tool_calls: int = 0
    retries: int = 0
    providers: tuple[tuple[str, str, int, int], ...] = ()
    """Name, model, calls, cost in micro-dollars."""
    degraded: tuple[tuple[str, str], ...] = ()
    warned: frozenset[str] = frozenset()
    """Limits whose warning was given."""
    message: str = ""
    answer: str = ""

    @property
    def cache_hit_ratio(self) -> float | None:
        """Read from the cache over the whole input; None before the first reply."""
        return self.usage.cache_read / self.usage.prompt if self.usage.prompt else None


def apply(summary: Summary, event: Event) -> Summary:
    """Fold one event."""
    match event:
        case ModelAsked() as asked:
            return replace(summary, providers=_count(summary, asked.provider, asked.model, 1, 0))
        case ModelReplied() as reply:
            return replace(
                summary,
                usage=plus(summary.usage, reply.usage),
                cost_micro=summary.cost_micro + reply.cost_micro,
                steps=summary.steps + (reply.purpose == "answer"),
                providers=_count(summary, reply.provider, reply.model, 0, reply.cost_micro),
            )
        case ModelFailed() as failed:
            return replace(
                summary,
                cost_micro=summary.cost_micro + failed.cost_micro,
                providers=_count(summary, failed.provider, "", 0, failed.cost_micro),
            )
        case ToolStarted(attempt=1):
            return replace(summary, tool_calls=summary.tool_calls + 1)
        case Retried():
            return replace(summary, retries=summary.retries + 1)
        case Degraded() as one if (one.provider, one.notice) not in summary.degraded:
            return replace(summary, degraded=(*summary.degraded, (one.provider, one.notice)))
        case BudgetCounted(state="warning", key=key):
            return replace(summary, warned=summary.warned | {key})
        case Completed() as end:
            return replace(summary, message=end.message, answer=end.answer)
        case Forked():  # what came before is another run's
            return Summary()
        case _:
            return summary


def plus(one: Usage, other: Usage) -> Usage:
    """The sum of two usages."""
    return Usage(
        one.input + other.input,
        one.output + other.output,
        one.cache_read + other.cache_read,
        one.cache_write + other.cache_write,
        one.cache_write_1h + other.cache_write_1h,
    )


def _count(summary: Summary, name: str, model: str, calls: int, cost: int) -> tuple[tuple[str, str, int, int], ...]:
    known = {entry[0]: entry for entry in summary.providers}
    _, old_model, old_calls, old_cost = known.get(name, (name, model, 0, 0))
    known[name] = (name, old_model or model, old_calls + calls, old_cost + cost)
    return tuple(known.values())


def figures(summary: Summary) -> JsonObject:
    """The part of the contract's result object (section 8) that is summed up here."""
    usage = summary.usage
    ratio = summary.cache_hit_ratio
    return {
        "cost_usd": summary.cost_micro / 1e6,
        "usage": {
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "cache_read_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        },
        "cache_hit_ratio": None if ratio is None else round(ratio, 4),
        "steps": summary.steps,
        "tool_calls": summary.tool_calls,
        "retries": summary.retries,
        "providers": [
            {"name": name, "model": model, "calls": calls, "cost_usd": cost / 1e6}
            for name, model, calls, cost in summary.providers
        ],
        "degraded": [{"provider": provider, "notice": notice} for provider, notice in summary.degraded],
    }
