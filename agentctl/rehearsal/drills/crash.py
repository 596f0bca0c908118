"""The process dies by SIGKILL: in a model call, and while a tool is at work that changes something. E19, E30, E36"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from agentctl.core.contract import Contract
from agentctl.core.events import ModelAsked, ModelFailed, ModelReplied, Resumed
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import Act, Client, Finding, Scene, Seen, Use, failed, held
from agentctl.rehearsal.script import Fault, Person, Reply

INJECTED = "its process is killed in a model call, and again in a tool; another process goes on each time"
BASE, KILLED = 0, 1
LOST = "unknown_outcome"
SAFE_ENDS = {
    12: "parked, for a person to say what became of it",
    13: "denied, since nobody could say what became of it",
}


def scene(ground: Ground) -> Scene:
    """One run to its end; the same with its process killed."""
    target = _target(ground)
    replies = () if target is None else (Reply(text="I will do it now.", calls=(target.call(),)),)
    # One yes for the one call: nobody says what is to become of a call in doubt.
    person = () if target is None else (Person(target.name, "y", "the drill lets it run"),)
    hang = Fault("hang", ground.answering[0].name, requests="1")
    return Scene(
        (
            Act(ground.script(*replies, person=person)),
            Act(
                ground.script(*replies, person=person, fault=(hang,)),
                way="kill",
                kill_in="" if target is None else target.name,
            ),
        )
    )


def judge(ground: Ground, seen: Seen) -> Finding:
    """Nothing is done twice, nothing spent is forgotten, and it ends like a run that nobody killed."""
    whole, client = seen.of(BASE)[0], seen.of(KILLED)[0]
    uses = [use for use in seen.uses if use.act == KILLED]
    if client.error or not seen.kills:
        return failed(client.error or "no process could be killed: it ended before anything was under way")
    if twice := _twice(ground, uses):
        return _done_twice(ground.setup.contracts[twice[0].tool], twice)
    if lost := _forgotten(client, seen):
        return failed(lost)
    came = f"{_where(seen, uses)}; nothing done twice, nothing spent forgotten (${client.cost_usd:.4f})"
    if (client.exit_code, client.answer) == (whole.exit_code, whole.answer):
        return held(f"{came}; it ended like a run that nobody killed: {client.status}")
    if client.exit_code in SAFE_ENDS and any(not use.answered for use in uses):
        return held(f"{came}; {SAFE_ENDS[client.exit_code]} (exit {client.exit_code})")
    return failed(f"it ended {client.status} ({client.reason}), one that nobody killed {whole.status} ({whole.reason})")


def _target(ground: Ground) -> Target | None:
    return ground.effect() or ground.reader()


def _where(seen: Seen, uses: Sequence[Use]) -> str:
    """What the process was in when it was killed."""
    tools = [use.tool for use in uses if not use.answered]
    calls = seen.kills - len(tools)
    places = [*(["a model call"] if calls else []), *tools]
    times = {1: "once", 2: "twice"}.get(seen.kills, f"{seen.kills} times")
    return f"killed {times}, in {' and in '.join(places)}"


def _twice(ground: Ground, uses: Sequence[Use]) -> list[Use]:
    """Uses of one call that changed something more than once: what a key or a promise makes harmless is none."""
    calls = Counter((use.tool, use.key) for use in uses)
    keys = Counter((tool, args) for tool, _, args in {(use.tool, use.key, _said(use)) for use in uses})
    for use in uses:
        contract = ground.setup.contracts[use.tool]
        again = calls[use.tool, use.key] > 1 and not _harmless(contract)
        if not contract.read_only and (again or keys[use.tool, _said(use)] > 1):
            return [one for one in uses if one.tool == use.tool]
    return []


def _said(use: Use) -> str:
    return json.dumps(use.args, sort_keys=True)


def _harmless(contract: Contract) -> bool:
    return contract.idempotent or contract.recovery == "same_key"


def _done_twice(contract: Contract, uses: Sequence[Use]) -> Finding:
    keys = len({use.key for use in uses})
    seen = f"{contract.name} was done {len(uses)} times, under {keys} idempotency key{'s' if keys > 1 else ''}"
    if contract.recovery == "rerun":
        advice = f'in the task: [[tools]] name = "{contract.name}": recovery = "ask"'
        return failed(f'{seen}: it is not idempotent, and its recovery = "rerun"', advice=advice)
    return failed(f"{seen}: it was made anew after the crash")


def _forgotten(client: Client, seen: Seen) -> str:
    """What the books do not know of what the provider answered, or nobody was told; empty: nothing."""
    events = [stamped.event for stamped in client.events]
    asked = [one for one in seen.requests if one.run_id == client.run_id]
    # A reply that died with its process before it was written is known as lost, and paid for as if it was the dearest.
    known = [event for event in events if isinstance(event, ModelReplied | ModelFailed)]
    told = sum(isinstance(event, Resumed) for event in events)
    if len(known) < len(asked):
        return f"{len(asked)} requests reached the provider, what became of {len(known)} is in the journal"
    held = max((event.reserved_micro for event in events if isinstance(event, ModelAsked)), default=0)
    if held and any(isinstance(each, ModelFailed) and each.kind == LOST and not each.cost_micro for each in known):
        return "a request that may have been answered was taken for free"
    booked = sum(each.cost_micro for each in known) / 1e6
    if client.cost_usd < booked - 1e-9:
        return f"the requests cost ${booked:.6f}, the run knows of ${client.cost_usd:.6f}"
    if told != seen.kills:
        return f"killed {seen.kills} times, and the journal tells of {told}"
    return ""
