"""How events are written: the only file that knows the tags of the contract and the names of the fields on disk.

A tag never changes its meaning. What changes the shape of its data raises its version and leaves an upcaster here, so
that every journal ever written stays readable. Decoding forgives: unknown tags are skipped, unknown keys ignored, and
a key that an older program did not write takes the field's default.

Money is whole micro-dollars in memory and dollars on disk (`cost_micro` is `cost_usd`): up to some 10^15
micro-dollars the nearest float gives the same integer back. A name that Python reserves loses its underscore (`from_`
is `from`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, cast

from agentctl.core import events as e
from agentctl.core.messages import Json, JsonObject, Usage
from agentctl.errors import StoreUnusable
from agentctl.records import dataclass

TAGS: Final[dict[type[Any], str]] = {
    e.RunStarted: "run_started",
    e.StepsPlanned: "steps",
    e.Checked: "check",
    e.ModelAsked: "model_call",
    e.ModelReplied: "model_reply",
    e.ModelFailed: "model_error",
    e.Retried: "retry",
    e.Waited: "wait",
    e.FellBack: "fallback",
    e.ProviderOut: "provider_out",
    e.Thought: "thinking",
    e.ToolStarted: "tool_call",
    e.ToolFinished: "tool_result",
    e.ApprovalRequested: "approval_requested",
    e.ApprovalDecided: "approval_decided",
    e.CallEdited: "call_edited",
    e.CallSettled: "call_settled",
    e.Decided: "decision",
    e.ContextTrimmed: "context",
    e.BudgetCounted: "budget",
    e.CircuitMoved: "circuit",
    e.LoopSeen: "loop",
    e.CacheSeen: "cache",
    e.Degraded: "degraded",
    e.HandedOff: "handoff",
    e.Resumed: "resumed",
    e.Forked: "forked",
    e.Failed: "error",
    e.Completed: "complete",
    e.InjectionSuspected: "injection",
    e.SecretsNumbered: "secrets",
    e.Alerted: "alert",
}
VERSIONS: Final[dict[str, int]] = {}
"""The version in which a tag is written; 1 where it is not named."""
UPCASTERS: Final[dict[tuple[str, int], Callable[[JsonObject], JsonObject]]] = {}
"""(tag, version) to what makes the data of the next version out of that one."""

_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_write_ascii = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_MICRO = 1_000_000


def _usage_out(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "cache_write_1h_tokens": usage.cache_write_1h,
    }


def _usage_in(data: JsonObject) -> Usage:
    get = cast("dict[str, int]", data).get
    return Usage(
        get("input_tokens", 0),
        get("output_tokens", 0),
        get("cache_read_tokens", 0),
        get("cache_write_tokens", 0),
        get("cache_write_1h_tokens", 0),
    )


def _calls_out(calls: tuple[e.CallProposed, ...]) -> Json:
    return [
        {"call_id": c.call_id, "wire_id": c.wire_id, "tool": c.tool, "args": c.args, "key": c.key}
        | ({"exact": c.exact} if c.exact else {})
        | ({"filled": list(c.filled)} if c.filled else {})
        for c in calls
    ]


def _calls_in(calls: list[dict[str, Any]]) -> tuple[e.CallProposed, ...]:
    return tuple(
        e.CallProposed(
            c["call_id"], c["wire_id"], c["tool"], c["args"], c["key"], c.get("exact", ""), tuple(c.get("filled", ()))
        )
        for c in calls
    )


def _copied_out(copied: tuple[e.Copied, ...]) -> Json:
    return [{"text": c.text, "source": c.source, "recipient": c.recipient} for c in copied]


def _copied_in(copied: list[dict[str, Any]]) -> tuple[e.Copied, ...]:
    return tuple(e.Copied(c["text"], c["source"], c.get("recipient", False)) for c in copied)


def _usd_out(micro: int) -> float:
    return micro / _MICRO


def _usd_in(usd: float) -> int:
    return round(usd * _MICRO)


def _each_out(by_name: dict[str, tuple[float, ...]]) -> Json:
    return {name: list(moments) for name, moments in by_name.items()}


def _each_in(by_name: dict[str, list[float]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(moments) for name, moments in by_name.items()}


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one class is written, worked out once."""

    tag: str
    make: Callable[..., e.Event]
    values: Callable[[object], tuple[Any, ...]]
    keys: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    """Key on disk, name of the field."""
    needed: frozenset[str]
    out: tuple[tuple[str, Callable[[Any], Json]], ...]
    back: tuple[tuple[str, Callable[[Any], Any]], ...]


def _exchanges_out(exchanges: tuple[e.Exchange, ...]) -> Json:
    return [
        {
            "run_id": x.run_id, "asked": x.asked, "answer": x.answer, "asked_tokens": x.asked_tokens,
            "answer_tokens": x.answer_tokens,
        }
        for x in exchanges
    ]  # fmt: skip


def _exchanges_in(exchanges: list[dict[str, Any]]) -> tuple[e.Exchange, ...]:
    return tuple(
        e.Exchange(x["run_id"], x["asked"], x["answer"], x["asked_tokens"], x["answer_tokens"]) for x in exchanges
    )


def _pairs_in(pairs: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, said) for name, said in pairs)


_CONVERSIONS: Final[dict[str, tuple[Callable[[Any], Json], Callable[[Any], Any]]]] = {
    "usage": (_usage_out, _usage_in),
    "calls": (_calls_out, _calls_in),
    "copied": (_copied_out, _copied_in),
    "labels": (list, tuple),
    "untrusted": (list, tuple),
    "doubt": (list, tuple),
    "private": (list, tuple),
    "earlier": (_exchanges_out, _exchanges_in),
    "bound": (list, _pairs_in),
    "parts": (list, _pairs_in),
    "files": (list, _pairs_in),
    "earlier_starts": (_each_out, _each_in),
}
"""By the name of the field."""


def _key(name: str) -> str:
    return f"{name[:-6]}_usd" if name.endswith("_micro") else name.rstrip("_")


def _conversion(name: str) -> tuple[Callable[[Any], Json], Callable[[Any], Any]] | None:
    if name.endswith("_micro"):
        return _usd_out, _usd_in
    return _CONVERSIONS.get(name)


def _plan(cls: type[Any], tag: str) -> _Plan:
    names = [field.name for field in fields(cls)]
    get = attrgetter(*names)
    bare = {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}
    changed = {name: both for name in names if (both := _conversion(name))}
    return _Plan(
        tag=tag,
        make=cls,
        values=get if len(names) > 1 else lambda event: (get(event),),
        keys=tuple(_key(name) for name in names),
        names=tuple((_key(name), name) for name in names),
        needed=frozenset(_key(name) for name in bare),
        out=tuple((_key(name), both[0]) for name, both in changed.items()),
        back=tuple((name, both[1]) for name, both in changed.items()),
    )


_PLANS: Final = {cls: _plan(cls, tag) for cls, tag in TAGS.items()}
_BY_TAG: Final = {plan.tag: plan for plan in _PLANS.values()}


def fields_of(event: e.Event) -> JsonObject:
    """The event's `data`, in the names of the contract."""
    plan = _PLANS[type(event)]
    data = dict(zip(plan.keys, plan.values(event), strict=True))
    for key, convert in plan.out:
        data[key] = convert(data[key])
    return data


def encode(event: e.Event) -> tuple[str, int, str]:
    """Tag, version and JSON text. Always valid UTF-8 and valid JSON, whatever came out of a tool."""
    tag = _PLANS[type(event)].tag
    return tag, VERSIONS.get(tag, 1), json_text(fields_of(event))


def json_text(data: Json) -> str:
    """JSON without spaces. Lone surrogates are escaped; NaN and infinity, which JSON has not, become null."""
    try:
        text = _write(data)
    except ValueError:
        text = _write(_finite(data))
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _write_ascii(_finite(data))
    return text


def _finite(value: Json) -> Json:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        items = cast("JsonObject", value).items()
        return {key: _finite(each) for key, each in items}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in cast("list[Json]", value)]
    return value


def decode(tag: str, version: int, text: str, *, where: str = "journal") -> e.Event | None:
    """The event, or None for a tag that this program does not know. `where` names run and seq in an error."""
    plan = _BY_TAG.get(tag)
    if plan is None:
        return None
    try:
        data = json.loads(text)
        while upcast := UPCASTERS.get((tag, version)):
            data, version = upcast(data), version + 1
        values = {name: data[key] for key, name in plan.names if key in data}
        for name, convert in plan.back:
            if name in values:
                values[name] = convert(values[name])
        return plan.make(**values)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise _unreadable(plan, text, where) from error


def _unreadable(plan: _Plan, text: str, where: str) -> StoreUnusable:
    try:
        data: Any = json.loads(text)
    except ValueError:
        wrong = "is not JSON"
    else:
        missing = sorted(plan.needed - set(cast("JsonObject", data))) if isinstance(data, dict) else []
        wrong = f"lacks {', '.join(missing)}" if missing else "has values of the wrong kind"
    return StoreUnusable(
        f"{where}: the `{plan.tag}` event {wrong}",
        hint="The store was changed by something else: restore it from a copy.",
    )


def timestamp(ts: float) -> str:
    """UTC, ISO 8601, to the millisecond: `2026-01-31T09:00:00.250Z`."""
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def public(stamped: e.Stamped) -> JsonObject:
    """The event object of the contract, as `events` and `run --events` print it."""
    return {
        "run_id": stamped.run_id,
        "seq": stamped.seq,
        "session_id": stamped.session_id,
        "step": stamped.step,
        "event_type": TAGS[type(stamped.event)],
        "timestamp": timestamp(stamped.ts),
        "data": fields_of(stamped.event),
    }
