"""What a driver of an errand can do, and how it dies; a work module of `tests.books.fleet`."""

import asyncio
import itertools
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agentctl.core.events import Stamped, ToolStarted
from agentctl.errors import AgentctlError
from agentctl.journal import failpoints, lease
from agentctl.journal.sqlite import Sqlite
from agentctl.journal.store import Store, open_store
from agentctl.runner import api
from agentctl.runner.order import Order, Raise
from agentctl.runner.recorder import Recorder
from tests.books.work import Deaf, pass_gate, warm_up
from tests.durability import preload
from tests.runner.stage import KEY

Say = Callable[..., None]

__all__ = ["drives", "warm_up"]


def drives(
    say: Say, errand: str, run_id: str, armed: str, *, forgetful: bool = False, counting: bool = False,
    careless: bool = False, stops: bool = False, ahead: float = 0.0, sleeps: int = 0, renew_s: float = lease.RENEW_S,
    gate: str = "", io: dict[str, Any] | None = None, env: dict[str, str] | None = None,
) -> None:  # fmt: skip
    """Run the task of the errand, or resume its run.

    `armed`: `name:N`, where to die, or with `stops` to be suspended. `forgetful` and `careless`: negative controls.
    `ahead`: seconds that this driver's clock is ahead, from the start or, with `sleeps`, once it was asked so often.
    `io`: how the disk is watched. `env`: where the store is, unless it is in the folder.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # only the run is to be interrupted, not this harness
    say(begun=True)
    folder = Path(errand)
    os.environ.update(AGENTCTL_HOME=str(folder / "home"), STAGE_KEY=KEY, **env or {})
    _acknowledging(folder / "acks")
    passed: Counter[str] = Counter()
    if counting:
        _replace(passed)
    if forgetful:
        _forget()
    if careless:
        Sqlite._set_level = lambda self, tx, *, full: None  # type: ignore[method-assign]  # nothing is ever synced
    if ahead:
        _wind(ahead, sleeps)
    lease.RENEW_S = renew_s  # type: ignore[misc]
    if stops:
        _stop_instead()
    name, _, count = armed.partition(":")
    failpoints._name, failpoints._left = name, int(count or "1") if name else 0
    if gate:
        pass_gate(gate)
    if io is not None:
        preload.watch(**io)
    say(**_driven(folder, run_id))
    say(passed=passed)
    if io is not None:
        say(operations=preload.count())


def _stop_instead() -> None:
    """Suspended, not killed, when nothing is being written: whoever sleeps in a commit locks the store for all."""

    def stop(pid: int, _: int) -> None:
        time.sleep(0.1)
        os.kill(pid, signal.SIGSTOP)

    failpoints.os = SimpleNamespace(kill=stop, getpid=os.getpid)  # type: ignore[assignment]


def _wind(ahead: float, sleeps: int) -> None:
    """The wall clock of this process; timers do not notice."""
    asked = itertools.count()
    assert open_store.__kwdefaults__ is not None
    open_store.__kwdefaults__["clock"] = lambda: time.time() + (ahead if next(asked) >= sleeps else 0.0)


def _driven(folder: Path, run_id: str) -> dict[str, Any]:
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if run_id:
            work = api.resume(run_id, Raise(), store=None, listener=Deaf(), approver=None)
        else:
            order = Order(folder / "task.toml", user="ada")
            work = api.run(order, store=None, listener=Deaf(), approver=None)
        body = asyncio.run(work).body
    except AgentctlError as error:
        return {"code": error.exit_code, "error": error.message, "hint": error.hint, "kind": error.code}
    except KeyboardInterrupt:  # it came before the run listened
        return {"code": 130}
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
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
    record, flush = Recorder.record, Recorder.flush

    def recorded(self: Any, event: Any) -> Stamped:
        stamped = record(self, event)
        if isinstance(event, ToolStarted) and event.effect:
            self.late = self._events.pop()
        elif late := self.__dict__.pop("late", None):
            self._events.insert(len(self._events) - 1, late)
        return stamped

    async def flushed(self: Any, *, durable: bool = False) -> None:
        if self._events or "late" not in self.__dict__:
            await flush(self, durable=durable)

    Recorder.record, Recorder.flush = recorded, flushed  # type: ignore[method-assign]
