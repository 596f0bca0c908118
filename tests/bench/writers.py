"""Many processes on one store: `.venv/bin/python -m tests.bench.writers [PROCESSES] [EVENTS/S] [SECONDS]`.

Each drives a run of its own: model calls that are reserved and settled in one shared budget, and tool calls between
durable marks. Told are the waits; checked are every event and every cent. First on a file, then, where there is one, on
a server that syncs.
"""

# ruff: noqa: T201  # it prints its figures

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentctl.core.events import Event, ModelAsked, ModelReplied, Stamped, Thought, ToolFinished, ToolStarted
from agentctl.core.messages import Usage
from agentctl.journal import events, lease, ledger, runs
from agentctl.journal.events import Change, Draft
from agentctl.journal.ledger import Scope
from agentctl.journal.runs import NewRun
from agentctl.journal.store import Store, open_store
from tests.bench.disk import flush_ms
from tests.books.fleet import Fleet
from tests.books.work import pass_gate
from tests.conftest import find_program
from tests.journal import server

SCOPE = Scope("hourly_usd:all", 0, None)
WORST, LEAST = 20_000, 4_000
"""Micro-dollars: reserved, and what the first call really costs; each next one costs one more."""
TEXT = "word " * 400


@dataclass
class Figures:
    """What a fleet of writers came to."""

    events: int
    lost: int
    billed: int
    spent: int
    held: int
    waits: list[float]
    """Seconds, of every wait of everybody."""
    late: float
    """The most seconds that anybody was woken too late from a sleep: the machine's share, which waits hold too."""


def writes(say: Callable[..., None], url: str, keys: str, gate: str, name: str, seconds: float, rate: float) -> None:
    """A member: write at this rate, and say what was acknowledged."""
    with open_store(url, seal_dir=Path(keys)) as store:
        pen, lates = Pen(store, name), []
        pass_gate(gate)
        end, due = time.monotonic() + seconds, time.monotonic() + hash(name) % 100 / 100 / rate
        while due < end:
            if (early := due - time.monotonic()) > 0:
                time.sleep(early)
                lates.append(round(time.monotonic() - due, 5))
            pen.write()
            due += 1 / rate
    for first in range(0, len(pen.waits), 100):
        say(waits=[round(wait, 5) for wait in pen.waits[first : first + 100]])
    say(late=max(lates, default=0.0))
    say(seq=pen.seq, billed=pen.billed)


class Pen:
    """One run, written event by event."""

    def __init__(self, store: Store, name: str) -> None:
        self.seq = self.billed = self.calls = 0
        self.waits: list[float] = []
        self._store, self._name = store, name
        store.write(lambda tx: runs.create(tx, NewRun(name, "s_1", "ada", "task", "{}", time.time())))
        self._epoch = store.write(lambda tx: lease.take(tx, name, lease.new_owner(), time.time()))

    def write(self) -> None:
        """The next event of a step: asked, replied, started, finished, thought."""
        number, hold = self.seq % 5, f"{self._name}:{self.calls}"
        cost = LEAST + self.calls
        match number:
            case 0:
                event: Event = ModelAsked("a", "a||m", "m", 1, "answer", 1_000, 1_000, WORST)
                self._append(event, lambda tx: ledger.reserve(tx, hold, self._name, WORST, [SCOPE]), durable=True)
            case 1:
                reply = ModelReplied("a", "a||m", "m", Usage(1_000, 50), cost, 400, "end_turn", TEXT, (), "answer", 50)
                self._append(reply, lambda tx: ledger.settle(tx, hold, cost))
                self.billed, self.calls = self.billed + cost, self.calls + 1
            case 2:
                self._append(ToolStarted(f"c{self.seq}", "pay", {"id": TEXT}, "high", 1, True, 5.0), durable=True)
            case 3:
                result = {"status": "success", "data": TEXT}
                done = ToolFinished(f"c{self.seq - 1}", "pay", "success", None, False, 9, result, 9)
                self._append(done, durable=True)
            case _:
                self._append(Thought(TEXT))

    def _append(self, event: Event, also: Callable[[Any], object] | None = None, *, durable: bool = False) -> None:
        stamped = Stamped(self._name, self.seq + 1, "s_1", 1, time.time(), event)
        draft, began = Draft.of([stamped]), time.monotonic()
        self._store.write(
            lambda tx: events.append(tx, self._epoch, draft, Change(also=also), time.time()),
            durable=durable, run_id=self._name, before=self._store.packer(draft),
        )  # fmt: skip
        self.waits.append(time.monotonic() - began)
        self.seq += 1


def measured(folder: Path, processes: int, rate: float, seconds: float, url: str = "") -> Figures:
    """Let them all write, then count what is there; into a file of this folder, or to a server."""
    url, keys = url or f"sqlite:///{folder}/agentctl.db", str(folder / "keys")
    fleet = Fleet(folder / "fleet", work="tests.bench.writers")
    try:
        with open_store(url, seal_dir=Path(keys)) as store:
            gate = fleet.gate("start")
            given = {"url": url, "keys": keys, "gate": gate, "seconds": seconds, "rate": rate}
            members = {f"r_{n}": fleet.start("writes", name=f"r_{n}", **given) for n in range(processes)}
            fleet.until(lambda: len(store.runs()) == processes)
            fleet.open("start")
            time.sleep(seconds)
            fleet.wait(*members.values())
            said = {name: fleet.said(member) for name, member in members.items()}
            found = {name: [one.seq for one in store.events(name)] for name in members}
            spent, held = store.read(lambda tx: ledger.standing(tx, SCOPE))
    finally:
        fleet.close()
    ends = {name: lines[-1] for name, lines in said.items()}
    lost = sum(found[name] != list(range(1, end["seq"] + 1)) for name, end in ends.items())
    # The last call of a run may still be under way: its hold is open.
    under_way = sum(WORST for end in ends.values() if end["seq"] % 5 == 1)
    return Figures(
        sum(end["seq"] for end in ends.values()),
        lost,
        sum(end["billed"] for end in ends.values()),
        spent,
        held - under_way,
        sorted(wait for lines in said.values() for line in lines for wait in line.get("waits", ())),
        max(line.get("late", 0.0) for lines in said.values() for line in lines),
    )


def main(processes: int = 50, rate: float = 5.0, seconds: float = 20.0) -> None:
    """Print a table per kind of store, and how their waits compare."""
    print(f"{processes} processes x {rate:g} events/s x {seconds:g} s")
    found = {kind: told(kind, url, processes, rate, seconds) for kind, url in grounds()}
    if len(found) > 1:
        one, two = (statistics.fmean(figures.waits) for figures in found.values())
        print(f"{'server / file':<22}{two / one:>12.2f}   of the mean waits")


def grounds() -> Iterator[tuple[str, str]]:
    """A file, and a server where there is one."""
    yield "SQLite", ""
    if all(find_program(name) for name in server.NEEDED):
        server.SETTINGS["fsync"] = "on"
        yield "PostgreSQL", server.database()


def told(kind: str, url: str, processes: int, rate: float, seconds: float) -> Figures:
    """Measure on one store, and print its table."""
    with tempfile.TemporaryDirectory() as name:
        flush = flush_ms(Path(name))
        figures = measured(Path(name), processes, rate, seconds, url)
    at = [figures.waits[int(len(figures.waits) * share)] * 1000 for share in (0.5, 0.99, 0.999)]
    print(f"--- {kind}; one flush of this disk takes {flush:.2f} ms")
    print(f"{'events':<22}{figures.events:>12,}   asked for {processes * rate * seconds:,.0f}")
    print(f"{'runs with a loss':<22}{figures.lost:>12,}")
    print(f"{'billed, micro-USD':<22}{figures.billed:>12,}")
    print(f"{'ledger, micro-USD':<22}{figures.spent:>12,}   held beyond calls under way: {figures.held}")
    print(
        f"{'wait, ms':<22}{at[0]:>12.1f}   99%: {at[1]:.1f}   99.9%: {at[2]:.1f}   most: {figures.waits[-1] * 1000:.1f}"
    )
    print(f"{'mean, ms':<22}{statistics.fmean(figures.waits) * 1000:>12.1f}")
    print(
        f"{'woken late, ms':<22}{figures.late * 1000:>12.1f}   at most, by a machine of load {os.getloadavg()[0]:.1f}"
    )
    return figures


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, float, float), sys.argv[1:], strict=False)))
