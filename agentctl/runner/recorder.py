"""The one way for an event into a run: stamped, folded, sealed where it must be, shown, written.

Rules.
1. `record` is immediate for the state and the eyes, and queues the event for the store; order never changes.
2. `flush` returns when everything recorded so far is written. Whatever must not be lost is flushed `durable`: spend,
   and both marks of a call that may not happen twice. Nothing that cannot be undone begins before its intent is
   flushed.
3. A reservation and the intent that it is for are one transaction; so are a settlement, its outcome and what that
   outcome says of a circuit.
4. What nobody waits for is written within LAG_S all the same, so that followers see it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from agentctl.core import summary
from agentctl.core.contract import Contract
from agentctl.core.events import Completed, Event, ModelAsked, ModelFailed, ModelReplied, Stamped
from agentctl.core.state import State, apply
from agentctl.core.summary import Summary
from agentctl.journal import admission, circuits, events, lease, pace, rehearsed, sealed, sessions
from agentctl.journal.admission import Granted, Request
from agentctl.journal.circuits import Ask, Outcome, Told
from agentctl.journal.events import Change, Draft
from agentctl.journal.failpoints import failpoint
from agentctl.journal.sealed import Sealed
from agentctl.journal.sessions import Said, Session
from agentctl.journal.store import Store
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner.order import Listener

LAG_S = 0.02


@dataclass(frozen=True, slots=True)
class Identity:
    """Which run is written, by which driver."""

    run_id: str
    session_id: str
    epoch: int


class Recorder:
    """Stamps, folds and writes the events of one run. Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        listener: Listener,
        clock: Callable[[], float],
        state: State | None = None,
        totals: Summary | None = None,
        hear: Callable[[Stamped], None] | None = None,
    ) -> None:
        self.state = state or State()
        self.totals = totals or Summary()
        self.identity = identity
        self._store = store
        self._listener = listener
        self._hear = hear
        self._clock = clock
        self._written = ""
        self._timer: asyncio.TimerHandle | None = None
        self._ours_at = _awake_or_asleep()
        self._empty()

    def _empty(self) -> None:
        self._events: list[Stamped] = []
        self._originals: list[Sealed] = []
        self._settled: list[tuple[str, int, int]] = []
        self._outcomes: list[Outcome] = []
        self._letters: list[int] = []

    def seal(self, original: str) -> str:
        """Seal an original with the next write; the digest goes into its event."""
        body = self._store.seal.seal(self.identity.run_id, original.encode(errors="surrogatepass"))
        self._originals.append(body)
        return body.digest

    def took(self, letter: int) -> None:
        """What is recorded next came of this letter."""
        self._letters.append(letter)

    def record(self, event: Event) -> Stamped:
        """Stamp, fold, show, queue."""
        stamped = self._stamp(event)
        self._events.append(stamped)
        self._fold(stamped)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LAG_S, self.post)
        return stamped

    def settle(self, hold_id: str, event: ModelReplied | ModelFailed) -> Stamped:
        """Record the outcome of a model call together with what it cost, in money and in its minute.

        Not durably: the hold is on the disk, and whoever finds it open after a power cut settles it in full.
        """
        used = event.tokens if isinstance(event, ModelFailed) else event.usage.counted
        self._settled.append((hold_id, event.cost_micro, used))
        return self.record(event)

    def count(self, outcome: Outcome) -> None:
        """What a call that went well says of its circuit: written with what is recorded next."""
        self._outcomes.append(outcome)

    async def weigh(self, outcome: Outcome) -> Told:
        """What an outcome makes of its circuit: for failures and probes, which may move it."""
        await self.flush()
        return await self._store.submit(
            lambda tx: circuits.record(tx, outcome, self._clock()), run_id=self.identity.run_id
        )

    def told(self, ask: Ask) -> Told:
        """Where a circuit stands."""
        return self._store.read(lambda tx: circuits.told(tx, ask.name, ask.rules, self._clock()))

    async def take(self, ask: Ask) -> Told:
        """Ask a circuit for a call; half open: this call is a probe now."""
        return await self._store.submit(lambda tx: circuits.take(tx, ask, self._clock()), run_id=self.identity.run_id)

    def calls_of_the_session(self) -> dict[str, int]:
        """How often the other runs of the session have called each tool by now."""
        return self._store.read(lambda tx: events.calls_of_the_session(tx, self.identity.run_id))

    def said_in_the_session(self, session: Session) -> tuple[list[Said], bool]:
        """What its runs have said by now, and whether there was more before."""
        return self._store.read(lambda tx: sessions.said(tx, self._store.blobs, session))

    async def begin(self, contract: Contract, *, durable: bool) -> tuple[int, int]:
        """Flush the intent of a call of a tool that has a limit.

        How often the other runs of the session have started it when that is written, in all and in the last minute.
        Writes follow one another, so whoever comes after sees this one.
        """
        run_id, name, clock, found = self.identity.run_id, contract.name, self._clock, list[tuple[int, int]]()
        stamped, change, began = tuple(self._events), self._change(), _awake_or_asleep()

        def count(tx: Tx) -> None:
            if change.also is not None:
                change.also(tx)
            lately = events.starts_of_the_session(tx, run_id, [name], clock()) if contract.max_calls_per_minute else {}
            calls = events.calls_of_the_session(tx, run_id) if contract.max_calls_per_session else {}
            found.append((calls.get(name, 0), len(lately.get(name, ()))))

        await self._store.append(self.identity.epoch, stamped, replace(change, also=count), durable=durable)
        self._ours_at = began
        return found[-1]

    def starts_of_the_session(self, contracts: Iterable[Contract]) -> dict[str, tuple[float, ...]]:
        """When they did so in the last minute, of the tools that have a limit per minute."""
        tools = [contract.name for contract in contracts if contract.max_calls_per_minute is not None]
        if not tools:
            return {}
        return self._store.read(lambda tx: events.starts_of_the_session(tx, self.identity.run_id, tools, self._clock()))

    def leave(self) -> None:
        """The call that waits for its minute is not made."""
        run_id = self.identity.run_id
        self._store.post(lambda tx: pace.leave(tx, run_id), run_id=run_id)

    async def reserve(self, asked: ModelAsked, request: Request) -> admission.Answer:
        """Reserve and record the intent in one transaction, or neither: then what refused."""
        stamped = self._stamp(asked)
        probing = replace(stamped, event=replace(asked, probe=True))
        queued = tuple(self._events)
        draft, change = Draft.of((*queued, stamped)), self._change()
        epoch, clock, bare = self.identity.epoch, self._clock, replace(change, also=None)

        def work(tx: Tx) -> admission.Answer:
            now = clock()
            if change.also is not None:
                change.also(tx)
            answer = admission.admit(tx, request, now)
            match answer:
                case Granted(probe=False):
                    events.append(tx, epoch, draft, bare, now)
                case Granted():
                    events.append(tx, epoch, self._store.packed((*queued, probing)), bare, now)
                case _ if queued:
                    events.append(tx, epoch, self._store.packed(queued), bare, now)
                case _:
                    pass
            failpoint("reserved")
            return answer

        run_id = self.identity.run_id
        failpoint("before-reserve")
        answer = await self._store.submit(work, durable=True, run_id=run_id, before=self._store.packer(draft))
        if isinstance(answer, Granted):
            self._fold(probing if answer.probe else stamped)
        return answer

    async def flush(self, *, durable: bool = False) -> None:
        """Wait until everything recorded so far is written."""
        if not self._events:
            await self._store.submit(_nothing, durable=durable, run_id=self.identity.run_id)
            return
        stamped, change, began = tuple(self._events), self._change(), _awake_or_asleep()
        await self._store.append(self.identity.epoch, stamped, change, durable=durable)
        self._ours_at = began

    async def own(self) -> None:
        """Be sure that the lease is ours now: this process may have slept since it last wrote. Asked before a start."""
        while _awake_or_asleep() - self._ours_at > lease.RENEW_S:
            began = _awake_or_asleep()
            await self._store.submit(self._renew, run_id=self.identity.run_id)
            self._ours_at = began

    def _renew(self, tx: Tx) -> float:
        return lease.renew(tx, self.identity.run_id, self.identity.epoch, self._clock())

    def post(self) -> None:
        """Hand over what is queued and go on; an error comes up at the next wait."""
        if self._events:
            stamped, change = tuple(self._events), self._change()
            self._store.append_soon(self.identity.epoch, stamped, change)

    def _stamp(self, event: Event) -> Stamped:
        ahead = isinstance(event, ModelAsked | ModelFailed | ModelReplied) and event.purpose == "answer"
        state, who = self.state, self.identity
        return Stamped(who.run_id, state.seq + 1, who.session_id, state.run.step + ahead, self._clock(), event)

    def _fold(self, stamped: Stamped) -> None:
        self.state = apply(self.state, stamped)
        self.totals = summary.apply(self.totals, stamped.event)
        if self._hear is not None:
            self._hear(stamped)
        self._listener.event(stamped, self.state)

    def _change(self) -> Change:
        """What goes with the queued events; the queue is empty afterwards."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        run, settled, outcomes, clock = self.state.run, self._settled, self._outcomes, self._clock
        ended = bool(self._events) and isinstance(self._events[-1].event, Completed) and not self.resumable
        run_id = self.identity.run_id

        def beside(tx: Tx) -> None:
            for hold_id, micro, tokens in settled:
                admission.settle(tx, hold_id, micro, tokens)
                failpoint("settled")
            for outcome in outcomes:
                circuits.record(tx, outcome, clock())
            if ended:
                sealed.destroy(tx, run_id)
                rehearsed.forget(tx, run_id)

        change = Change(
            status=run.status if run.status != self._written else None,
            reason=run.reason,
            cost_micro=self.totals.cost_micro,
            steps=self.totals.steps,
            originals=tuple(self._originals),
            letters=tuple(self._letters),
            also=beside if settled or outcomes or ended else None,
        )
        self._written = run.status
        self._empty()
        return change

    @property
    def resumable(self) -> bool:
        """Whether `resume` can go on with the run as it stands."""
        run = self.state.run
        return run.status in {"running", "parked", "paused", "stopped", "crashed"} or run.reason == "providers"


def _awake_or_asleep() -> float:
    """Seconds that no clock sets back and that go on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _nothing(tx: Tx) -> None:
    """An empty piece of work: it is done when everything queued before it is."""
