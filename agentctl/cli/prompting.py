"""The prompt of a call that is made by hand: the same question, and nothing of the answer is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.core.contract import Contract
    from agentctl.core.decide_call import Judged
    from agentctl.core.envelope import Envelope
    from agentctl.core.messages import JsonObject


def _sha256(data: bytes) -> str:
    """Nothing of it is kept."""
    return hashlib.sha256(data).hexdigest()


def _parts(contract: Contract, args: JsonObject, under: LoadedPolicy) -> Iterator[tuple[str, str]]:
    """Each command within a shell's command, and what is said of it alone."""
    from agentctl.config import rulings
    from agentctl.core import command_rules

    command = None if contract.command is None else contract.command(args)
    if command is not None:
        for part, ruling in command_rules.parts(under.policy.risk, contract, args, rulings.reader(under), command):
            yield part.text, f"{ruling.word}: {ruling.rule}"


async def asked(contract: Contract, args: JsonObject, found: Judged, under: LoadedPolicy) -> Envelope | None:
    """Why it must not run, or None: somebody said yes."""
    from agentctl.approvals.base import Question
    from agentctl.approvals.terminal import Terminal, can_ask
    from agentctl.cli.byhand import CALL, RUN
    from agentctl.cli.options import login
    from agentctl.core import envelope, receipts
    from agentctl.core.guards import approval

    policy = under.policy
    if not can_ask():
        message = f"{contract.name} is {found.tier.word}, by {found.why}, and asks a person first."
        hint = f"Nobody sits at a terminal here. With --yes it runs: {json.dumps(args, ensure_ascii=False)}"
        return envelope.permanent(message, code="CONFIRMATION_REQUIRED", hint=hint)
    bound = receipts.bound(_sha256, contract.name, contract.digest, args, policy.name)
    question = Question(
        run_id=RUN,
        call_id=CALL,
        tool=contract.name,
        owner=contract.owner,
        args=args,
        tier=found.tier,
        rule=found.why,
        digest=receipts.whole(_sha256, bound),
        spent_usd=0.0,
        limit_usd=policy.budget.run_usd,
        timeout_s=policy.approval.timeout_s,
        parts=tuple(_parts(contract, args, under)),
    )
    answer = await Terminal(login()).ask(question)
    if answer is not None and answer.decision == "approve":
        return None
    return approval.denied(contract.name, answer.why if answer is not None else "")
