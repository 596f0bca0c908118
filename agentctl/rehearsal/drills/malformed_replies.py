"""Replies that are none, one after the other, each followed by a good one. E01"""

from __future__ import annotations

from collections.abc import Iterator

from agentctl.core.events import ModelFailed, ModelReplied
from agentctl.core.messages import is_object
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import DEFECT, Act, Client, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Fault, Reply

INJECTED = "garbage, nothing, another shape, a cut stream, broken JSON, absurd usage; after each a good reply"
FAULTS: tuple[tuple[str, Fault], ...] = (
    ("garbage", Fault("garbage", requests="1")),
    ("an empty body", Fault("empty", requests="1")),
    ("another shape", Fault("wrong_shape", requests="1")),
    ("a cut stream", Fault("truncate", requests="1")),
    ("broken JSON in the stream", Fault("bad_json", requests="1")),
    ("a negative usage", Fault("absurd_usage", requests="1", usage="negative")),
    ("a huge usage", Fault("absurd_usage", requests="1", usage="huge")),
    ("no usage", Fault("absurd_usage", requests="1", usage="null")),
)
BAD_ARGS = ("arguments that are no JSON", Fault("bad_args", requests="1"))
APART_S = 300.0
"""Long enough that no circuit adds them up."""
MOST_USD = 5.0
"""More than any reply of a drill can have cost, whatever the policy allows."""
LIMITS = frozenset({10, 11, 19})


def scene(ground: Ground) -> Scene | Skip:
    """Each to a client of its own, from whomever it asks."""
    acts = [Act(ground.script(fault=(fault,)), after_s=APART_S, shared=False) for _, fault in FAULTS]
    target = ground.reader() or ground.effect()
    if target is not None:
        again = (Reply(calls=(target.call(),)), Reply(calls=(target.call(),)))
        acts.append(Act(ground.script(*again, fault=(BAD_ARGS[1],)), after_s=APART_S, shared=False))
    return Scene(tuple(acts))


def judge(ground: Ground, seen: Seen) -> Finding:
    """Every run ends well, or where it can be gone on with; and what it cost can be believed."""
    names = [name for name, _ in (*FAULTS, BAD_ARGS)]
    resumable: list[str] = []
    limited: list[str] = []
    for client, name in zip(seen.clients, names, strict=False):
        thrown = client.reason == "invalid_args" and ground.policy.args.error_format == "throw"
        why = (not thrown and _broken(client)) or _unbelievable(client)
        if why:
            return failed(f"after {name}: {why}", advice=DEFECT)
        if client.exit_code == 14:
            resumable.append(name)
        elif thrown or client.exit_code in LIMITS:
            limited.append(client.reason)
    tried = [use for use in seen.uses if not _fits(ground, use.tool, use.args)]
    if tried:
        return failed(f"{tried[0].tool} ran with arguments that were no JSON", advice=DEFECT)
    well = len(seen.clients) - len(resumable) - len(limited)
    said = f"{len(seen.clients)} kinds of bad reply, {well} runs ended well"
    if resumable:
        said += f", {len(resumable)} gave up and can be resumed"
    if limited:
        said += f", {len(limited)} stopped by {limited[0]}"
    return held(f"{said}; ${sum(client.cost_usd for client in seen.clients):.4f}, nothing negative, no crash")


def _broken(client: Client) -> str:
    """How a run ended as none should; empty: as it may."""
    allowed = client.exit_code in {0, *LIMITS} or (client.exit_code == 14 and client.resumable)
    if client.error or not allowed:
        return f"{client.status}, {client.reason} ({client.exit_code}) {client.error}".strip()
    return ""


def _unbelievable(client: Client) -> str:
    """The first figure that can't be; empty: all can."""
    costs = [each.cost_micro for each in _calls(client)]
    if any(cost < 0 for cost in costs) or not 0 <= client.cost_usd <= MOST_USD:
        return f"a cost of ${client.cost_usd:.4f}"
    usage = client.body.get("usage")
    counts = usage.values() if is_object(usage) else ()
    if any(not isinstance(count, int) or count < 0 for count in counts):
        return f"a usage of {usage}"
    return ""


def _calls(client: Client) -> Iterator[ModelReplied | ModelFailed]:
    for event in (one.event for one in client.events):
        if isinstance(event, ModelReplied | ModelFailed):
            yield event


def _fits(ground: Ground, tool: str, args: dict[str, object]) -> bool:
    contract = ground.setup.contracts.get(tool)
    return contract is None or contract.check(args) is None
