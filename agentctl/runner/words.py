"""Somebody else's words on their way into a run: labelled, cleaned, marked, kept to be compared with, looked through.

What a model is sent of them is recorded as it was sent, so that a resumed run sends it again to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from agentctl.config import variables
from agentctl.config.task import Filled
from agentctl.core import suspicion, wrapping
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import Copied, InjectionSuspected, Stamped, ToolFinished
from agentctl.core.guards import trust
from agentctl.core.messages import Json
from agentctl.core.task import Task, Var
from agentctl.core.tiers import Tier
from agentctl.journal.store import Store
from agentctl.runner.copied import MOST, leaves
from agentctl.runner.order import Order
from agentctl.runner.world import World
from agentctl.tools import protected

VARIABLE = "var."


def foreign(task: Task, goal: str, system: str, order: Order, filled: Filled) -> dict[str, str]:
    """The variables whose words are somebody else's, by name, with their values.

    Those that came out of a file or through stdin, unless the task says `untrusted = false` or leaves them no room:
    what has to match a pattern or to be one of some choices carries no orders.
    """
    said = "\n".join((goal, system, json.dumps([step.args for step in task.steps], ensure_ascii=False)))
    used = set(variables.placeholder.findall(said))
    return {
        name: variables.written(filled.values[name])
        for name, var in task.vars.items()
        if name in filled.values and name in used and _is_foreign(var, piped=name == order.piped)
    }


def _is_foreign(var: Var, *, piped: bool) -> bool:
    if var.untrusted is not None:
        return var.untrusted
    free = var.type in {"string", "file"} and not var.choices and var.pattern is None
    return free and (var.type == "file" or piped)


def begun(world: World, goal: str, system: str, given: Mapping[str, str]) -> None:
    """What the run starts with: the task's own words, and those that came in through its variables."""
    for name, text in given.items():
        world.untrusted.add(f"{VARIABLE}{name}", text)
    world.untrusted.trust(*(_without(text, given.values()) for text in (goal, system)))


def looked_through(world: World, goal: str, filled: Filled) -> None:
    """Suspicions about what the run starts with. D20"""
    texts = {name: value for name, value in filled.values.items() if isinstance(value, str)}
    suspect(world, "goal", _without(goal, texts.values()))
    for name, text in texts.items():
        suspect(world, f"{VARIABLE}{name}", text)


def _without(text: str, values: Iterable[str]) -> str:
    for value in sorted(values, key=len, reverse=True):
        if value:
            text = text.replace(value, "\n")
    return text


def cleaned(world: World, contract: Contract, answer: Envelope) -> Envelope:
    """A tool's answer as the run takes it in."""
    taken = contract.untrusted and world.setup.policy.trust.enabled
    return wrapping.cleaned(answer) if taken else answer


def sent(world: World, finished: ToolFinished, text: str) -> str:
    """An answer as the model is sent it; what is somebody else's is kept to be compared with."""
    if "untrusted" not in finished.labels or not world.setup.policy.trust.enabled:
        return text
    run_id = world.recorder.identity.run_id
    mark = world.call_key(f"mark {run_id} {finished.call_id}".encode())[:16]
    marked = wrapping.wrap(text, finished.tool, mark)
    if not finished.shared_with:
        world.untrusted.add(finished.tool, marked)
    return marked


def suspect(world: World, source: str, value: Json, call_id: str = "") -> None:
    """Log what reads like an injection. D21, D22, D109"""
    rules = world.setup.policy.trust
    if not (rules.enabled and rules.detect):
        return
    for kind in suspicion.suspected("\n".join(leaves(value))):
        world.recorder.record(InjectionSuspected(source, kind, call_id))


def compared(world: World, contract: Contract | None, args: Json) -> tuple[tuple[Copied, ...], str]:
    """What the gate has to know of a call's arguments: copies of untrusted text, and the protected file they name."""
    if contract is None or not world.setup.policy.trust.enabled:
        return (), ""
    # The built-in file tools look at the file itself, and refuse.
    looks = contract.read_only or contract.base_tier in {Tier.SAFE, Tier.LOW}
    writes = "" if looks else protected.named(leaves(args), world.folder, world.own_files)
    return world.untrusted.found_in(args), writes


def shown(world: World, copied: tuple[Copied, ...]) -> tuple[Copied, ...]:
    """Copies as they may be written and shown."""
    return tuple(Copied(world.scrub.text(each.text), each.source, each.recipient) for each in copied)


def around(world: World, contract: Contract) -> tuple[str, ...]:
    """Whose words are in the run while this call is decided; none for a call that only reads what stays here."""
    matters = contract.egress or not contract.read_only
    return trust.sources(world.state.trust) if matters and world.setup.policy.trust.enabled else ()


def recalled(world: World, journal: Store, events: Sequence[Stamped]) -> None:
    """The results that are compared with, as far back as they are kept."""
    found: list[tuple[str, str]] = []
    size = 0
    for stamped in reversed(events):
        done = stamped.event
        if size < MOST and isinstance(done, ToolFinished) and _is_kept(done):
            text = journal.original(stamped.run_id, done.sealed).decode() if done.sealed else json.dumps(done.result)
            found.append((done.tool, text))
            size += len(text)
    for source, text in reversed(found):
        world.untrusted.add(source, text)


def _is_kept(done: ToolFinished) -> bool:
    return done.final and not done.shared_with and "untrusted" in done.labels
