"""The reader of one run: folds its events as they come, and says what its page shows as one value.

It lives on a thread of its own. While it reads, the run is told that somebody watches, so that a reply can be seen
while it is being written.
"""

from __future__ import annotations

import time
from typing import Final

from agentctl.core import events as e
from agentctl.core import gauges, summary, timeline
from agentctl.core.doing import doing_at, rest
from agentctl.core.gauges import Gauge
from agentctl.core.state import State, apply
from agentctl.core.summary import Summary
from agentctl.errors import AgentctlError
from agentctl.journal import lease, onlookers, pace
from agentctl.journal.runs import RunRow
from agentctl.journal.store import Store
from agentctl.records import replace
from agentctl.tui import pending
from agentctl.tui.limits import Limits, limits_of_run
from agentctl.tui.pending import Requests
from agentctl.tui.seen import NEEDS_YOU, NO_PAGE, Page

WATCH_S: Final = 4.0
"""Between two words that somebody watches."""
REHEARSAL: Final = "rehearsal:{}:"
"""Begins the names of what a rehearsal has to itself."""
MOST_SPENDS: Final = 200
"""Replies whose cost the sparkline shows."""
RESUMABLE: Final = frozenset({"parked", "paused", "stopped", "crashed"})


class Follow:
    """One reader of one run."""

    def __init__(self, journal: Store, run_id: str, *, watches: bool = True) -> None:
        """`watches`: it may say so in the store."""
        self._journal, self._run_id, self._watches = journal, run_id, watches
        self._state, self._totals = State(), Summary()
        self._limits: Limits | None = None
        self._told = 0.0
        self._events: list[e.Stamped] = []
        self._trace, self._live = timeline.Trace(), False
        self._requests = Requests({}, {}, {}, {})
        self._page = replace(NO_PAGE, events=self._events)

    def look(self) -> Page:
        """Everything as it stands now; the last of it with a fault, where the store can't be read."""
        now = self._journal.clock()
        try:
            row = self._journal.run(self._run_id)
            self._say_so(row, now)
            page = self._caught_up(row, now)
            self._page = replace(page, writing=self._journal.read(lambda tx: onlookers.read(tx, row.run_id)), fault="")
        except AgentctlError as error:
            self._page = replace(self._page, now=now, fault=error.message)
        return self._page

    def _say_so(self, row: RunRow, now: float) -> None:
        if self._watches and row.status in {"running", "queued"} and time.monotonic() - self._told > WATCH_S:
            self._told = time.monotonic()
            self._journal.write(lambda tx: onlookers.watch(tx, row.run_id, now), run_id=row.run_id)

    def _caught_up(self, row: RunRow, now: float) -> Page:
        page = self._page
        if self._limits is None:
            self._limits = limits_of_run(self._journal, row.run_id)
        new = self._journal.events(row.run_id, self._state.seq)
        for stamped in new:
            page = self._taken(page, stamped)
        known = self._events
        known.extend(new)
        crashed = lease.crashed(row, now)
        live = row.status == "running" and not crashed
        if new or live != self._live or page.row is None:
            self._live = live
            page = replace(
                page, rows=self._trace.rows(live=live), heading=timeline.header(known).removeprefix("Trace: ")
            )
        requests = self._asked(row, page, new)
        waiting = tuple(requests.waiting) if row.status in pending.OPEN else ()
        word = "crashed" if crashed else NEEDS_YOU if waiting and row.status in {"running", "parked"} else row.status
        minute = self._minute(row, now) if live else None
        return replace(
            page,
            row=row,
            word=word,
            count=len(known),
            gauges=gauges.gauges(self._limits.policy, self._standing(crashed=crashed), self._totals, now, minute),
            requests=requests,
            waiting=waiting,
            limits=self._limits,
            spent_micro=self._state.budget.spent_micro,
            resume=f"agentctl resume {row.run_id}" if _resumable(row, crashed=crashed) else "",
            now=now,
        )

    def _standing(self, *, crashed: bool) -> State:
        """Nobody's time passes while nobody drives: `resume` does not count it either."""
        state = self._state
        return replace(state, budget=replace(state.budget, idle=True)) if crashed else state

    def _minute(self, row: RunRow, now: float) -> Gauge | None:
        """The current minute of the provider that was asked last, which other runs fill too."""
        policy = self._limits.policy if self._limits else None
        providers = policy.providers if policy else ()
        provider = next((each for each in providers if each.name == self._state.route.asked), None)
        if policy is None or provider is None:
            return None
        whose = f"{REHEARSAL.format(row.run_id) if row.rehearsed else ''}{provider.sdk}|{provider.base_url or ''}|"
        used = {"tokens_per_minute": 0, "usd_per_minute": 0}
        for window in self._journal.read(lambda tx: pace.windows(tx, now)):
            key, _, scope = window.scope.partition(":")
            if scope.startswith(whose):
                used[key] = used.get(key, 0) + window.used
        return gauges.minute(policy, used["tokens_per_minute"], used["usd_per_minute"])

    def _asked(self, row: RunRow, page: Page, new: list[e.Stamped]) -> Requests:
        """What was asked of a person by now, and what letters say of it."""
        if not new and not page.requests.waiting and not page.requests.answered:
            return page.requests
        for stamped in new:
            pending.take(self._requests, stamped)
        found = self._requests
        letters = pending.answered(self._journal, row.run_id) if found.waiting else {}
        return Requests({**found.asked}, {**found.decided}, letters, {**found.gone})

    def _taken(self, page: Page, stamped: e.Stamped) -> Page:
        self._state = apply(self._state, stamped)
        self._trace.take(stamped)
        self._totals = summary.apply(self._totals, stamped.event)
        doing = doing_at(stamped.event)
        if doing:
            wait = rest(stamped.event)
            page = replace(page, doing=doing, since=stamped.ts, until=stamped.ts + wait if wait else 0.0)
        match stamped.event:
            case e.ModelReplied(text=text, cost_micro=cost):
                spends = (*page.spends, cost / 1e6)[-MOST_SPENDS:]
                return replace(page, spends=spends, answer=text or page.answer, said=text)
            case e.ModelFailed(cost_micro=cost) if cost:
                return replace(page, spends=(*page.spends, cost / 1e6)[-MOST_SPENDS:])
            case e.Completed() as over:
                return replace(page, doing="", until=0.0, answer=_final(over) or page.answer)
            case _:
                return page


def _resumable(row: RunRow, *, crashed: bool) -> bool:
    """As `show` says it: also what failed because no provider was left."""
    return crashed or row.status in RESUMABLE or (row.status == "failed" and row.reason == "providers")


def _final(over: e.Completed) -> str:
    """Its answer; before it why it is none, where the run did not complete."""
    if over.status == "completed" or over.message in over.answer:
        return over.answer or over.message
    return f"{over.message}\n\n{over.answer}".strip()
