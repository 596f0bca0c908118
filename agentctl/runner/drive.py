"""One drive of a run, from the lease to its release: the world is put together, the loop runs, the end is recorded.

Rules. However a drive ends, its last event is `Completed` and its lease is released, unless the lease was lost: then
somebody else writes, and nothing more is written here. A defect ends the run as failed, and is raised again for the
crash report.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from agentctl import ownkeys
from agentctl.approvals.base import Approver
from agentctl.config import masking
from agentctl.core import decisions as do
from agentctl.core import summary
from agentctl.core.events import Completed, Failed, Forked, Stamped
from agentctl.core.guards import scrub, trust
from agentctl.core.policy import Provider
from agentctl.core.state import State, fold
from agentctl.errors import AgentctlError, Defect, LeaseLost, StoreUnusable
from agentctl.journal.failpoints import failpoint
from agentctl.journal.store import Store
from agentctl.models.base import Model, open_model
from agentctl.records import dataclass, replace
from agentctl.runner import caching, notifying, numbered, reviewer, scopes
from agentctl.runner.books import DIGEST, Books
from agentctl.runner.conversation import Conversation
from agentctl.runner.glimpse import Glimpse
from agentctl.runner.loop import drive
from agentctl.runner.observing import Observed, observed
from agentctl.runner.order import Listener, Order, Result
from agentctl.runner.plan import Plan, own_files
from agentctl.runner.recorder import Identity, Recorder
from agentctl.runner.result import result_of
from agentctl.runner.servers import agree
from agentctl.runner.watching import Watch
from agentctl.runner.world import Interrupt, Play, World, as_it_is

if TYPE_CHECKING:
    from agentctl.rehearsal.server import StandIn

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
Finish = Callable[[], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Drive:
    """What a drive begins with."""

    journal: Store
    plan: Plan
    order: Order
    listener: Listener
    approver: Approver | None
    run_id: str
    session_id: str
    epoch: int
    secrets: tuple[str, ...] = field(repr=False)
    events: Sequence[Stamped] = ()
    """What happened before, for a run that is resumed."""
    way: Callable[[World], Awaitable[do.Stop]] = drive
    """What is done until something stops it; only the warming of a cache goes another way than the loop."""


@asynccontextmanager
async def driven(at: Drive) -> AsyncGenerator[tuple[World, Finish]]:
    """The world of a drive, and the function that drives it to its end."""
    seen = observed(at.plan.policy.telemetry, at.listener, at.events)
    at = replace(at, listener=seen)
    async with AsyncExitStack() as stack:
        standin = await _standin(at, stack)
        world = _world(at, standin, stack)
        if at.plan.relay is not None:
            at.plan.relay.scrub = world.scrub
        if at.plan.staged is None:  # a signal ends the drill, not one of its runs
            stack.enter_context(signals(world.interrupt))
        if isinstance(seen, Observed):
            stack.push_async_callback(seen.close)
        world.interrupt.tell = lambda: _tell(world)
        heartbeat = asyncio.create_task(at.journal.keep(at.run_id, at.epoch))
        heartbeat.add_done_callback(lambda task: _missed(world, task))
        stack.callback(heartbeat.cancel)

        async def finish() -> Result:
            try:
                return await _to_the_end(at, world)
            finally:
                if world.watch is not None:
                    await world.watch.told()

        yield world, finish


def _tell(world: World) -> None:
    """A call that may change something is waited for: say which, and how long at most."""
    for call in world.state.inflight.calls:
        contract = world.setup.contracts.get(call.tool)
        if call.phase == "started" and contract is not None and not contract.read_only:
            world.listener.note(f"pausing once {call.tool} has ended, at most {contract.timeout_s:g}s from its start")


def _missed(world: World, heartbeat: asyncio.Task[None]) -> None:
    error = None if heartbeat.cancelled() else heartbeat.exception()
    if error is not None:
        world.interrupt.fail(error)


async def _to_the_end(at: Drive, world: World) -> Result:
    try:
        stop = await at.way(world)
    except LeaseLost:
        raise
    except StoreUnusable as error:  # nothing more can be written: the run will be found crashed
        error.hint = f"{error.hint} Then go on with: agentctl resume {at.run_id}"
        raise
    except AgentctlError as error:
        stop = do.Stop("failed", error.code, error.exit_code, error.message)
        await _end(at, world, stop)
        raise
    except Exception as error:  # noqa: BLE001 -- a defect: the run is closed before the crash report is written
        world.recorder.record(Failed("defect", world.scrub.text(f"{type(error).__name__}: {error}")[:500]))
        await _end(at, world, do.Stop("failed", "defect", 1, "agentctl has a defect; the run was closed."))
        report = world.scrub.text("".join(traceback.format_exception(error)))
        raise Defect(type(error).__name__, report) from None
    await _end(at, world, stop)
    return result_of(world, at.plan, stop)


async def _end(at: Drive, world: World, stop: do.Stop) -> None:
    if stop.handed is not None:
        world.recorder.record(stop.handed)
    if world.watch is not None:
        world.watch.end(stop, world.state, world.recorder.totals.cost_micro / 1e6, world.recorder.record)
    answer = world.scrub.text(world.state.run.answer.strip())
    world.recorder.record(
        Completed(
            stop.status,
            stop.reason,
            stop.exit_code,
            world.recorder.totals.cost_micro,
            answer,
            world.scrub.text(stop.message),
            trust.met(world.state.trust),
        )
    )
    failpoint("before-end")
    await world.recorder.flush(durable=True)
    failpoint("after-end")
    await at.journal.release(at.run_id, at.epoch)
    failpoint("released")


async def _standin(at: Drive, stack: AsyncExitStack) -> StandIn | None:
    if at.plan.script is None:
        return None
    if at.plan.staged is not None:
        return at.plan.staged.standin
    from agentctl.rehearsal.server import StandIn  # loaded by rehearsals alone, as what plays beside it
    from agentctl.runner import rehearse

    journal = at.journal
    secret = bytes.fromhex(journal.seal.call_key("stand-in", b""))
    standin = StandIn(at.plan.script, seed=_seed(at), clock=journal.clock, secret=secret)
    await stack.enter_async_context(standin)
    rehearse.go_on(standin, at.run_id, at.events)
    stack.enter_context(rehearse.remembering(standin, journal.path, journal.clock))
    return standin


def _seed(at: Drive) -> int:
    """The stand-in of a run that goes on makes the signatures that the first one made, also where a fork goes on."""
    forks = (stamped.event.parent for stamped in at.events if isinstance(stamped.event, Forked))
    run_id = next(forks, at.run_id)
    return int(run_id.removeprefix("r_"), 16) & 0x7FFFFFFF


def _world(at: Drive, standin: StandIn | None, stack: AsyncExitStack) -> World:
    state = fold(at.events) if at.events else State()
    plan, script = at.plan, at.plan.script
    approver = at.approver
    play: Play = as_it_is
    if script is not None:
        from agentctl.runner import rehearse  # see `_standin`

        play = play if at.order.real_tools else rehearse.scripted(script, at.events)
        play = play if plan.staged is None else plan.staged.play
        approver = approver or rehearse.ScriptedPerson(script, at.events)
    seal = at.journal.seal
    mask = masking.mask(plan.policy.scrub, known_secrets(plan, at.secrets))
    vault = numbered.recalled(at.journal, at.run_id, at.events, mask)
    listener = Glimpse(at.listener, at.journal, at.run_id)
    watch = _watch(at)
    return World(
        setup=plan.setup,
        recorder=_recorder(at, listener, state, watch),
        conversation=Conversation(),
        open_model=_models(at, standin, stack, aside=False),
        open_aside=_models(at, standin, stack, aside=True),
        tools={name: play(tool) for name, tool in plan.tools.items()},
        offered=plan.tools,
        approver=approver,
        reviewer=reviewer.pinned(plan.loaded),
        letters=lambda: at.journal.letters(at.run_id),
        listener=listener,
        scrub=mask,
        shows=numbered.shows(mask, vault, to_model=plan.policy.scrub.to_model),
        vault=vault,
        clock=at.journal.clock,
        dice=random.random if plan.staged is None else plan.staged.dice,
        call_key=lambda canonical: seal.call_key("", canonical),
        count=plan.counter(at.listener.note),
        books=_books(at),
        system="",
        schemas=plan.schemas,
        policy_digest=plan.digest,
        folder=plan.task.base,
        own_files=own_files(plan.task, plan.loaded),
        check=plan.task.task.check,
        check_box=plan.box,
        check_env={name: os.environ[name] for name in plan.policy.sandbox.env if name in os.environ},
        agree=lambda tool: agree(at.journal, tool),
        asleep=plan.asleep,
        play=play,
        changed_since=lambda provider: caching.since_last_run(at.journal, plan, at.run_id, provider),
        position=(lambda: standin.position(at.run_id)) if standin is not None else (lambda: 0),
        watch=watch,
    )


def _recorder(at: Drive, listener: Listener, state: State, watch: Watch | None) -> Recorder:
    totals = summary.Summary()
    for stamped in at.events:
        totals = summary.apply(totals, stamped.event)
    who = Identity(at.run_id, at.session_id, at.epoch)
    return Recorder(at.journal, who, listener, at.journal.clock, state, totals, None if watch is None else watch.hear)


def _watch(at: Drive) -> Watch | None:
    if at.way is not drive or not at.plan.policy.alerts.enabled:
        return None
    name, began = at.plan.task.task.name, at.journal.clock()
    return Watch(at.journal, at.plan.policy, at.run_id, name, at.order.rehearse, at.listener.note, began)


def _books(at: Drive) -> Books:
    """The books, under the names that this run has in them."""
    return Books(
        at.plan.policy,
        at.run_id,
        f"rehearsal:{at.run_id}:" if at.order.rehearse and at.plan.staged is None else "",
        lambda cap, limit, landing: scopes.of(at, cap, limit, landing=landing),
        lambda provider: at.journal.seal.call_key("key", at.plan.keys[provider.name].encode())[:DIGEST],
    )


def known_secrets(plan: Plan, given: Iterable[str]) -> set[str]:
    """The values that are known to be secret: keys, secret variables, environment variables with such names."""
    names = scrub.make(plan.policy.scrub, ())
    ambient = {value for name, value in os.environ.items() if names.sensitive(name)}
    loaded = set(plan.keys.values()) if plan.script is None else set[str]()
    return ambient | loaded | set(given) | ownkeys.values() | notifying.secrets(plan.policy)


def _models(at: Drive, standin: StandIn | None, stack: AsyncExitStack, *, aside: bool) -> Callable[[Provider], Model]:
    """Adapters, opened once each when they are first asked. `aside`: nothing of what they are sent comes again."""
    opened: dict[str, Model] = {}

    def of(provider: Provider) -> Model:
        if provider.name not in opened:
            endpoint = standin.base_url(provider.name, provider.sdk, at.run_id) if standin is not None else None
            model = open_model(
                provider,
                at.plan.keys[provider.name],
                cache_ttl="off" if aside else caching.ttl_of(at.plan.policy.cache),
                tag="" if aside else at.plan.task.digest[:32],
                endpoint=endpoint,
            )
            stack.push_async_callback(model.close)
            opened[provider.name] = model
        return opened[provider.name]

    return of


_listening: dict[int, Interrupt] = {}
"""Whom a signal reaches: everything that is driven in this process, and whoever starts the drives."""


@contextlib.contextmanager
def signals(interrupt: Interrupt) -> Generator[None]:
    """Let SIGINT and SIGTERM ring this interrupt, together with all the others of this process."""
    loop = asyncio.get_running_loop()
    if not _listening:
        for number, code in SIGNALS.items():
            loop.add_signal_handler(number, _ring, code)
    # Who begins after the signal was not there to hear it.
    if rung := next((each.code for each in _listening.values() if each.code), 0):
        interrupt.ring(rung)
    _listening[id(interrupt)] = interrupt
    try:
        yield
    finally:
        del _listening[id(interrupt)]
        if not _listening:
            for number in SIGNALS:
                loop.remove_signal_handler(number)


def _ring(code: int) -> None:
    for interrupt in tuple(_listening.values()):
        interrupt.ring(code)
