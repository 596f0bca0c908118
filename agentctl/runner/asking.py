"""What a person is shown of a call: made once for the journal, so that every terminal shows the same."""

from __future__ import annotations

import json

from agentctl.approvals.base import Question
from agentctl.approvals.masks import Moved, restored
from agentctl.approvals.wording import waiting
from agentctl.core import decisions as do
from agentctl.core import receipts
from agentctl.core.contract import Contract
from agentctl.core.events import ApprovalRequested
from agentctl.core.guards import budget, cache
from agentctl.core.inflight import CallState
from agentctl.core.messages import JsonObject, is_object
from agentctl.core.tiers import Tier
from agentctl.models.caching import lifetime_s
from agentctl.runner import changes, doubt, exact, shell, words
from agentctl.runner.world import World

REMEMBERS = "this exact call of {tool} again, in this run, for an hour"


def requested(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> ApprovalRequested:
    """The request, scrubbed: all that is shown of it anywhere. D70"""
    args = world.args(call.call_id)
    bound = exact.bound(world, call, contract)
    copied = words.shown(world, exact.exactly(world, call).copied)
    rules = world.setup.policy.approval
    remembered = not (decision.once or decision.person or copied)
    cache_until, later_micro = _waiting_costs(world)
    return ApprovalRequested(
        call.call_id,
        contract.name,
        decision.tier.word,
        world.scrub.text(decision.rule),
        receipts.whole(world.call_key, bound),
        world.shown_args(call.call_id),
        copied,
        decision.once,
        bound,
        contract.owner,
        shell.parts_of(world, contract, args),
        exact.files(world, contract, args),
        changes.of_file(world, exact.change(contract, args)),
        _edited(world, call),
        words.around(world, contract),
        tuple(world.scrub.text(line) for line in doubt.known(world, call)),
        limit_micro=budget.cap_micro(world.setup.policy.budget, world.state.budget),
        remembers=REMEMBERS.format(tool=contract.name) if remembered else "",
        fixed=call.attempts > 0,
        stands_s=rules.timeout_s,
        after="the run parks" if rules.on_timeout == "park" else "it is denied",
        cache_until=cache_until,
        later_micro=later_micro,
    )


def question(world: World, call: CallState, asked: ApprovalRequested) -> Question:
    """The same for whoever sits here."""
    contract = world.setup.contracts[call.tool]
    return Question(
        world.recorder.identity.run_id,
        asked.call_id,
        asked.tool,
        asked.owner,
        asked.args,
        Tier.of(asked.tier),
        asked.rule,
        asked.digest,
        world.state.budget.spent_micro / 1e6,
        asked.limit_micro / 1e6,
        asked.stands_s,
        tuple((each.source, each.text) for each in asked.copied),
        asked.untrusted,
        asked.parts,
        asked.files,
        asked.change,
        asked.edited,
        asked.doubt,
        waiting(asked.cache_until - world.clock(), asked.later_micro),
        asked.after,
        asked.remembers,
        None if asked.fixed else lambda typed: misfit(world, call, contract, typed),
    )


def unmasked(world: World, call: CallState, typed: JsonObject) -> JsonObject:
    """Edited arguments with the secrets that were left alone.

    Raises:
        Moved: a mask stands where none was.
    """
    shown, args = world.shown_args(call.call_id), world.args(call.call_id)
    found = world.vault.filled(restored(typed, shown, args, world.setup.policy.scrub.replacement))
    return found if is_object(found) else typed


def misfit(world: World, call: CallState, contract: Contract, typed: JsonObject) -> str:
    """What is wrong with edited arguments; empty: nothing."""
    try:
        wrong = contract.check(unmasked(world, call, typed))
    except Moved as error:
        return str(error)
    return "" if wrong is None else world.scrub.text(f"{wrong.problem}. {wrong.hint}")


def _edited(world: World, call: CallState) -> str:
    """Only where somebody did: before and after, scrubbed, line by line."""
    proposed = world.proposed.get(call.call_id)
    if proposed is None:
        return ""
    args = world.said[call.call_id].args
    old, new = (json.dumps(world.scrub.data(each), ensure_ascii=False, indent=2) for each in (proposed, args))
    if old == new and json.dumps(proposed) != json.dumps(args):
        return changes.MASKED.format(old="the model", new=call.edited_by)
    return changes.compared(f"{old}\n", f"{new}\n", "the model", call.edited_by, around=1)


def _waiting_costs(world: World) -> tuple[float, int]:
    """When the prompt cache expires, and what the next request pays more then, in micro-dollars; 0, 0: nothing."""
    policy, latest = world.setup.policy, cache.latest(world.state.cache)
    if latest is None or not policy.cache.enabled:
        return 0.0, 0
    identity, known = latest
    provider = next((each for each in policy.providers if each.identity == identity), None)
    price = None if provider is None else world.setup.prices.get(provider.name)
    if provider is None or price is None:
        return 0.0, 0
    expires = known.asked + lifetime_s(provider, policy.cache.ttl)
    rate = price.rate(known.held)
    more = round(known.held * max(0.0, (rate.cache_write or rate.input) - rate.cache_read))
    return (expires, more) if expires > world.clock() and more else (0.0, 0)
