"""How far followers lag: from the commit of an event to another process seeing it through `Store.follow`.

    .venv/bin/python -m tests.bench.follow [EVENTS] [FOLLOWERS]

One process writes, at random moments and now and then in bursts; all follow. Both read the clock of the machine. Beside
it stands what the same wait comes to without a store: from a write into a pipe to its arrival in the follower's loop.
"""

# ruff: noqa: T201  # it prints its figures

import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import IO

from agentctl.core.events import Stamped, Thought
from agentctl.journal import lease, runs
from agentctl.journal.runs import NewRun
from agentctl.journal.store import Store, open_store
from tests.bench.writers import grounds
from tests.books.fleet import Fleet

RUN = "r_1"
GAP_S = 0.1
BURST = 5


def follows(say: Callable[..., None], url: str, keys: str, events: int, pipe: str) -> None:
    """A member: when it saw each event, and when each line of the pipe."""
    seen: dict[int, float] = {}
    heard: list[float] = []

    async def follow(end: IO[bytes]) -> None:
        with open_store(url, seal_dir=Path(keys)) as store:
            os.set_blocking(end.fileno(), False)
            loop = asyncio.get_running_loop()
            loop.add_reader(end.fileno(), lambda: heard.extend([time.monotonic()] * len(end.read(64) or b"")))
            say(ready=True)
            async with aclosing(store.follow(RUN)) as coming:
                async for stamped in coming:
                    seen[stamped.seq] = time.monotonic()
                    if stamped.seq == events:
                        break
            loop.remove_reader(end.fileno())

    with Path(pipe).open("rb", buffering=0) as end:
        asyncio.run(follow(end))
    for first in range(1, events + 1, 50):
        say(seen={seq: seen[seq] for seq in range(first, min(first + 50, events + 1))})
    for at in range(0, len(heard), 50):
        say(heard=heard[at : at + 50])


def write(store: Store, events: int, ends: list[int]) -> tuple[dict[int, float], list[float]]:
    """When each event was committed, and when a byte went into the pipes."""
    dice, committed, told = random.Random(7), {}, []
    epoch = store.write(lambda tx: lease.take(tx, RUN, lease.new_owner(), time.time()))
    seq = 1
    while seq <= events:
        time.sleep(dice.expovariate(1 / GAP_S))
        for _ in range(BURST if dice.random() < 0.1 else 1):
            if seq > events:
                break
            stamped = [Stamped(RUN, seq, "s_1", 1, time.time(), Thought(f"{seq}"))]
            asyncio.run(store.append(epoch, stamped))
            committed[seq] = time.monotonic()
            seq += 1
        told.append(time.monotonic())
        for end in ends:
            with contextlib.suppress(BrokenPipeError):  # the last event may be seen sooner
                os.write(end, b".")
    return committed, told


def measured(folder: Path, url: str, events: int, followers: int) -> tuple[list[float], list[float]]:
    """Seconds behind the commit, and behind the pipe, of everybody and everything."""
    url, keys = url or f"sqlite:///{folder}/agentctl.db", str(folder / "keys")
    pipes = [folder / f"pipe{number}" for number in range(followers)]
    for pipe in pipes:
        os.mkfifo(pipe)
    fleet = Fleet(folder / "fleet", work="tests.bench.follow")
    try:
        with open_store(url, seal_dir=Path(keys)) as store:
            store.write(lambda tx: runs.create(tx, NewRun(RUN, "s_1", "ada", "task", "{}", time.time())))
            given = {"url": url, "keys": keys, "events": events}
            members = [fleet.start("follows", pipe=str(pipe), **given) for pipe in pipes]
            ends = [os.open(pipe, os.O_WRONLY) for pipe in pipes]
            fleet.until(lambda: all(fleet.said(member) for member in members))
            committed, told = write(store, events, ends)
            fleet.wait(*members)
            for end in ends:
                os.close(end)
            lines = [fleet.said(member) for member in members]
    finally:
        fleet.close()
    seen = [(int(seq), at) for said in lines for line in said for seq, at in line.get("seen", {}).items()]
    heard = [[at for line in said for at in line.get("heard", ())] for said in lines]
    return (
        sorted(max(0.0, at - committed[seq]) for seq, at in seen),
        sorted(at - sent for each in heard for at, sent in zip(each, told, strict=False)),
    )


def main(events: int = 300, followers: int = 4) -> None:
    """Print a line per kind of store."""
    print(f"{events} events, {followers} followers; ms behind the commit")
    print(f"{'':<12}{'50%':>8}{'95%':>8}{'99%':>8}{'most':>8}{'pipe 50%':>10}{'99%':>8}{'ratio 50%':>11}")
    for kind, url in grounds():
        with tempfile.TemporaryDirectory() as name:
            lags, pipe = measured(Path(name), url, events, followers)
        at = [lags[int(len(lags) * share)] * 1000 for share in (0.5, 0.95, 0.99)]
        bare = [pipe[int(len(pipe) * share)] * 1000 for share in (0.5, 0.99)]
        cells = "".join(f"{each:>8.1f}" for each in (*at, lags[-1] * 1000))
        print(f"{kind:<12}{cells}{bare[0]:>10.1f}{bare[1]:>8.1f}{at[0] / bare[0]:>11.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
