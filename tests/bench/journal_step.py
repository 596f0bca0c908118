"""What the journal costs: run it by hand, `PYTHONPATH=. .venv/bin/python tests/bench/journal_step.py [FOLDER]`."""

# ruff: noqa: T201  # it prints its figures

import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path

from agentctl.core.events import CallProposed, ModelReplied, Stamped, ToolStarted
from agentctl.core.messages import Usage
from agentctl.journal import codec, events, lease, ledger, runs
from agentctl.journal.events import Change, Draft
from agentctl.journal.runs import NewRun
from agentctl.journal.store import Store, open_store

ROUNDS = 3000
USAGE = Usage(1200, 80, 300)


def reply(number: int) -> ModelReplied:
    calls = (CallProposed(f"c{number}.0", f"t{number}", "search", {"query": "order A-1001"}, "k" * 32),)
    return ModelReplied(
        "anthropic", "anthropic||m", "m", USAGE, 18_400, 423, "tool_use", "word " * 80, calls, "answer", 80
    )  # fmt: skip


def started(number: int) -> ToolStarted:
    args = {"query": "order A-1001", "limit": 10}
    return ToolStarted(f"c{number}.0", "search", args, "safe", 1, False, 5.0)


def stamped(run_id: str, seq: int, event: ModelReplied | ToolStarted) -> Stamped:
    return Stamped(run_id, seq, "s_1", seq, time.time(), event)


def show(what: str, seconds: list[float]) -> None:
    seconds.sort()
    middle, tail = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
    print(f"{what:<44} {middle * 1e6:8.1f} us   99%: {tail * 1e6:8.1f} us")


def each(what: str, count: int, seconds: float) -> None:
    print(f"{what:<44} {seconds / count * 1e6:8.1f} us each")


async def timed(what: str, job, count: int = ROUNDS) -> None:
    taken = []
    for number in range(count):
        began = time.perf_counter()
        await job(number)
        taken.append(time.perf_counter() - began)
    show(what, taken)


async def begin(store: Store, run_id: str) -> int:
    await store.create_run(NewRun(run_id, "s_1", "ada", "task", "{}", time.time()))
    return await store.take(run_id, lease.new_owner())


async def trips(store: Store) -> None:
    touch = "UPDATE specs SET spec = hex(randomblob(8)) WHERE run_id = 'r_trips'"
    await begin(store, "r_trips")
    await timed("submit, NORMAL", lambda _: store.submit(lambda tx: tx.execute(touch)))
    await timed("submit, FULL", lambda _: store.submit(lambda tx: tx.execute(touch), durable=True))

    async def money(number: int) -> None:
        scopes = [ledger.Scope("run", 0, None), ledger.Scope("day", 86_400, None)]
        await store.submit(lambda tx: ledger.reserve(tx, str(number), "r_trips", 10, scopes))
        await store.submit(lambda tx: ledger.settle(tx, str(number), 5))

    await timed("reserve, settle: two trips", money)


async def appends(store: Store) -> None:
    epoch = await begin(store, "r_one")

    async def one(number: int) -> None:
        await store.append(epoch, [stamped("r_one", number + 1, reply(number))])

    await timed("append one event, NORMAL", one)

    epoch = await begin(store, "r_soon")
    began = time.perf_counter()
    for number in range(ROUNDS):
        store.append_soon(epoch, [stamped("r_soon", number + 1, reply(number))])
    queued = time.perf_counter() - began
    await store.submit(lambda _: None, run_id="r_soon")
    each("append_soon: for the caller", ROUNDS, queued)
    each("append_soon: until committed", ROUNDS, time.perf_counter() - began)


async def many_runs(store: Store) -> None:
    names = [f"r_many{number}" for number in range(100)]
    epochs = [await begin(store, name) for name in names]

    async def drive(name: str, epoch: int) -> None:
        for seq in range(1, 61, 2):
            store.append_soon(epoch, [stamped(name, seq, reply(seq))])
            await store.append(epoch, [stamped(name, seq + 1, started(seq))])

    began = time.perf_counter()
    await asyncio.gather(*map(drive, names, epochs))
    each("100 runs at once: reply and call of a step", 3000, time.perf_counter() - began)


def parts(store: Store) -> None:
    made = [reply(number) for number in range(ROUNDS)]
    began = time.perf_counter()
    texts = [codec.encode(event) for event in made]
    each("encode a reply", ROUNDS, time.perf_counter() - began)
    began = time.perf_counter()
    for written in texts:
        codec.decode(*written)
    each("decode a reply", ROUNDS, time.perf_counter() - began)

    drafts = [Draft.of([stamped("r_parts", n + 1, event)]) for n, event in enumerate(made)]
    for draft in drafts:
        draft.pack(store.path.parent)
    store.write(lambda tx: runs.create(tx, NewRun("r_parts", "s", "u", "t", "{}", 1.0)))

    def write(tx) -> None:
        began = time.perf_counter()
        for draft in drafts:
            events.append(tx, 0, draft, Change(), 1.0)
        each("append within a transaction", ROUNDS, time.perf_counter() - began)

    store.write(write)
    began = time.perf_counter()
    store.events("r_parts")
    each("read and decode", ROUNDS, time.perf_counter() - began)


def listing(store: Store) -> None:
    def fill(tx) -> None:
        for number in range(10_000):
            runs.create(tx, NewRun(f"r_x{number:05}", "s", "ada", "task", "{}", 1.0 + number))

    store.write(fill)
    began = time.perf_counter()
    found = store.runs(limit=10_000)
    print(f"{f'list {len(found):,} runs':<44} {(time.perf_counter() - began) * 1e3:8.1f} ms")
    began = time.perf_counter()
    store.runs(limit=50)
    print(f"{'list the last 50 of them':<44} {(time.perf_counter() - began) * 1e3:8.1f} ms")


def opening(url: str, folder: Path) -> None:
    began = time.perf_counter()
    with open_store(url, seal_dir=folder) as store:
        store.runs(limit=1)
    print(f"{'open what is there and list':<44} {(time.perf_counter() - began) * 1e3:8.1f} ms")


async def main(folder: Path) -> None:
    url = f"sqlite:///{folder}/agentctl.db"
    gc.freeze()
    with open_store(url, seal_dir=folder) as store:
        await trips(store)
        await appends(store)
        await many_runs(store)
        parts(store)
        listing(store)
    opening(url, folder)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as made:
        asyncio.run(main(Path(made)))
