"""Words that are somebody else's make every later effect riskier.

Theory. No pattern tells an injection from a text about injections, so the gate looks at where words came from, not at
what they say: of untrusted text, private data and a way out, a run may have two; with all three a person decides.

Rules.
1. What a tool brings along counts from the next model call on: nothing that was asked for before can be steered by it.
2. It stays for the rest of the run, whatever is trimmed, summed up or resumed.
3. The gate only ever makes a call stricter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from agentctl.core import envelope
from agentctl.core.bounds import table
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import ModelAsked, RunStarted, Stamped, ToolFinished
from agentctl.core.taint import Copied, Label
from agentctl.core.tiers import Tier
from agentctl.records import dataclass, replace

MOST_SOURCES = 16
"""Sources of a label that are remembered: the first ones."""
WITHHELD = "The answer repeats the system prompt and was withheld."
KEPT = "Not run: the arguments of {tool} repeat the system prompt, which must not leave this run."
LABELS: tuple[Label, ...] = get_args(Label)


@table
class Rules:
    """The policy's `[trust]`."""

    enabled: bool = True
    """False is printed at every start."""
    detect: bool = True
    """Log each suspected injection; advice, never the gate. D109"""
    after_untrusted: Tier = Tier.MEDIUM
    """The least tier of calls with effects or egress once untrusted text is in."""
    protect_system_prompt: bool = True
    """Withhold an answer with 25 consecutive words of the system prompt, and refuse a call that would carry them out.
    D09"""


@dataclass(frozen=True, slots=True)
class State:
    """Whose words, data and ways out the model has met. Bound: MOST_SOURCES each, and the calls of one reply."""

    untrusted: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    egress: tuple[str, ...] = ()
    coming: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Source and labels of the results that the next model call brings in."""


@dataclass(frozen=True, slots=True)
class Raised:
    """A tier as the gate leaves it, and why."""

    tier: Tier
    why: str
    always: bool = False
    """A person is asked whatever the policy lets run by itself, and no answer is remembered."""


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case RunStarted(untrusted=sources, private=private):
            return replace(state, untrusted=_with(state.untrusted, sources), private=_with(state.private, private))
        case ToolFinished(final=True, tool=tool, labels=labels) if labels:
            return replace(state, coming=(*state.coming, (tool, labels)))
        case ModelAsked() if state.coming:
            return _arrived(state)
        case _:
            return state


def _arrived(state: State) -> State:
    found = {label: [tool for tool, labels in state.coming if label in labels] for label in LABELS}
    return State(
        _with(state.untrusted, found["untrusted"]),
        _with(state.private, found["private"]),
        _with(state.egress, found["egress"]),
    )


def _with(known: tuple[str, ...], new: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *new)))[:MOST_SOURCES]


def labels(contract: Contract) -> tuple[Label, ...]:
    """What a result of this tool brings along."""
    said = {"untrusted": contract.untrusted, "private": contract.private, "egress": contract.egress}
    return tuple(label for label in LABELS if said[label])


def sources(state: State) -> tuple[str, ...]:
    """Whose words are in the run, those that the next model call brings included."""
    return _arrived(state).untrusted


def met(state: State) -> tuple[str, ...]:
    """The labels of whatever is in the run: what a later run of the session begins with, if it reads of this one."""
    found = _arrived(state)
    return tuple(label for label, known in (("untrusted", found.untrusted), ("private", found.private)) if known)


def enters(said: set[str], stamped: Stamped) -> tuple[str, ...]:
    """Whose words and data come in with an event for the first time: `untrusted from http_get`. `said`: what had."""
    match stamped.event:
        case ToolFinished(final=True, shared_with="", tool=tool, labels=labels) if labels:
            texts = (f"{label} from {tool}" for label in ("untrusted", "private") if label in labels)
            new = tuple(text for text in texts if text not in said)
            said.update(new)
            return new
        case _:
            return ()


def check(
    rules: Rules, state: State, contract: Contract, tier: Tier, copied: tuple[Copied, ...] = (), writes: str = ""
) -> Raised | None:
    """What the gate makes of a call that has this tier; None: nothing. D11, D21, D22

    `writes` names an instruction, hook, CI or policy file that the call would write; empty: none.
    """
    if not rules.enabled:
        return None
    reasons: list[str] = []
    always = bool(writes) and may_write(contract)
    if always:
        reasons.append(f"{writes} is an instruction, hook, CI or policy file")
    if state.untrusted:
        if contract.egress or not contract.read_only:
            tier = max(rules.after_untrusted, _up(tier))
            reasons.append(f"untrusted text from {listed(state.untrusted)}")
        if copied:
            tier = _up(tier)
            reasons.append(f"copied from {listed(dict.fromkeys(each.source for each in copied))}")
        if contract.egress and (state.private or contract.private):
            always = True
            reasons.append(f"private data from {listed(state.private or (contract.name,))} and a way out")
    return Raised(tier, f"trust: {', '.join(reasons)}", always) if reasons else None


def may_write(contract: Contract) -> bool:
    """Whether a file that its arguments name matters: the built-in file tools look at the file itself, and refuse."""
    return not (contract.read_only or contract.base_tier in {Tier.SAFE, Tier.LOW})


def keeps(rules: Rules, contract: Contract) -> Envelope | None:
    """The answer to a call whose arguments repeat the system prompt; None where it only reads what stays here. D09"""
    if not (rules.enabled and rules.protect_system_prompt) or (contract.read_only and not contract.egress):
        return None
    return envelope.permanent(KEPT.format(tool=contract.name), code="SYSTEM_PROMPT", hint="Say it in your own words.")


def _up(tier: Tier) -> Tier:
    return Tier(min(tier + 1, Tier.HIGH))


def listed(names: Iterable[str]) -> str:
    """Sources in a few words."""
    first, *rest = names
    return f"{first} and {len(rest)} more" if len(rest) > 2 else ", ".join((first, *rest))
