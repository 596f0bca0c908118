"""The seams: what happens next, decided from what happened.

Only this file, `decide_call.py` and `decide_end.py` know more than one guard. `next_action` is asked again after every
event; the order of the lines is the order in which the guards speak. Nothing here reads a clock or throws dice: `now`
and `dice` are arguments, and what the shared ledger said is an event.

    reply with open calls ─▶ UseTools ─▶ before_tool for each ─▶ after_tool
    failed model call     ─▶ after_failure
    reply without calls   ─▶ before_answer
    else                  ─▶ before_model
"""

from __future__ import annotations

from collections.abc import Iterable

from agentctl.core import decisions as do
from agentctl.core import recap, transcript
from agentctl.core.decide_end import circling, give_up, goes_on, land
from agentctl.core.events import ModelFailed, ModelReplied, Purpose
from agentctl.core.guards import (
    approval,
    budget,
    circuit,
    context,
    handoff,
    pace,
    retry,
    route,
    tokens,
    trust,
)
from agentctl.core.policy import Provider, Role
from agentctl.core.setup import Setup
from agentctl.core.state import State

NO_ANSWER = "The model gave no answer."
CUT = "Your reply was cut at the output limit. Go on exactly where it stopped."
SHAPE = "Your answer must be JSON of the required shape, and nothing else. {problem}"
UNCHECKED = "Your work does not pass the check. Mend it, then answer again. The check said:\n{output}"
EMPTY = "Your last reply said nothing. Give your final answer now, in words."
CLOCK_S = 1.0
"""No delay is longer than its limit and this: where one seems to be, the clock was set back, and it is over."""


def next_action(setup: Setup, state: State, now: float, dice: float) -> do.Action:
    """What the loop has to do now. While landing, nothing but a person's word hides the limit that was reached."""
    action = _next(setup, state, now, dice)
    if (
        state.run.landing is not None
        and isinstance(action, do.Stop)
        and action.reason not in {"denied", "system_prompt"}
    ):
        return give_up(state)
    return action


def _next(setup: Setup, state: State, now: float, dice: float) -> do.Action:
    if approval.check(setup.policy.approval, state.approval):
        return do.Stop("stopped", "denied", 13, "Stopped: every recent request was denied.")
    handed = handoff.check(setup.policy.handoff, state.handoff)
    if handed is not None:
        return do.Stop("stopped", "handoff", 19, handoff.sentence(handed), handed)
    if any(call.phase == "stopped" for call in state.inflight.calls):
        return do.Stop("stopped", "denied", 13, "Stopped by a person.")
    last = state.inflight.last
    if last is not None and last.withheld:
        return do.Stop("failed", last.withheld, 15, trust.WITHHELD)
    if last is not None and last.stop_reason == "refusal" and last.purpose == "answer":
        return before_answer(setup, state, last, now)
    if state.inflight.open_calls:
        return do.UseTools()
    if state.inflight.failed is not None:
        return after_failure(setup, state, state.inflight.failed, now, dice)
    if last is not None and (not state.inflight.calls or last.purpose == "landing"):
        return before_answer(setup, state, last, now)
    return before_model(setup, state, now)


def before_model(setup: Setup, state: State, now: float) -> do.Action:
    """Which request is made, if there is room for one."""
    policy, landing = setup.policy, state.run.landing
    if landing is None:
        reached = budget.check(policy.budget, state.budget, now)
        if reached is not None:
            return land(state, reached)
        stuck_in = circling(setup, state)
        if stuck_in is not None:
            return stuck_in
    chain, why_first = _chain(setup, state)
    provider = _choose(setup, state, chain, now)
    if provider is None:
        return _no_provider(setup, state, chain, now)
    trim = _trim(setup, state, provider)
    if trim is not None:
        return _summary(setup, state, provider, trim, now) or trim
    purpose: Purpose = "answer" if landing is None else "landing"
    room = _room(setup, state, provider, purpose)
    if isinstance(room, budget.Reached):
        return land(state, room) if landing is None else give_up(state)
    if landing is None and state.run.landed is not None:
        return goes_on(state.run.landed)
    failed = state.inflight.failed
    again = failed is not None and failed.provider == provider.name
    fell_from = "" if provider.name in {chain[0], state.route.asked} else chain[0]
    return do.AskModel(
        provider.name,
        purpose,
        attempt=failed.attempt + 1 if failed is not None and again else 1,
        estimated_tokens=state.prompt_tokens,
        max_output_tokens=room.max_output_tokens,
        reserve_micro=room.reserve_micro,
        cap_micro=room.cap_micro,
        fell_from=fell_from,
        fell_why=_why_not(setup, state, fell_from, now) if fell_from else "",
        chosen_why="" if fell_from or provider.name == state.route.asked else why_first,
        uncached_tokens=tokens.uncached(state.tokens, provider.identity, state.prompt_tokens),
    )


def _chain(setup: Setup, state: State) -> tuple[tuple[str, ...], str]:
    """Who of the ready is tried, in this order, and what put the first one there if it was not its priority."""
    policy = setup.policy
    ready = [provider for provider in policy.providers if provider.name in setup.ready]
    names = _order(ready, "landing" if state.run.landing is not None else "answer")
    names += tuple(name for name in _order(ready, "answer") if name not in names)
    cap = budget.cap_micro(policy.budget, state.budget)
    if policy.budget.enabled and route.saves(policy.route, state.budget.spent_micro, cap):
        costs = {
            name: price.worst(state.prompt_tokens, budget.LEAST_OUTPUT)
            for name in names
            if (price := setup.prices.get(name))
        }
        if costs:
            return route.first(
                names, min(costs, key=costs.__getitem__)
            ), f"above {policy.route.cheaper_above:.0%} of run_usd"
    name, why = route.preferred(policy.route, state.route)
    return (route.first(names, name), why) if name in names else (names, "")


def _order(providers: Iterable[Provider], role: Role) -> tuple[str, ...]:
    return route.order(tuple((each.name, each.priority, each.roles) for each in providers), role)


def _choose(setup: Setup, state: State, chain: tuple[str, ...], now: float, but: str = "") -> Provider | None:
    """The first provider of the chain that is not out, not passed, and whose circuit and minute may be asked."""
    for name in chain:
        if name != but and _may_be_asked(setup, state, name, now):
            return setup.provider(name)
    return None


def _may_be_asked(setup: Setup, state: State, name: str, now: float) -> bool:
    if name in state.inflight.passed or not route.available(state.route, name, now):
        return False
    rests = circuit.check(setup.policy.circuit, state.circuit, name, now)
    return not (rests or pace.check(setup.policy.pace, state.pace, name, now))


def _no_provider(setup: Setup, state: State, chain: tuple[str, ...], now: float) -> do.Stop:
    full = [name for name in chain if pace.check(setup.policy.pace, state.pace, name, now)]
    if full:
        rest = min((state.pace.rests[name] for name in full), key=lambda each: each.until)
        return do.Stop("stopped", "pace", 10, pace.message(setup.policy.pace, rest))
    able = [provider.name for provider in setup.policy.providers if "answer" in provider.roles]
    reasons = "; ".join(f"{name}: {_why_not(setup, state, name, now)}" for name in able)
    return do.Stop("failed", "providers", 14, f"Max retries exceeded: no provider is left ({reasons})")


def _why_not(setup: Setup, state: State, name: str, now: float) -> str:
    if name not in setup.ready:
        return "no key"
    if not route.available(state.route, name, now):
        until = state.route.out[name]
        return "out" if until is None else f"rests {max(0.0, until - now):.0f}s"
    left = circuit.check(setup.policy.circuit, state.circuit, name, now)
    if left:
        return f"circuit open for {left:.0f}s"
    left = pace.check(setup.policy.pace, state.pace, name, now)
    if left:
        return f"{state.pace.rests[name].window} full for {left:.0f}s"
    return "failed"


def _trim(setup: Setup, state: State, provider: Provider) -> do.Trim | do.Stop | None:
    rules, size = setup.policy.context, state.prompt_tokens
    if not rules.enabled:
        return None
    limit, hard = context.limits(rules, setup.windows.get(provider.name), provider.max_output_tokens)
    if state.context.summary and (trim := _cut_for_summary(rules, state, limit)):
        return trim
    too_large = do.Stop("stopped", "context", 10, context.message(size))
    if state.context.refused:
        harder = int(size * context.HARDER)
        return too_large if state.context.hardened else _cut(rules, state, limit, harder, harder) or too_large
    if tokens.compress(setup.policy.tokens, state.tokens, size):
        trimmed = _cut(rules, state, limit, int(size * rules.trim_to), limit)
        if trimmed is not None:
            return trimmed
    if size >= limit:
        trimmed = _cut(rules, state, limit, int(limit * rules.trim_to), limit)
        if trimmed is not None:
            return trimmed
    return too_large if size > hard else None


def _cut(rules: context.Rules, state: State, limit: int, target: int, most: int) -> do.Trim | None:
    """A trim down to `target`; recent messages may keep it up to halfway between that and `most`."""
    size, groups, ratio = state.prompt_tokens, transcript.units(state.transcript), _ratio(state)
    if _summarises(rules, state, limit):
        grown = _grown(rules, state, limit, context.SUMMARY_TOKENS)
        target, most = target - grown, most - grown
    middle = (target + most) // 2  # kept messages may not fill the request again at once: each trim costs the cache
    units = tuple(
        context.Unit(group[0].seq, len(group), round(sum(entry.tokens for entry in group) * ratio)) for group in groups
    )
    fixed = size - sum(unit.tokens for unit in units)
    made = context.cut(rules, fixed, units, target, middle)
    if made is None:
        return None
    return do.Trim(made.first_kept, made.dropped, made.tokens, size, most=context.summaries(rules, limit))


def _cut_for_summary(rules: context.Rules, state: State, limit: int) -> do.Trim | None:
    """The trim that the summary in hand was made for."""
    first, size = state.context.covers, state.prompt_tokens
    dropped = state.transcript.before(first)
    gone = round(sum(entry.tokens for entry in dropped) * _ratio(state))
    left = size - gone + _grown(rules, state, limit, state.context.summary_tokens)
    most = context.summaries(rules, limit)
    return do.Trim(first, len(dropped), left, size, state.context.summary, most) if dropped else None


def _ratio(state: State) -> float:
    """How much larger messages were counted than they were estimated."""
    return state.prompt_tokens / max(1, state.run.fixed_tokens + state.transcript.tokens)


def _grown(rules: context.Rules, state: State, limit: int, tokens: int) -> int:
    """How much longer the summaries get by one of so many tokens."""
    has = state.transcript.summary_tokens
    return min(has + tokens, context.summaries(rules, limit)) - has


def _summarises(rules: context.Rules, state: State, limit: int) -> bool:
    """Not for the last answer: what is left is kept for that."""
    messages = len(state.transcript.messages)
    return state.run.landing is None and context.summarises(rules, state.context, messages, limit)


def _summary(
    setup: Setup, state: State, answering: Provider, trim: do.Trim | do.Stop, now: float
) -> do.AskModel | None:
    """The request for a summary of what a trim drops, where one is wanted and to be had. B03, B06"""
    policy = setup.policy
    limit = context.limits(policy.context, setup.windows.get(answering.name), answering.max_output_tokens)[0]
    if not isinstance(trim, do.Trim) or trim.summary or not _summarises(policy.context, state, limit):
        return None
    provider = _summariser(setup, state, answering, now)
    size = recap.size(state.transcript.before(trim.first_kept))
    output = min(context.SUMMARY_TOKENS, provider.max_output_tokens, trim.most)
    if size > context.limits(policy.context, setup.windows.get(provider.name), output)[1]:
        return None
    if size + output > tokens.left(policy.tokens, state.tokens, policy.budget.landing):
        return None
    price, worst = setup.prices.get(provider.name), int(size * context.DENSEST)
    room = budget.room(policy.budget, state.budget, price, worst, output, landing=False)
    if isinstance(room, budget.Reached):
        return None
    return do.AskModel(
        provider.name,
        "summary",
        attempt=1,
        estimated_tokens=size,
        max_output_tokens=room.max_output_tokens,
        reserve_micro=room.reserve_micro,
        cap_micro=room.cap_micro,
        uncached_tokens=size,
        upto=trim.first_kept,
    )


def _summariser(setup: Setup, state: State, answering: Provider, now: float) -> Provider:
    """Who has the role and may be asked now; else who answers."""
    for name in _order(setup.policy.providers, "summary"):
        if name in setup.ready and _may_be_asked(setup, state, name, now):
            return setup.provider(name)
    return answering


def _room(setup: Setup, state: State, provider: Provider, purpose: Purpose) -> budget.Room | budget.Reached:
    policy, landing = setup.policy, purpose == "landing"
    size, prompt = state.prompt_tokens, context.worst(state.context, provider.identity)
    kept = 0.0 if landing else policy.budget.landing
    least = min(budget.LEAST_LANDING if landing else budget.LEAST_OUTPUT, provider.max_output_tokens)
    uncached = tokens.uncached(state.tokens, provider.identity, size)
    output = min(provider.max_output_tokens, tokens.left(policy.tokens, state.tokens, kept) - uncached)
    if output < least:
        return budget.Reached("tokens", tokens.message(policy.tokens, state.tokens))
    price = setup.prices.get(provider.name)
    return budget.room(policy.budget, state.budget, price, prompt, output, landing=landing)


def after_failure(setup: Setup, state: State, failed: ModelFailed, now: float, dice: float) -> do.Action:
    """Wait and try again, rest this provider, take the next one, trim harder, or stop."""
    policy = setup.policy
    if state.inflight.retry_at:
        left = state.inflight.retry_at - now
        due = left <= 0 or left > policy.retry.max_delay_s + CLOCK_S
        return before_model(setup, state, now) if due else do.Sleep(left)
    if failed.kind == "context":
        if not policy.context.enabled:
            return do.Stop("stopped", "context", 10, context.message(state.context.asked))
        return before_model(setup, state, now)
    if failed.kind == "invalid":
        return do.Stop("failed", "providers", 14, f"{failed.provider} refused the request: {failed.message}")
    following = _choose(setup, state, _chain(setup, state)[0], now, but=failed.provider)
    to = following.name if following is not None else ""
    if failed.kind in {"auth", "quota"}:
        return do.LeaveProvider(failed.provider, to, f"{failed.kind}: {failed.message}", None)
    if retry.too_long(policy.retry, failed):
        until = now + (failed.retry_after_s or 0.0)
        return do.LeaveProvider(failed.provider, to, f"asked for a rest of {failed.retry_after_s:.0f}s", until)
    delay = retry.delay(policy.retry, failed, dice) if retry.worthwhile(policy.retry, failed) else None
    opened = circuit.check(policy.circuit, state.circuit, failed.provider, now) > 0
    if delay is None or opened:
        return do.NextProvider(failed.provider, to, "circuit open" if opened else failed.kind)
    return do.Retry(failed.attempt, delay)


def before_answer(setup: Setup, state: State, reply: ModelReplied, now: float) -> do.Action:
    """What a reply without calls comes to."""
    landing = state.run.landing
    if reply.stop_reason == "refusal":
        why = f": {reply.refusal}" if reply.refusal else ""
        return do.Stop("failed", "refusal", 18, f"The model refused to answer{why}")
    if reply.purpose == "landing":
        return before_model(setup, state, now) if landing is None else give_up(state)
    match reply.stop_reason:
        case "pause":
            return before_model(setup, state, now)
        case "context_exceeded" | "max_tokens":
            return do.Say("answer", "cut", CUT)
        case _ if not state.run.answer.strip():
            if state.run.nudged:
                return do.Stop("failed", "output", 15, NO_ANSWER)
            return do.Say("answer", "empty", EMPTY)
        case _:
            return _accept(setup, state)


def _accept(setup: Setup, state: State) -> do.Action:
    """The answer is the answer once it has its shape and the task's check has passed. G20"""
    problem = setup.output(state.run.answer) if setup.output is not None else ""
    if problem:
        if state.run.output_tries >= setup.output_retries:
            return do.Stop("failed", "output", 15, f"The answer does not have the required shape: {problem}")
        return do.Say("output", "output", SHAPE.format(problem=problem))
    if setup.check_retries is None or state.run.checked:
        return do.Stop("completed", "done", 0)
    if state.run.checked is None:
        return do.RunCheck()
    if state.run.check_tries > setup.check_retries:
        return do.Stop("failed", "check", 15, "The check has not passed.")
    return do.Say("check", "check", UNCHECKED.format(output=state.run.check_output))
