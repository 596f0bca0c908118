"""What a list of many runs shows of each beside its row: folded from the few events that say it.

A run may be looked at from the middle: what was not heard of yet is empty. That is what makes the first look at many
long runs cheap; a run's own page folds all of it.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final

from agentctl.core import events as e
from agentctl.core.doing import doing_at, rest
from agentctl.records import dataclass, replace

KINDS: Final = (
    e.RunStarted, e.ModelAsked, e.ModelFailed, e.FellBack, e.Retried, e.Waited, e.ToolStarted, e.ApprovalRequested,
    e.ApprovalDecided, e.CallEdited, e.CallSettled, e.CircuitMoved, e.Resumed, e.Forked, e.Completed,
)  # fmt: skip
"""The events that a glance is made of."""


@dataclass(frozen=True, slots=True)
class Glance:
    """See the module. Bound: the providers and tools of a policy, the calls of a reply."""

    seq: int = 0
    """Of the last event that was taken."""
    policy: str = ""
    provider: str = ""
    """The one that was asked last."""
    model: str = ""
    context: int = 0
    """Tokens of the last request, as estimated."""
    raised_micro: int = 0
    raised_steps: int = 0
    doing: str = ""
    since: float = 0.0
    """When it began to, in seconds since the epoch."""
    until: float = 0.0
    """When that is over, where it is known; else 0."""
    failing: str = ""
    """What the last request came to, where it failed: `529 overloaded`."""
    open: dict[str, float] = field(default_factory=dict[str, float])
    """The circuits that are open to it, and when each may be probed."""
    waiting: dict[str, str] = field(default_factory=dict[str, str])
    """The tools that wait for a person, by call."""


def apply(glance: Glance, stamped: e.Stamped) -> Glance:
    """Take one event."""
    doing = doing_at(stamped.event)
    if doing:
        wait = rest(stamped.event)
        until = stamped.ts + wait if wait else 0.0
        glance = replace(glance, doing=doing, since=stamped.ts, until=until)
    return replace(_taken(glance, stamped.event), seq=stamped.seq)


def _taken(glance: Glance, event: e.Event) -> Glance:
    match event:
        case e.RunStarted(policy=policy):
            return replace(glance, policy=policy)
        case e.ModelAsked(provider=provider, model=model, estimated_tokens=tokens, purpose=purpose):
            context = glance.context if purpose == "summary" else tokens
            return replace(glance, provider=provider, model=model, context=context, failing="")
        case e.ModelFailed(status=status, kind=kind):
            return replace(glance, failing=f"{status} {kind}" if status else kind.replace("_", " "))
        case e.CircuitMoved(name=name, to=to, until=until):
            known = {each: at for each, at in glance.open.items() if each != name}
            return replace(glance, open=known if to == "closed" else {**known, name: until})
        case e.ApprovalRequested(call_id=call_id, tool=tool):
            return replace(glance, waiting={**glance.waiting, call_id: tool})
        case e.ApprovalDecided(call_id=call_id) | e.CallEdited(call_id=call_id) | e.CallSettled(call_id=call_id):
            left = {each: tool for each, tool in glance.waiting.items() if each != call_id}
            return replace(glance, waiting=left)
        case e.Resumed(add_micro=usd, add_steps=steps):
            raised = replace(glance, raised_micro=glance.raised_micro + usd, raised_steps=glance.raised_steps + steps)
            return replace(raised, doing="", failing="")
        case e.Forked():
            return replace(Glance(), policy=glance.policy)
        case e.Completed():
            return replace(glance, doing="", until=0.0)
        case _:
            return glance
