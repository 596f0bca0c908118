"""A call that was started by a driver that died: what is known of it, and what its tool's `verify` finds out. E30

Rules. Whatever the dead driver left running here is ended before anything else. What somebody says of a call is
recorded before it counts. A result that is told stands for the one that nobody saw, and is scrubbed, cut and labelled
like it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import CallSettled
from agentctl.core.inflight import CallState
from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.journal import lease
from agentctl.journal.runs import RunRow
from agentctl.runner import numbered
from agentctl.runner.outcomes import conclude
from agentctl.runner.world import World
from agentctl.tools import killing
from agentctl.tools.command import taken_as_envelope
from agentctl.tools.plain import parse
from agentctl.tools.sandbox.box import UNBOXED, Box
from agentctl.tools.verify import verify as asked

PROGRAM = "verify"
LONGEST_WHY = 300


def quiet_at(before: RunRow, epoch: int, now: float) -> float:
    """Until when the driver that a run had before may be at work, in seconds since the epoch; 0: it is gone.

    `epoch` is ours: where somebody else had the run since the row was read, it is as if they had just begun.
    """
    if epoch != before.epoch + 1:
        return now + lease.LEASE_S
    if not before.owner or (lease.gone(before.owner) and killing.can_look()):
        return 0.0
    return before.lease_until if lease.believed(before.lease_until, now) else 0.0


def silence(world: World) -> None:
    """End what is still running of the calls in doubt, and say so."""
    for call in world.state.inflight.calls:
        if call.in_doubt and ended(world.recorder.identity.run_id, call.call_id):
            world.listener.note(f"ended what was left running of {call.tool} ({call.call_id})")


def ended(run_id: str, call_id: str) -> bool:
    """End what is still running of a call on this machine; whether anything was."""
    return killing.kill_marked(_marks(run_id, call_id)) > 0


def _marks(run_id: str, call_id: str) -> dict[str, str]:
    """What every process of a call has in its environment."""
    return dict(zip(killing.MARKS, (run_id, call_id), strict=True))


def known(world: World, call: CallState) -> tuple[str, ...]:
    """What a person is told of a call that may have happened; nothing of another one."""
    if not call.unknown:
        return ()
    begun = datetime.fromtimestamp(call.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    said = (call.verify_said,) if call.verify_said else ()
    if (stood_in := _began(world, call)) != _called(world, call):
        said = (f"it was {stood_in} that was started, in place of {call.tool}", *said)
    return (
        f"started {begun}, attempt {call.attempts}, for at most {call.timeout_s:g}s; nobody saw its outcome",
        f"its key is {world.recorder.identity.run_id}:{call.call_id}",
        *said,
    )


def _called(world: World, call: CallState) -> str:
    contract = world.setup.contracts.get(call.tool)
    return call.tool if contract is None else contract.name


def _began(world: World, call: CallState) -> str:
    """The tool that was started for it."""
    return call.by or _called(world, call)


async def verify(world: World, call: CallState, contract: Contract) -> None:
    """Ask the program of the tool that was started, and record what it found."""
    contract = world.setup.contracts.get(_began(world, call), contract)
    who = world.recorder.identity
    described: JsonObject = {
        "tool": contract.name,
        "args": world.args(call.call_id),
        "run_id": who.run_id,
        "call_id": call.call_id,
        "idempotency_key": f"{who.run_id}:{call.call_id}",
        "attempt": call.attempts,
        "started_at": call.started_at,
    }
    box = world.check_box or Box(UNBOXED, world.folder)
    env = {**world.check_env, **_marks(who.run_id, call.call_id)}
    found = await world.interrupt.guard(lambda: asked(contract.verify, box, env, described, contract.timeout_s))
    settle(world, call, contract, PROGRAM, happened=found.happened, result=found.result, why=found.why)
    await world.recorder.flush(durable=True)


def settle(
    world: World, call: CallState, contract: Contract, by: str, *, happened: bool | None, result: Json, why: str = ""
) -> None:
    """Record what somebody knows of a call, and its result where it happened."""
    contract = world.setup.contracts.get(_began(world, call), contract)
    told = world.scrub.text(numbered.text(world, why))[:LONGEST_WHY]
    numbered.keep(world)
    world.recorder.record(CallSettled(call.call_id, contract.name, happened, by, told))
    if happened:
        conclude(world, call, contract, _answer(result, by), 0)


def _answer(result: Json, by: str) -> Envelope:
    """As the tool itself would have said it. An envelope with a wrong key is a result like others: it did happen."""
    told = taken_as_envelope(result)
    if told is not None and is_object(result) and (told.status, told.message) == _said(result):
        return told
    return envelope.Envelope("success", data=result, message=f"Nobody saw it happen; {by} says that it did.")


def _said(result: JsonObject) -> tuple[Json, Json]:
    return result["status"], result.get("message", "")


def typed(text: str) -> Json:
    """What a person wrote as the result: JSON that can be written as JSON again, or words."""
    try:
        return parse(text)
    except ValueError:
        return text
