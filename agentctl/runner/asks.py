"""The approvals of a run with what was known when each was asked for, and why a rule could or could not be about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agentctl.config import rulings
from agentctl.core import commands
from agentctl.core.decide_call import Judged
from agentctl.core.decide_call import judge as judged
from agentctl.core.events import ApprovalDecided, ApprovalRequested, CallEdited, Stamped
from agentctl.core.guards import scrub
from agentctl.core.guards.risk import EFFECT_TIERS
from agentctl.core.messages import is_object
from agentctl.core.stats import is_person
from agentctl.core.suggest.rules import Ask
from agentctl.core.tiers import Tier
from agentctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentctl.config.load import LoadedPolicy
    from agentctl.core.commands import Command
    from agentctl.core.contract import Contract
    from agentctl.core.messages import Json
    from agentctl.core.policy import Policy
    from agentctl.core.setup import Setup
    from agentctl.core.state import State


class Asks:
    """Those of one run, collected while it is folded."""

    def __init__(self, setup: Setup, run_id: str, offhand: Callable[[str], Contract]) -> None:
        """`offhand`: the contract of a tool that nobody knows any more, so that a no to it still counts."""
        self._setup, self._run_id, self._offhand = setup, run_id, offhand
        self._open: dict[str, Ask] = {}
        self._said: list[Ask] = []

    def heed(self, state: State, at: Stamped) -> None:
        """Take in an event; `state` is that before it."""
        match at.event:
            case ApprovalRequested() as asked:
                self._open[asked.call_id] = self._ask(state, asked)
            case CallEdited(call_id=call_id) if call_id in self._open:
                self._said.append(replace(self._open.pop(call_id), decision="edit"))
            case ApprovalDecided(call_id=call_id) as said if call_id in self._open:
                ask = self._open.pop(call_id)
                person = is_person(said.by)
                self._said.append(replace(ask, decision=said.decision, person=person, waited_s=said.waited_s))
            case _:
                pass

    def said(self) -> list[Ask]:
        """What somebody decided."""
        return self._said

    def _ask(self, state: State, asked: ApprovalRequested) -> Ask:
        known = self._setup.contracts.get(asked.tool)
        contract = known or self._offhand(asked.tool)
        command = _command(contract, asked.args)
        words = command.parts[0].words if command is not None and commands.plain(command) else ()
        ask = Ask(self._run_id, contract.name, asked.args, "", False, 0.0, contract, state.trust, words)
        return replace(ask, why_not=self._why_not(ask, asked, command) if known else "it has changed since, or is gone")

    def _why_not(self, ask: Ask, asked: ApprovalRequested, command: Command | None) -> str:
        """Why no rule may be about it; empty: one may."""
        policy, contract = self._setup.policy, ask.contract
        masks = (policy.scrub.replacement, "[REDACTED", scrub.FAILED)
        text = str(asked.args.get("command")) if is_object(asked.args) else ""
        said = judged(
            policy, self._setup.reader, ask.known, contract, asked.args if is_object(asked.args) else None,
            command=command, copied=asked.copied,
        )  # fmt: skip
        effects = contract.side_effects
        reasons = {
            "its arguments are masked": any(mask in json.dumps(asked.args) for mask in masks),
            "it is asked each time, and never remembered": asked.once or bool(asked.doubt) or said.once,
            "its contract says that it is irreversible": effects == "irreversible",
            "the policy names it high": policy.risk.tiers.get(contract.name) is Tier.HIGH,
            f"a rule says so: {said.ruling.rule}": said.ruling.decided is not None,
            "untrusted text raised it": said.tier != said.ruling.tier or bool(asked.copied),
            "nobody classified it: say its side_effects in the task": _unknown(policy, contract, said),
            "contracts only raise under this policy": policy.risk.contracts == "raise_only"
            and effects is not None
            and EFFECT_TIERS[effects] > policy.risk.auto_approve,
            "its arguments are not checked: args is switched off": not policy.args.enabled and contract.command is None,
            "it is more than one plain command": contract.command is not None and " ".join(ask.words) != text,
            "the policy does not ask": said.decision != "ask",
        }
        return next((why for why, holds in reasons.items() if holds), "")


def allows(under: LoadedPolicy, policy: Policy, ask: Ask) -> bool:
    """Whether the call would run without asking, as things stood then."""
    args = ask.args if is_object(ask.args) else None
    command = _command(ask.contract, ask.args)
    return judged(policy, rulings.reader(under), ask.known, ask.contract, args, command=command).decision == "allow"


def _unknown(policy: Policy, contract: Contract, said: Judged) -> bool:
    return contract.side_effects is None and contract.base_tier is None and contract.name not in policy.risk.tiers and (
        said.ruling.decided is None
    )  # fmt: skip


def _command(contract: Contract, args: Json) -> Command | None:
    return contract.command(args) if contract.command is not None and is_object(args) else None
