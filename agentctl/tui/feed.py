"""The overview's reader: asks a store again and again what changed, and says it as one value.

Rules. A look costs what changed since the last one, not what the store holds. Of a run that is open the last events are
read at once, and of those that are over only a few runs in one round, the newest first. It runs on a thread of its own
and owns all that it remembers; what it returns is frozen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from agentctl.core import glance
from agentctl.core.glance import Glance
from agentctl.core.policy import Policy
from agentctl.errors import AgentctlError
from agentctl.journal import lease, recent
from agentctl.journal.runs import RunRow
from agentctl.journal.store import Store
from agentctl.records import replace
from agentctl.tui import pending
from agentctl.tui.limits import Limits, limits_of_run
from agentctl.tui.seen import NEEDS_YOU, NO_OVERVIEW, Line, Outage, Overview

TAIL: Final = 48
"""Events of an open run that the first look takes; of one that is over a quarter of it."""
BEHIND: Final = 50
"""Runs that are over and are looked into in one round."""
RECOUNT_S: Final = 5.0
"""Between two counts of all runs."""


class Feed:
    """One reader of one store."""

    def __init__(
        self, journal: Store, outages: Callable[[], tuple[Outage, ...]] = tuple, most: int = recent.MOST_RUNS
    ) -> None:
        self._journal, self._outages, self._most = journal, outages, most
        self._lines: dict[str, Line] = {}
        self._behind: list[str] = []
        self._policies: dict[str, Limits] = {}
        self._since, self._counted, self._total = 0.0, 0.0, 0
        self._said = NO_OVERVIEW

    def look(self) -> Overview:
        """Everything as it stands now; the last of it with a fault, where the store can't be read."""
        now = self._journal.clock()
        try:
            self._catch_up(now)
            self._said = Overview(tuple(self._lines.values()), self._total, self._outages(), now)
        except AgentctlError as error:
            self._said = replace(self._said, now=now, fault=error.message)
        return self._said

    def _catch_up(self, now: float) -> None:
        first = not self._since
        rows = self._journal.read(
            lambda tx: recent.latest(tx, self._most) if first else recent.changed(tx, self._since, self._most)
        )
        latest = max((row.updated for row in rows), default=self._since) or now
        self._since = min(latest, now)  # a row of a clock that is ahead hides nothing that is written meanwhile
        for row in rows:
            known = self._lines.get(row.run_id)
            if known is None or known.row != row:
                self._take(row, known, now)
        for line in [line for line in self._lines.values() if line.row.status in {"running", "queued"}]:
            word = _word(line.row, line.glance, now)  # a driver may be gone without a word
            if word != line.word:
                self._lines[line.run_id] = replace(line, word=word)
        for _ in range(min(BEHIND, len(self._behind))):
            self._look_back(self._behind.pop(0), now)
        if now - self._counted > RECOUNT_S or now < self._counted:
            self._counted = now
            self._total = self._journal.read(recent.count)
            self._forget()
            self._heed()

    def _take(self, row: RunRow, known: Line | None, now: float) -> None:
        if known is None and row.status not in recent.UNFINISHED:
            self._lines[row.run_id] = Line(row, _word(row, Glance(), now))
            self._behind.append(row.run_id)
            return
        seen = self._glance(row, known.glance if known else Glance(), TAIL)
        line = known or Line(row, "")
        if known is None or known.glance.raised_micro != seen.raised_micro:
            line = self._limited(line, seen)
        self._lines[row.run_id] = replace(line, row=row, glance=seen, word=_word(row, seen, now))

    def _look_back(self, run_id: str, now: float) -> None:
        line = self._lines.get(run_id)
        if line is not None and not line.glance.seq:
            seen = self._glance(line.row, line.glance, TAIL // 4)
            self._lines[run_id] = replace(self._limited(line, seen), glance=seen, word=_word(line.row, seen, now))

    def _glance(self, row: RunRow, known: Glance, limit: int) -> Glance:
        upto = row.next_seq - 1
        if upto <= known.seq:
            return known
        new = self._journal.read(
            lambda tx: recent.events(
                tx, self._journal.blobs, row.run_id, glance.KINDS, after=known.seq, upto=upto, limit=limit
            )
        )
        for stamped in new:
            known = glance.apply(known, stamped)
        return replace(known, seq=upto)

    def _limited(self, line: Line, seen: Glance) -> Line:
        policy = self._policy(line.run_id)
        if policy is None:
            return line
        cap = policy.budget.run_usd + seen.raised_micro / 1e6 if policy.budget.enabled else None
        steps = policy.budget.max_steps + seen.raised_steps if policy.budget.enabled else None
        context = policy.context.max_tokens if policy.context.enabled else None
        return replace(line, cap_usd=cap, max_steps=steps, max_context=context)

    def _policy(self, run_id: str) -> Policy | None:
        """That of the run's files, read once for all runs that name the same."""
        spec = self._journal.spec(run_id)
        try:
            known = json.loads(spec)
            key = json.dumps([known["task"], known["policy"], known["max_usd"]])
        except (ValueError, KeyError, TypeError):
            return None
        if key not in self._policies:
            self._policies[key] = limits_of_run(self._journal, run_id)
        return self._policies[key].policy

    def _heed(self) -> None:
        """A parked run whose every question was answered needs nobody's decision any more: it needs to go on."""
        for line in [line for line in self._lines.values() if line.word == NEEDS_YOU and line.row.status == "parked"]:
            letters = pending.answered(self._journal, line.run_id)
            if letters and letters.keys() >= line.glance.waiting.keys():
                self._lines[line.run_id] = replace(line, word="parked")

    def _forget(self) -> None:
        """What was pruned, and what is older than what is listed."""
        kept = {row.run_id for row in self._journal.read(lambda tx: recent.latest(tx, self._most))}
        self._lines = {run_id: line for run_id, line in self._lines.items() if run_id in kept}


def _word(row: RunRow, seen: Glance, now: float) -> str:
    if lease.crashed(row, now):
        return "crashed"
    if seen.waiting and row.status in {"running", "parked"}:
        return NEEDS_YOU
    return NEEDS_YOU if row.status == "parked" and row.reason in {"approval", "unknown_outcome"} else row.status
