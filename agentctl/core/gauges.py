"""How close a run is to each of its limits, and how healthy what it depends on is, as one reads it on a screen."""

from __future__ import annotations

from collections.abc import Iterator

from agentctl.core.guards import budget, cache, circuit, loops, progress, tokens, trust
from agentctl.core.policy import Policy
from agentctl.core.remarks import Tone, usd
from agentctl.core.state import State
from agentctl.core.summary import Summary
from agentctl.records import dataclass

MOST_NAMED = 3
"""Sources of untrusted text that are named."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One line: a name, how full it is, and what stands behind it."""

    key: str
    """The policy's word for it."""
    text: str
    share: float | None = None
    """Of its limit; None: it has none, or none is known."""
    tone: Tone = "plain"


def gauges(
    policy: Policy | None, state: State, totals: Summary, now: float, pace: Gauge | None = None
) -> tuple[Gauge, ...]:
    """Spend, steps, time, tokens, context, loops, progress, circuits, cache and labels, at that moment.

    `pace` is `minute`, where somebody has asked the store.
    """
    return (
        *_budget(policy, state, now),
        _tokens(policy, state),
        _context(policy, state),
        *([pace] if pace else ()),
        *_pace(state, now),
        _loops(policy, state),
        _progress(policy, state),
        *circuits(policy, state, now),
        _cache(policy, state, totals),
        *_labels(state),
    )


def spent(policy: Policy | None, state: State) -> Gauge:
    """Dollars."""
    used = state.budget.spent_micro
    if policy is None or not policy.budget.enabled:
        return Gauge("run_usd", usd(used))
    cap = budget.cap_micro(policy.budget, state.budget)
    return _bar("run_usd", used, cap, f"{usd(used)} of ${cap / 1e6:,.2f}", policy.budget.warn_at)


def _budget(policy: Policy | None, state: State, now: float) -> Iterator[Gauge]:
    yield spent(policy, state)
    rules = policy.budget if policy else budget.Rules()
    known = policy is not None and rules.enabled
    for gauge in budget.gauges(rules, state.budget, now)[1:]:
        unit = "s" if gauge.key == "max_wall_s" else ""
        text = f"{gauge.used:,.0f}{unit}"
        if not known:
            yield Gauge(gauge.key, text)
            continue
        yield _bar(gauge.key, gauge.used, gauge.limit, f"{text} of {gauge.limit:,.0f}{unit}", rules.warn_at)


def _tokens(policy: Policy | None, state: State) -> Gauge:
    used = state.tokens.used
    if policy is None or not policy.tokens.enabled:
        return Gauge("tokens", f"{used:,}")
    total = tokens.total(policy.tokens, state.tokens)
    return _bar("tokens", used, total, f"{used:,} of {total:,}", policy.tokens.warn_at)


def _context(policy: Policy | None, state: State) -> Gauge:
    used = state.prompt_tokens
    if policy is None or not policy.context.enabled:
        return Gauge("context", f"{used:,}")
    most = policy.context.max_tokens
    return _bar("context", used, most, f"{used:,} of {most:,}", 0.9)


def _pace(state: State, now: float) -> Iterator[Gauge]:
    for provider, held in state.pace.rests.items():
        if held.until > now:
            yield Gauge("pace", f"{provider}: {held.window} full, {held.until - now:,.0f}s", None, "warn")


def minute(policy: Policy, tokens_used: int, micro_used: int) -> Gauge | None:
    """How full the current minute of the provider is, by the fuller one of its two limits; None: nobody watches it."""
    rules = policy.pace
    if not rules.enabled:
        return None
    if micro_used / 1e6 / rules.usd_per_minute > tokens_used / rules.tokens_per_minute:
        text = f"${micro_used / 1e6:,.2f} of ${rules.usd_per_minute:,.2f} a minute"
        return _bar("pace", micro_used / 1e6, rules.usd_per_minute, text, 0.9)
    text = f"{tokens_used:,} of {rules.tokens_per_minute:,}/min"
    return _bar("pace", tokens_used, rules.tokens_per_minute, text, 0.9)


def _loops(policy: Policy | None, state: State) -> Gauge:
    """Equal calls among the last ones."""
    rules = policy.loops if policy and policy.loops.enabled else None
    if rules is None:
        return Gauge("loops", "not watched" if policy else "no policy to tell", None, "quiet")
    most, limit, refused = loops.most_alike(rules, state.loops), rules.max_repeats, loops.refuses(rules, state.loops)
    tone: Tone = "bad" if refused else "warn" if most >= limit - 1 and most > 1 else "plain"
    said = ", one refused" if refused else ""
    return Gauge("loops", f"{most} alike of {limit}{said}", min(1.0, most / limit), tone)


def _progress(policy: Policy | None, state: State) -> Gauge:
    if policy is None or not policy.progress.enabled:
        return Gauge("progress", "not watched" if policy else "no policy to tell", None, "quiet")
    limit, alike = policy.progress.max_stale, progress.alike(policy.progress, state.progress)
    tone: Tone = "bad" if alike >= limit else "warn" if alike == limit - 1 and alike > 1 else "plain"
    return Gauge("progress", f"{alike} same of {limit}", min(1.0, alike / limit), tone)


def circuits(policy: Policy | None, state: State, now: float) -> Iterator[Gauge]:
    """Those of the answering providers, and whatever else is open: `anthropic OPEN 42s`."""
    known = [each.name for each in policy.providers if "answer" in each.roles] if policy else []
    asked = [state.route.asked] if state.route.asked else []
    for name in dict.fromkeys((*known, *asked, *state.circuit.open)):
        at = state.circuit.open.get(name)
        if at is None:
            yield Gauge("circuit", f"{name} closed", None, "good" if name == state.route.asked else "quiet")
            continue
        left = circuit.check(policy.circuit, state.circuit, name, now) if policy else at - now
        yield Gauge("circuit", open_words(name, left), None, "bad" if left else "warn")


def open_words(name: str, left: float) -> str:
    """`anthropic OPEN 42s`, `anthropic half-open`."""
    return f"{name} OPEN {left:,.0f}s" if left and left > 0 else f"{name} half-open"


def _cache(policy: Policy | None, state: State, totals: Summary) -> Gauge:
    ratio = totals.cache_hit_ratio
    if ratio is None:
        return Gauge("cache", "no reply yet", None, "quiet")
    least = policy.cache.min_hit_ratio if policy and policy.cache.enabled else 0.0
    low = bool(least) and state.run.step > 1 and ratio < least
    spoilt = cache.latest(state.cache) is None and state.run.step > 1
    return Gauge("cache", f"{ratio:.1%} read", ratio, "warn" if low or spoilt else "plain")


def _labels(state: State) -> Iterator[Gauge]:
    for key, names in (("untrusted", trust.sources(state.trust)), ("private", state.trust.private)):
        if names:
            more = f" +{len(names) - MOST_NAMED}" if len(names) > MOST_NAMED else ""
            yield Gauge(key, f"{', '.join(names[:MOST_NAMED])}{more}", None, "warn" if key == "untrusted" else "plain")


def _bar(key: str, used: float, limit: float, text: str, warn_at: float) -> Gauge:
    share = used / limit if limit > 0 else 1.0
    return Gauge(key, text, min(1.0, share), "bad" if share >= 1 else "warn" if share >= warn_at else "plain")
