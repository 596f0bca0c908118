"""One call as it would run now: its original arguments, what it runs and changes, and what a yes to it is bound to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from agentctl.core import receipts
from agentctl.core.contract import Change, Contract
from agentctl.core.inflight import CallState
from agentctl.core.messages import Json, is_object
from agentctl.core.receipts import Bound
from agentctl.core.setup import Call
from agentctl.runner import shell, words
from agentctl.runner.world import World

DIGITS = 32
"""Of a digest: with half as many, who writes both files can find two that have the same."""


def exactly(world: World, call: CallState) -> Call:
    """The call, with where its words came from.

    What a yes is bound to is only looked up where there may have been one: it reads the files that the call touches.
    """
    use, contract = world.calls[call.call_id], world.setup.contracts.get(call.tool)
    answered = call.phase != "proposed" or bool(world.state.approval.remembered)
    parts = bound(world, call, contract) if contract is not None and answered else ()
    command = shell.command_of(contract, use.args)
    copied, writes, leaks = words.compared(world, contract, use.args, world.said[call.call_id].args)
    digest = receipts.whole(world.call_key, parts)
    return Call(call, use.args, use.garbled, digest, parts, copied, writes, leaks, command)


def bound(world: World, call: CallState, contract: Contract) -> Bound:
    """What an answer is bound to, part by part."""
    args = world.args(call.call_id)
    return receipts.bound(
        world.call_key, contract.name, contract.digest, args, world.policy_digest, files(world, contract, args)
    )


def files(world: World, contract: Contract, args: Json) -> tuple[tuple[str, str], ...]:
    """Path and digest of what the call would run or change, as it is now."""
    found = (*shell.files_of(world, contract, args), *_changed(contract, args))
    return tuple((world.scrub.text(path), digest) for path, digest in found)


def change(contract: Contract, args: Json) -> Change | None:
    """What the call would make of a file; None: it changes none that it could tell of."""
    return contract.change(args) if contract.change is not None and is_object(args) else None


def _changed(contract: Contract, args: Json) -> Iterator[tuple[str, str]]:
    found = change(contract, args)
    if found is not None:
        yield found.path, found.unread or _digest(found.before)


def _digest(before: bytes | None) -> str:
    return "not there yet" if before is None else f"sha256 {hashlib.sha256(before).hexdigest()[:DIGITS]}"
