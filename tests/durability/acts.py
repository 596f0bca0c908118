"""What a driver of an errand can do, and how it dies; a work module of `tests.books.fleet`."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentctl.core.events import Stamped, ToolStarted
from agentctl.errors import AgentctlError
from agentctl.journal import failpoints
from agentctl.journal.store import Store
from agentctl.runner import api
from agentctl.runner.order import Order, Raise
from agentctl.runner.recorder import Recorder
from tests.books.work import Deaf, pass_gate, warm_up
from tests.runner.stage import KEY

Say = Callable[..., None]

__all__ = ["drives", "warm_up"]


def drives(
    say: Say, errand: str, run_id: str, armed: str, *, forgetful: bool = False, counting: bool = False, gate: str = ""
) -> None:
    """Run the task of the errand, or resume its run. `armed`: `name:N`, where to die."""
    folder = Path(errand)
    os.environ.update(AGENTCTL_HOME=str(folder / "home"), STAGE_KEY=KEY)
    _acknowledging(folder / "acks")
    passed: Counter[str] = Counter()
    if counting:
        _replace(passed)
    if forgetful:
        _forget()
    name, _, count = armed.partition(":")
    failpoints._name, failpoints._left = name, int(count or "1") if name else 0
    if gate:
        pass_gate(gate)
    say(**_driven(folder, run_id))
    say(passed=passed)


def _driven(folder: Path, run_id: str) -> dict[str, Any]:
    try:
        if run_id:
            work = api.resume(run_id, Raise(), store=None, listener=Deaf(), approver=None)
        else:
            order = Order(folder / "task.toml", user="ada")
            work = api.run(order, store=None, listener=Deaf(), approver=None)
        body = asyncio.run(work).body
    except AgentctlError as error:
        return {"code": error.exit_code, "error": error.message, "hint": error.hint, "kind": error.code}
    return {"code": body["exit_code"], "status": body["status"], "message": body["message"]}


def _acknowledging(path: Path) -> None:
    """Write down what the store has promised, the moment that it has."""
    append = Store.append

    async def told(self: Store, epoch: int, stamped: Sequence[Stamped], *rest: Any, **more: Any) -> float:
        until = await append(self, epoch, stamped, *rest, **more)
        os.write(sink, f"{stamped[-1].run_id} {stamped[-1].seq}\n".encode())
        return until

    sink = os.open(path, os.O_WRONLY | os.O_APPEND)
    Store.append = told  # type: ignore[method-assign]


def _replace(passed: Counter[str]) -> None:
    """Count the passages of every failpoint."""
    for name, module in tuple(sys.modules.items()):
        if name.startswith("agentctl.") and hasattr(module, "failpoint"):
            module.failpoint = lambda point: passed.update([point])  # type: ignore[attr-defined]


def _forget() -> None:
    """The negative control: the intent is written only together with its outcome, as most runners do."""
    own, record = Recorder.own, Recorder.record

    async def owned(self: Any) -> None:
        self.late = self._events.pop()
        if self._events:
            await own(self)

    def recorded(self: Any, event: Any) -> Stamped:
        stamped = record(self, event)
        late = self.__dict__.pop("late", None) if not isinstance(event, ToolStarted) else None
        if late is not None:
            self._events.insert(len(self._events) - 1, late)
        return stamped

    Recorder.own, Recorder.record = owned, recorded  # type: ignore[method-assign]
