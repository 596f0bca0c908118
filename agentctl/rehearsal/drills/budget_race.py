"""Many clients at once spend what they share; no limit in USD is passed by a micro-dollar. A18, D48"""

from __future__ import annotations

import json
from dataclasses import replace

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.core.events import ModelReplied
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.core.prices import micro
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import Act, Behaviour, Change, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Reply, ScriptUsage

INJECTED = "20 clients at once, of one user and one session, under limits scaled down so that they are reached"
CLIENTS, STEPS, DELAY_S = 20, 8, 0.5
MOST_OUTPUT, OUTPUT = 64, 60
"""Tokens: of a reply at the most, which is the least that a last answer needs, and of each that is given."""
NEWS = (
    "a parcel was seen in Leipzig", "the invoice has two pages", "nobody answers the telephone", "rain until Sunday",
    "a blue bicycle stands outside", "the train to Porto is late", "seven boxes of green tea", "an owl in the barn",
    "flour costs less this week", "the bridge is being painted", "chess club meets upstairs", "a cello for sale",
)  # fmt: skip
LANDING_TOKENS = 1_024
"""What a run keeps room for beside its prompt, for its last answer."""
SHARED = ("session_usd", "user_daily_usd", "tenant_daily_usd", "hourly_usd")


def scene(ground: Ground) -> Scene | Skip:
    """Each asks for more than its own limit, and all for more than they share."""
    if not _worst(ground, 0):
        return Skip("its provider costs nothing: no limit in USD can be reached")
    usage, target = ScriptUsage(_prompt(ground), OUTPUT), _target(ground)
    replies = [] if target is None else [_step(target, number, usage) for number in range(STEPS)]
    last = replace(ground.final(), usage=usage, delay_s=DELAY_S)
    script = replace(ground.script(), reply=(*replies, last))
    tools: dict[str, Behaviour] = {} if target is None else {target.name: _news}
    act = Act(script, tools, CLIENTS, sessions=ground.policy.budget.session_usd is not None)
    return Scene((act,), change=lambda policy: _scaled(ground, policy))


def judge(ground: Ground, seen: Seen) -> Finding:
    """Every limit that is set holds, and money was only spent on requests."""
    rules = _scaled(ground, ground.policy).budget
    spent = {client.run_id: micro(client.cost_usd) for client in seen.clients}
    total = sum(spent.values())
    used = {"run_usd": max(spent.values()), **dict.fromkeys(SHARED, total)}
    limits = {key: micro(limit) for key in used if (limit := getattr(rules, key)) is not None}
    passed = [key for key, limit in limits.items() if used[key] > limit]
    said = ", ".join(f"{key} ${limit / 1e6:.6f}" for key, limit in limits.items())
    counted = f"{CLIENTS} clients at once, under {said}"
    if passed:
        over = ", ".join(f"{key} by ${(used[key] - limits[key]) / 1e6:.6f}" for key in passed)
        return failed(f"{counted}: passed {over}", Change("budget.enabled", value=True))
    if wrong := _unpaid(seen):
        return failed(f"{counted}; {wrong}")
    reached = any(client.reason in limits for client in seen.clients)
    return held(f"{counted}: {'reached, and not' if reached else 'not reached, nor'} passed by a micro-dollar")


def _target(ground: Ground) -> Target | None:
    found = ground.reader()
    return found if found is not None and found.varies else None


def _step(target: Target, number: int, usage: ScriptUsage) -> Reply:
    return Reply(text=f"Part {number}.", calls=(target.call(number),), usage=usage, delay_s=DELAY_S)


def _news(_: JsonObject, number: int) -> Envelope:
    """Something else each time: nobody goes round in circles."""
    return envelope.success({"found": NEWS[number % len(NEWS)]})


def _scaled(ground: Ground, policy: Policy) -> Policy:
    """The limits that are set, at a fraction of what the clients ask for; replies that are short, so that many fit."""
    shared = [key for key in SHARED if getattr(policy.budget, key) is not None]
    call, last = _worst(ground, 0), _worst(ground, LANDING_TOKENS)
    own = call // 3 if _target(ground) is None and not shared else 4 * call + last
    together = CLIENTS // 4 * call if _target(ground) is None else 3 * own
    scaled = {"run_usd": own / 1e6, **dict.fromkeys(shared, together / 1e6)}
    providers = tuple(replace(each, max_output_tokens=MOST_OUTPUT) for each in policy.providers)
    budget = replace(policy.budget, **scaled)  # type: ignore[arg-type]  # keys in USD
    return replace(policy, budget=budget, providers=providers)


def _worst(ground: Ground, more: int) -> int:
    """The most that a call with so many tokens more costs, in micro-dollars."""
    price = ground.setup.prices.get(ground.answering[0].name)
    return 0 if price is None else price.worst(_prompt(ground) + more, MOST_OUTPUT)


def _prompt(ground: Ground) -> int:
    """Tokens of the first prompt, rather too few: what is reserved for a call covers it."""
    tools = json.dumps([[each.contract.description, each.contract.parameters] for each in ground.targets()])
    return len(ground.system + ground.goal + tools) // 5


def _unpaid(seen: Seen) -> str:
    """Money without a request, or a reply that nobody paid for; empty: neither."""
    for client in seen.clients:
        answered = sum(one.status == 200 for one in seen.requests if one.run_id == client.run_id)
        replies = [at.event for at in client.events if isinstance(at.event, ModelReplied)]
        if len(replies) != answered or micro(client.cost_usd) < sum(each.cost_micro for each in replies):
            return f"client {client.number} paid for {len(replies)} replies, and {answered} requests were answered"
        if client.cost_usd and not answered:
            return f"client {client.number} paid ${client.cost_usd:.6f} without a request"
    return ""
