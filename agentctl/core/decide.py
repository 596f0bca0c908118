"""The seams: what happens next, decided from what happened.

With `decide_call.py` the only file that knows more than one guard. `next_action` is asked again after every event;
the order of the lines is the order in which the guards speak. Nothing here reads a clock or throws dice: `now` and
`dice` are arguments, and what the shared ledger said is an event.

    reply with open calls ─▶ UseTools ─▶ before_tool for each ─▶ after_tool
    failed model call     ─▶ after_failure
    reply without calls   ─▶ before_answer
    else                  ─▶ before_model
"""

from __future__ import annotations

from agentctl.core import decisions as do
from agentctl.core import transcript
from agentctl.core.events import ModelFailed, ModelReplied, Purpose
from agentctl.core.guards import approval, budget, circuit, context, pace, retry, route, tokens
from agentctl.core.policy import Provider
from agentctl.core.setup import Setup
from agentctl.core.state import State

NO_ANSWER = "The model gave no answer."
CUT = "Your reply was cut at the output limit. Go on exactly where it stopped."
RESUMED = "The limit was raised. Go on with the task; tools can be called again."
SHAPE = "Your answer must be JSON of the required shape, and nothing else. {problem}"
UNCHECKED = "Your work does not pass the check. Mend it, then answer again. The check said:\n{output}"
EMPTY = "Your last reply said nothing. Give your final answer now, in words."
LANDING = (
    "A limit of this run is reached ({reason}), so this is your last reply and no tool can be called. "
    "Say what you found, what is left undone, and what should be done next."
)


def next_action(setup: Setup, state: State, now: float, dice: float) -> do.Action:
    """What the loop has to do now. While landing, nothing but a person's word hides the limit that was reached."""
    action = _next(setup, state, now, dice)
    if state.run.landing is not None and isinstance(action, do.Stop) and action.reason != "denied":
        return _give_up(state)
    return action


def _next(setup: Setup, state: State, now: float, dice: float) -> do.Action:
    if approval.check(setup.policy.approval, state.approval):
        return do.Stop("stopped", "denied", 13, "Stopped: every recent request was denied.")
    if any(call.phase == "stopped" for call in state.inflight.calls):
        return do.Stop("stopped", "denied", 13, "Stopped by a person.")
    last = state.inflight.last
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
            return _land(state, reached)
    stuck = pace.check(policy.pace, state.pace)
    if stuck:
        return do.Stop("stopped", "pace", 10, stuck)
    provider = _choose(setup, state, now)
    if provider is None:
        return _no_provider(setup, state, now)
    trim = _trim(setup, state, provider)
    if trim is not None:
        return trim
    purpose: Purpose = "answer" if landing is None else "landing"
    room = _room(setup, state, provider, purpose)
    if isinstance(room, budget.Reached):
        return _land(state, room) if landing is None else _give_up(state)
    if landing is None and state.run.landed is not None:
        return do.Say("budget", "resumed", RESUMED)
    failed = state.inflight.failed
    again = failed is not None and failed.provider == provider.name
    fell_from = _stood_in_for(setup, state, provider.name)
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
        chosen_why="" if fell_from or provider.name == state.route.asked else _chain(setup, state)[1],
        uncached_tokens=tokens.uncached(state.tokens, provider.identity, state.prompt_tokens),
    )


def _chain(setup: Setup, state: State) -> tuple[tuple[str, ...], str]:
    """Who is tried, in this order, and what put the first one there if it was not its priority."""
    policy = setup.policy
    role = "landing" if state.run.landing is not None else "answer"
    names = route.order(tuple((p.name, p.priority, p.roles) for p in policy.providers), role)
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


def _stood_in_for(setup: Setup, state: State, chosen: str) -> str:
    first = next(name for name in _chain(setup, state)[0] if name in setup.ready)
    return "" if chosen in {first, state.route.asked} else first


def _choose(setup: Setup, state: State, now: float, but: str = "") -> Provider | None:
    """The first provider of the chain that is ready, not out, not passed, and whose circuit may be asked."""
    for name in _chain(setup, state)[0]:
        if name not in setup.ready or name in state.inflight.passed or name == but:
            continue
        if not route.available(state.route, name, now):
            continue
        if not circuit.check(setup.policy.circuit, state.circuit, name, now):
            return setup.provider(name)
    return None


def _no_provider(setup: Setup, state: State, now: float) -> do.Stop:
    reasons = "; ".join(_why_not(setup, state, p.name, now) for p in setup.policy.providers if "answer" in p.roles)
    return do.Stop("failed", "providers", 14, f"Max retries exceeded: no provider is left ({reasons})")


def _why_not(setup: Setup, state: State, name: str, now: float) -> str:
    if name not in setup.ready:
        return f"{name}: no key"
    if not route.available(state.route, name, now):
        until = state.route.out[name]
        return f"{name}: out" if until is None else f"{name}: rests {max(0.0, until - now):.0f}s"
    left = circuit.check(setup.policy.circuit, state.circuit, name, now)
    if left:
        return f"{name}: circuit open for {left:.0f}s"
    return f"{name}: failed"


def _trim(setup: Setup, state: State, provider: Provider) -> do.Trim | do.Stop | None:
    policy = setup.policy
    rules, size = policy.context, state.prompt_tokens
    if not rules.enabled:
        return None
    limit, hard = context.limits(rules, setup.windows.get(provider.name), provider.max_output_tokens)
    too_large = do.Stop("stopped", "context", 10, context.message(size))
    if state.context.refused:
        harder = int(size * context.HARDER)
        return too_large if state.context.hardened else _cut(rules, state, harder, harder) or too_large
    if tokens.compress(policy.tokens, state.tokens, size):
        trimmed = _cut(rules, state, int(size * rules.trim_to), limit)
        if trimmed is not None:
            return trimmed
    if size >= limit:
        trimmed = _cut(rules, state, int(limit * rules.trim_to), limit)
        if trimmed is not None:
            return trimmed
    return too_large if size > hard else None


def _cut(rules: context.Rules, state: State, target: int, limit: int) -> do.Trim | None:
    size, groups = state.prompt_tokens, transcript.units(state.transcript)
    ratio = size / max(1, state.run.fixed_tokens + state.transcript.tokens)
    middle = (target + limit) // 2  # kept messages may not fill the request again at once: each trim costs the cache
    units = tuple(
        context.Unit(group[0].seq, len(group), round(sum(entry.tokens for entry in group) * ratio)) for group in groups
    )
    fixed = size - sum(unit.tokens for unit in units)
    made = context.cut(rules, fixed, units, target, middle)
    return None if made is None else do.Trim(made.first_kept, made.dropped, made.tokens, size)


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


def _land(state: State, reached: budget.Reached) -> do.Land | do.Stop:
    """The last answer; or the stop at once, where that limit has had its last answer and stands as it stood."""
    landed = state.run.landed
    if landed is not None and state.run.landing_done and landed.reason == reached.reason:
        return do.Stop("stopped", reached.reason, _limit_code(reached.reason), reached.message)
    return do.Land("budget", reached.reason, reached.message, LANDING.format(reason=reached.reason))


def _give_up(state: State) -> do.Stop:
    landing = state.run.landing
    reason, message = (landing.reason, landing.message) if landing is not None else ("run_usd", "")
    return do.Stop("stopped", reason, _limit_code(reason), message)


def _limit_code(reason: str) -> int:
    return 11 if reason in {"loop", "no_progress"} else 10


def after_failure(setup: Setup, state: State, failed: ModelFailed, now: float, dice: float) -> do.Action:
    """Wait and try again, rest this provider, take the next one, trim harder, or stop."""
    policy = setup.policy
    if state.inflight.retry_at:
        left = state.inflight.retry_at - now
        return do.Sleep(left) if left > 0 else before_model(setup, state, now)
    if failed.kind == "context":
        if not policy.context.enabled:
            return do.Stop("stopped", "context", 10, context.message(state.context.asked))
        return before_model(setup, state, now)
    if failed.kind == "invalid":
        return do.Stop("failed", "providers", 14, f"{failed.provider} refused the request: {failed.message}")
    following = _choose(setup, state, now, but=failed.provider)
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
        return before_model(setup, state, now) if landing is None else _give_up(state)
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
