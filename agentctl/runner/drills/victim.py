"""A process that is made to be killed: it drives one run against the drill's stand-in, by the real clock.

`python -m agentctl.runner.drills.victim` loads what a drive needs once, then makes a process for each line on its
stdin and says its id on stdout. What reached a tool is in a file before the tool begins: whoever kills the process
knows what was done.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from random import random

from agentctl import ownkeys
from agentctl.config import task
from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.errors import AgentctlError
from agentctl.journal.store import Store, open_store
from agentctl.records import dataclass
from agentctl.rehearsal.drills.scene import Use
from agentctl.rehearsal.server import StandIn
from agentctl.runner import api, plan
from agentctl.runner.drills.errand import Errand, receipt, unpacked, use_of
from agentctl.runner.drills.props import Listening
from agentctl.runner.drills.stage import without_check
from agentctl.runner.order import Raise, Result
from agentctl.runner.plan import Plan
from agentctl.runner.recorder import LAG_S
from agentctl.runner.servers import served
from agentctl.runner.stagecraft import Stagecraft
from agentctl.tools.base import Invocation

LONGEST_S = 120.0
"""How long it waits to be killed."""
DEFECT = 70
DONE = ("echo", '{"happened": true}')


@dataclass(frozen=True, slots=True)
class Working:
    """A tool that says what it does before it does it; the one to be killed is at work until then."""

    contract: Contract
    errand: Errand
    store: Store

    async def run(self, call: Invocation) -> Envelope:
        """Leave the receipt, then work."""
        name, receipts = self.contract.name, self.errand.receipts
        before = receipts.read_text().splitlines() if receipts.exists() else []
        hangs = name == self.errand.hangs and not any(use_of(line, 0).tool == name for line in before)
        if hangs and self.contract.read_only:
            await self._written()
        use = Use(0, call.run_id, name, call.args, call.idempotency_key, time.time(), answered=not hangs)
        with receipts.open("ab", buffering=0) as file:
            file.write(receipt(use))
        if hangs:
            await asyncio.sleep(LONGEST_S)
        return envelope.success({"drilled": True})

    async def _written(self) -> None:
        """What nobody waits for is in the store, as where a tool works for a while: the same is found each time."""
        await asyncio.sleep(2 * LAG_S)
        await self.store.submit(lambda _: None)


async def drive(errand: Errand) -> JsonObject:
    """The run, to its end; what came of it."""
    listening = Listening()
    url = f"sqlite:///{errand.folder / 'drill.db'}"
    with closing(open_store(url, seal_dir=errand.folder, clock=time.time)) as store:
        async with _planned(errand, store, listening) as complete:
            try:
                if errand.run_id:
                    result = await api.resume(
                        errand.run_id,
                        Raise(),
                        store=store,
                        listener=listening,
                        approver=None,
                        planning=lambda _: complete,
                    )
                else:
                    filled = task.fill(complete.task, errand.order.variables)
                    result = await api.begun(complete, errand.order, filled, store, listening, None)
            except AgentctlError as error:
                return {"code": error.code, "exit_code": error.exit_code, "message": error.message}
    return {"result": _told(result), "shown": "".join(listening.shown)}


@asynccontextmanager
async def _planned(errand: Errand, store: Store, listening: Listening) -> AsyncGenerator[Plan]:
    """The plan of the drill, made anew: its servers' tools are known, and none of them is started."""
    made = plan.make(errand.order, played=errand.script, changed=lambda _: errand.policy)
    craft = Stagecraft(
        StandIn(errand.script, port=errand.port), lambda tool: Working(tool.contract, errand, store), random
    )
    with closing(open_store(errand.servers, seal_dir=errand.folder.parent, clock=lambda: errand.now)) as journal:
        async with served(made, journal, listening) as complete:
            yield replace(_asking_nobody(without_check(complete)), staged=craft, asleep=None)


def _asking_nobody(planned: Plan) -> Plan:
    """The plan with tools whose `verify` says what the receipt says: it was done. The task's own would ask outside."""
    known = planned.setup.contracts.items()
    contracts = {name: replace(each, verify=DONE) if each.verify else each for name, each in known}
    return replace(planned, setup=replace(planned.setup, contracts=contracts))


def _told(result: Result) -> JsonObject:
    names = ("status", "reason", "exit_code", "answer", "message", "resume", "body")
    return {name: getattr(result, name) for name in names}


def serve() -> None:
    """A process for each line, one after the other."""
    ownkeys.guard()
    _load(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            os._exit(_child(unpacked(line.encode())))
        print(pid, flush=True)  # noqa: T201 -- to the drill
        os.waitpid(pid, 0)
        print(0, flush=True)  # noqa: T201 -- it is gone


def _child(errand: Errand) -> int:
    try:
        came, code = asyncio.run(drive(errand)), 0
    except Exception:  # noqa: BLE001 -- the drill tells of it
        came, code = {"code": "defect", "exit_code": 1, "message": traceback.format_exc().splitlines()[-1]}, DEFECT
    part = errand.ended.with_suffix(".part")
    part.write_text(json.dumps(came))
    part.replace(errand.ended)
    return code


def _load(sdks: list[str]) -> None:
    """What would take each process a second."""
    from agentctl.models.transport import hidden_environment

    for sdk in sdks:
        with hidden_environment(f"{sdk.upper()}_"):
            __import__(f"agentctl.models.{sdk}")
    __import__("agentctl.runner.rehearse")


if __name__ == "__main__":
    serve()
