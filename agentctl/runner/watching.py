"""What a run sees of itself that somebody should hear of: at safe points, seldom, and at its end.

It looks at its own calls, its own time and its own money; `alerts check` looks at everybody's. What it finds is an
event of the run, once a drive. Once the run is at rest the incidents are opened and told, for at most PATIENCE_S, and a
dead receiver is one line. Receivers of whom none answered in that time are left to `alerts check` for REST_S: the next
hundred runs of this process do not wait for them too. A rehearsal tells nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING

from agentctl.core import alerts
from agentctl.core import decisions as do
from agentctl.core.alert_words import NAMES, amount
from agentctl.core.alerts import Calls, Finding, Ran
from agentctl.core.events import Alerted, Event, Stamped, ToolFinished
from agentctl.core.incidents import Incident
from agentctl.core.policy import Policy
from agentctl.errors import AgentctlError
from agentctl.foreign import Raised, outcome
from agentctl.journal import incidents, measures
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner import notifying

if TYPE_CHECKING:
    from agentctl.core.state import State
    from agentctl.journal.store import Store
    from agentctl.telemetry.alerts import Sent

EVERY_S = 30.0
"""Seconds between two looks while a run goes on."""
PATIENCE_S = 5.0
"""Seconds that a message is waited for, at the end of a run too."""
SPARE_S = 1.0
"""Seconds after it in which what came of it is written down."""
REST_S = 120.0
_deaf: dict[tuple[str, ...], float] = {}
"""Receivers that let a run of this process wait in vain, and until when they are left alone, on the monotonic clock."""
SEEN = ("run_failed", "parked")
"""Rules that whoever watches the run needs no line about."""
MOST_CALLS = 10_000
"""Calls within the window that are remembered; the oldest is forgotten."""


@dataclass(slots=True)
class Watch:
    """The eyes of one drive."""

    journal: Store
    policy: Policy
    run_id: str
    task: str
    rehearsed: bool
    note: Callable[[str], None]
    begun: float
    calls: deque[tuple[float, str, bool]] = field(default_factory=lambda: deque(maxlen=MOST_CALLS))
    """When each call ended, of which tool, and whether it failed."""
    raised: dict[tuple[str, str], Finding] = field(default_factory=dict[tuple[str, str], Finding])
    """What this drive has found. Bound: rules and tools."""
    next_look: float = 0.0
    usual: alerts.Usual | None = None
    telling: asyncio.Task[None] | None = None
    untold: list[Finding] = field(default_factory=list[Finding])

    def hear(self, stamped: Stamped) -> None:
        """Remember how a call came out."""
        event = stamped.event
        if isinstance(event, ToolFinished) and event.ran and event.final and not event.shared_with:
            self.calls.append((stamped.ts, event.tool, event.status == "error"))

    def look(self, usd: float, record: Callable[[Event], object]) -> None:
        """At a safe point: is it slow, dear, or are its tools failing? Mostly it is too early to ask."""
        now = self.journal.clock()
        if not self.next_look:
            self.next_look = self.begun + EVERY_S
        if now < self.next_look:
            return
        self.next_look = now + EVERY_S
        self._raise(self._found(now, usd, Ran("", "", 0.0, 0.0)), record)
        if self.untold and (self.telling is None or self.telling.done()):
            self.telling = asyncio.create_task(self._tell())

    def end(self, stop: do.Stop, state: State, usd: float, record: Callable[[Event], object]) -> None:
        """Before the last event of the drive."""
        now = self.journal.clock()
        asked = [call.asked_at for call in state.inflight.calls if call.phase == "waiting" and call.asked_at]
        waits = now - min(asked) if asked and (stop.status, stop.reason) == ("parked", "approval") else 0.0
        failed = stop.reason if stop.status == "failed" else ""
        self._raise(self._found(now, usd, Ran(self.run_id, self.task, 0.0, 0.0, failed, waits)), record)

    def _found(self, now: float, usd: float, ended: Ran) -> list[Finding]:
        rules = self.policy.alerts
        ran = Ran(self.run_id, self.task, 0.0 if ended.waits_s else now - self.begun, usd)
        return [
            *alerts.errors(rules, self._lately(now - rules.window_s)),
            *alerts.unusual(rules, ran, self._usual(now)),
            *alerts.failures([ended]),
            *alerts.parked([ended], self.policy.approval.timeout_s),
        ]

    def _lately(self, since: float) -> list[Calls]:
        found: dict[str, Calls] = {}
        for ts, tool, failed in self.calls:
            if ts >= since:
                so_far = found.get(tool, Calls(tool, 0, 0, self.run_id))
                found[tool] = Calls(tool, so_far.made + 1, so_far.failed + failed, self.run_id)
        return list(found.values())

    def _usual(self, now: float) -> alerts.Usual:
        """Asked once, when it is first needed; a store that can't be read has none."""
        if self.usual is None:
            self.usual, since = alerts.NOTHING_USUAL, now - alerts.BASELINE_S
            with contextlib.suppress(AgentctlError):
                found = self.journal.read(
                    lambda tx: measures.usual(tx, since, rehearsed=self.rehearsed, task=self.task)
                )
                self.usual = found.get(self.task, alerts.NOTHING_USUAL)
        return self.usual

    def _raise(self, found: list[Finding], record: Callable[[Event], object]) -> None:
        for each in found:
            key = each.rule, each.subject
            if key in self.raised:
                continue
            self.raised[key] = each
            self.untold.append(each)
            middle = each.baseline.value if each.baseline else 0.0
            record(Alerted(each.rule, each.value, each.limit, each.subject, middle))
            if each.rule not in SEEN:
                value, limit = amount(each.rule, each.value), amount(each.rule, each.limit)
                self.note(f"alert: {NAMES[each.rule]}: {each.subject}, {value} where the limit is {limit}")

    async def told(self) -> None:
        """Wait until what was found is told, for a moment. Raises nothing that is about alerts."""
        try:
            async with asyncio.timeout(PATIENCE_S + SPARE_S):
                if self.telling is not None:
                    await self.telling
                if self.untold:
                    await self._tell()
        except TimeoutError:
            self.note(f"an alert was not told within {PATIENCE_S:g}s; `agentctl alerts check` tells it again")

    async def _tell(self) -> None:
        found, self.untold = self.untold, []
        if self.rehearsed:
            return
        keys, urls = [(each.rule, each.subject) for each in found], self.policy.alerts.urls
        listens = bool(urls) and _deaf.get(urls, 0.0) <= time.monotonic()

        def write(tx: Tx) -> list[Incident]:
            now = self.journal.clock()
            incidents.found(tx, found, now, stale_s=alerts.RECENT_S + self.policy.alerts.window_s)
            return incidents.claim(tx, now, only=keys) if listens else []

        with contextlib.suppress(AgentctlError):  # a store that fails is told of by what the run itself writes
            ours = await self.journal.submit(write)
            began, told = (
                time.monotonic(),
                await _aside(lambda: notifying.tell(self.journal, self.policy, ours, patience_s=PATIENCE_S)),
            )
            if all(sent.error for sent in told) and time.monotonic() - began >= PATIENCE_S:
                _deaf[urls] = time.monotonic() + REST_S
            for sent in told:
                if sent.error:
                    self.note(f"an alert was not delivered: {sent.line}")


async def _aside(work: Callable[[], list[Sent]]) -> list[Sent]:
    """Done in a thread that nobody waits for once the program ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[Sent]] = loop.create_future()

    def settle(sent: list[Sent]) -> None:
        if not done.done():
            done.set_result(sent)

    def run() -> None:
        sent = outcome(work)  # a store that is closed by now, a library that raises
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(settle, [] if isinstance(sent, Raised) else sent)

    threading.Thread(target=run, daemon=True).start()
    return await done
