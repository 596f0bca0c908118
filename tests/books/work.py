"""What a member of a fleet can do. Each is given `say`, to report a line, and what the test gave to `start`."""

import asyncio
import fcntl
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from agentctl.core.guards.circuit import Rules
from agentctl.core.guards.pace import Demand
from agentctl.errors import AgentctlError
from agentctl.journal import admission, circuits, ledger
from agentctl.journal.admission import Granted, Request, Wait
from agentctl.journal.circuits import Ask, Outcome
from agentctl.journal.ledger import Refused, Scope
from agentctl.journal.postgres import engine  # noqa: F401  # members are forked from who has it
from agentctl.journal.store import Store, open_store
from agentctl.runner import api
from agentctl.runner.admitting import NAP_S
from agentctl.runner.order import Order
from tests.runner.stage import KEY, Fault, Reply, Stage

Say = Callable[..., None]


def pass_gate(path: str) -> None:
    """Wait until the test opens it."""
    with Path(path).open() as gate:
        fcntl.flock(gate, fcntl.LOCK_SH)


def opened(at: dict[str, str]) -> Store:
    return open_store(at["url"], seal_dir=Path(at["keys"]))


# --- Money ----------------------------------------------------------------------------------------


def spends(
    say: Say, at: dict[str, str], gate: str, run_id: str, life: int, caps: dict[str, int | None], first: int, last: int,
    amount: int, actual: int,
) -> None:  # fmt: skip
    """Reserve and settle again and again, and check each answer in the transaction that it was given in."""
    scopes = tuple(Scope(key, 0, cap) for key, cap in caps.items())
    dice, refused = random.Random(f"{run_id} {life}"), 0
    with opened(at) as store:
        store.write(lambda tx: ledger.settle_orphans(tx, run_id))
        pass_gate(gate)
        for number in range(first, last):
            hold, wanted = f"{run_id}:{life}:{number}", dice.randint(1, amount)
            request = Request(hold, run_id, wanted, scopes, None)
            if isinstance(store.write(partial(judged, request=request)), Granted):
                time.sleep(0.002)  # the call: most are killed during one
                store.write(partial(admission.settle, hold_id=hold, micro=min(wanted, actual), tokens=0))
            else:
                refused += 1
            say(done=number)
    say(refused=refused)


def judged(tx: Any, request: Request) -> admission.Answer:
    """The answer to a reservation: granted where every scope has room, and nowhere else."""
    taken = [sum(ledger.standing(tx, scope)) + request.amount for scope in request.scopes]
    fits = all(scope.cap is None or all_in <= scope.cap for all_in, scope in zip(taken, request.scopes, strict=True))
    answer = admission.admit(tx, request, time.time())
    assert isinstance(answer, Granted if fits else Refused), f"{answer} although {taken} of {request}"
    return answer


def counted(tx: Any, key: str) -> tuple[int, int]:
    """What the holds of a scope say is spent and held."""
    spent, held = 0, 0
    for state, amount, actual, scopes in tx.execute("SELECT state, amount, actual, scopes FROM holds").fetchall():
        if key in [scope for scope, *_ in json.loads(scopes)]:
            spent += actual if state == "settled" else 0
            held += amount if state == "open" else 0
    return spent, held


def timed(tx: Any, request: Request, clock: Callable[[], float]) -> tuple[float, admission.Answer]:
    """The answer, and the moment that it is of."""
    now = clock()
    return now, admission.admit(tx, request, now)


# --- The minute -----------------------------------------------------------------------------------


def paces(
    say: Say, at: dict[str, str], gate: str, name: str, calls: int, limit: int, least: int, most: int, speed: float,
    since: float,
) -> None:  # fmt: skip
    """Call after call through one minute, on a clock that runs `speed` times as fast; each is said with its moment."""
    dice = random.Random(name)

    def clock() -> float:
        return since + (time.time() - since) * speed

    with opened(at) as store:
        pass_gate(gate)
        for number in range(calls):
            demand = Demand("tokens_per_minute:them", dice.randint(least, most), limit)
            request = Request(f"{name}:{number}", name, 0, (), None, (demand,), 1e9, clock())
            while True:
                moment, answer = store.write(partial(timed, request=request, clock=clock))
                if isinstance(answer, Granted):
                    break
                assert isinstance(answer, Wait), answer
                say(asked=moment, waits=answer.seconds)
                time.sleep(min(NAP_S, answer.seconds) / speed)
            say(at=moment, amount=demand.amount)


# --- Circuits -------------------------------------------------------------------------------------


def asks(say: Say, at: dict[str, str], name: str, owner: str, rules: dict[str, Any], turns: list[Any]) -> None:
    """At each gate ask a circuit for a call, and say how it went if it was granted: ok, not ok, or nothing yet."""
    asked = Ask(name, Rules(**rules), owner, rules["recovery_s"])
    granted = 0.0
    with opened(at) as store:
        for turn, (gate, ok) in enumerate(turns):
            pass_gate(gate)
            if not granted:
                now = time.time()
                request = Request(f"{owner}:{turn}", owner, 0, (), asked)
                answer = store.write(partial(admission.admit, request=request, now=now))
                say(answer=type(answer).__name__, probe=getattr(answer, "probe", False))
                granted = now if isinstance(answer, Granted) else 0.0
            if granted and ok is not None:
                outcome = Outcome(name, asked.rules, owner, ok, granted)
                store.write(partial(circuits.record, outcome=outcome, now=time.time()))
                granted = 0.0


# --- Whole runs -----------------------------------------------------------------------------------


class Deaf:
    """Listens to nothing."""

    def event(self, stamped: object, state: object) -> None: ...
    def delta(self, delta: object) -> None: ...
    def progress(self, at: object) -> None: ...
    def note(self, text: str) -> None: ...


def warm_up() -> None:
    """A run over each SDK, in a home that is thrown away: everything is imported, and no thread is left."""
    with tempfile.TemporaryDirectory() as name:
        given = {"AGENTCTL_HOME": name, "STAGE_KEY": KEY}
        before = {key: os.environ.get(key) for key in given}
        os.environ.update(given)
        asyncio.run(_warm_up(Path(name)))
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


async def _warm_up(folder: Path) -> None:
    stage = Stage(folder / "warm")
    stage.providers = [{"name": "a", "api": "messages"}, {"name": "b", "api": "responses", "priority": 2}]
    stage.faults = [Fault("status", provider="a", status=401)]
    stage.replies = [Reply(text="Warm.")]
    try:
        order = Order(await stage.lay_out(), user="ada")
        result = await api.run(order, store=None, listener=Deaf(), approver=None)
        assert "Warm." == result.answer, result.message
    finally:
        await stage.close()


def drives(say: Say, task: str, gates: list[str]) -> None:
    """Run a task once per gate."""
    for gate in gates:
        pass_gate(gate)
        say(began=time.monotonic())
        try:
            work = api.run(Order(Path(task), user="ada"), store=None, listener=Deaf(), approver=None)
            body = asyncio.run(work).body
        except AgentctlError as error:
            say(error=error.message)
            continue
        told = ("run_id", "status", "reason", "exit_code", "answer", "message")
        say(**{key: body[key] for key in told})
