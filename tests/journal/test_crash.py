"""Killed at any point, a process leaves every acknowledged event, no gap, and a run that can be taken at once."""

import random
import re
import signal
import time
from pathlib import Path

import pytest

from agentctl.journal import failpoints, lease, ledger

PACKAGE = Path(failpoints.__file__).parent
FILES = {
    "sqlite": (PACKAGE / "sqlite.py", PACKAGE / "bodies.py"),
    "postgres": (PACKAGE / "postgres" / "engine.py",),
}
POINTS = {
    kind: sorted({name for path in paths for name in re.findall(r'failpoint\("(.+?)"\)', path.read_text())})
    for kind, paths in FILES.items()
}

# Appends small, long and huge events, some posted and some durable, and says what was acknowledged.
APPEND = """
import asyncio, sys
from pathlib import Path
from agentctl.core.events import Stamped, Thought
from agentctl.journal import ledger, lease
from agentctl.journal.events import Change
from agentctl.journal.store import open_store

async def main(url):
    store = open_store(url, seal_dir=Path("/nowhere"))
    epoch = await store.take("r_1", lease.new_owner())
    seq = store.run("r_1").next_seq
    while True:
        texts = ["x" * (10, 5_000, 80_000)[n % 3] for n in range(seq, seq + 3)]
        events = [
            Stamped("r_1", n, "s", 1, 1.0, Thought(f"{n}:{'end' if n == seq + 2 else ''}:{text}"))
            for n, text in enumerate(texts, seq)
        ]
        store.append_soon(epoch, events[:1])
        hold, scope = str(seq + 2), ledger.Scope("run", 0, None)
        await store.submit(lambda tx: ledger.reserve(tx, hold, "r_1", 7, [scope]), run_id="r_1")
        also = Change(also=lambda tx: ledger.settle(tx, hold, 5))
        await store.append(epoch, events[1:], also, durable=seq % 2 == 0)
        seq += 3
        print(seq - 1, flush=True)

asyncio.run(main(sys.argv[1]))
"""


def check(store, child, said=()):
    """What a killed child left is all that it was told, and no half of anything."""
    out, err = child.communicate(timeout=20)
    said = [*said, *out.splitlines()]

    assert -signal.SIGKILL == child.returncode, err
    events = store.events("r_1")
    words = [stamped.event.text.split(":") for stamped in events]
    assert list(range(1, len(events) + 1)) == [stamped.seq for stamped in events]
    assert list(range(1, len(events) + 1)) == [int(number) for number, _, _ in words]
    assert len(events) >= int(said[-1] if said else 0)
    assert len(events) + 1 == store.run("r_1").next_seq
    # What was settled stands beside the events that it was settled with, never without them.
    rows = store.read(lambda tx: tx.execute("SELECT hold_id, state FROM holds").fetchall())
    ends = {number for number, end, _ in words if end}
    assert ends == {hold_id for hold_id, state in rows if state == "settled"}
    spent, held = store.read(lambda tx: ledger.standing(tx, ledger.Scope("run", 0, None)))
    assert 5 * len(ends) == spent
    assert 7 * (len(rows) - len(ends)) == held
    return len(events)


@pytest.mark.parametrize(
    ("kind", "armed"),
    [(kind, f"{point}:{passage}") for kind in POINTS for point in POINTS[kind] for passage in (1, 2, 5)],
    indirect=["kind"],
)
def test_killed_at_every_point(store, url, driven, process, armed):
    driven()
    store.write(lambda tx: tx.execute("UPDATE runs SET owner = ''"))
    child = process(APPEND, url, AGENTCTL_FAILPOINT=armed)

    check(store, child)
    epoch = store.write(lambda tx: lease.take(tx, "r_1", lease.new_owner(), time.time()))
    assert epoch == store.run("r_1").epoch


def test_there_are_points_around_the_commit_and_the_blob():
    assert {
        "writer-before-commit",
        "writer-after-commit",
        "blob-before-rename",
        "blob-after-rename",
    } == set(POINTS["sqlite"])
    assert ["server-after-commit", "server-before-commit"] == POINTS["postgres"]


@pytest.mark.slow
def test_killed_again_and_again_at_any_time(store, url, driven, process):
    driven()
    store.write(lambda tx: tx.execute("UPDATE runs SET owner = ''"))
    dice = random.Random(7)
    lengths = [0]

    for _ in range(6):
        # Each goes on where the last one died, without waiting for its lease to end.
        child = process(APPEND, url)
        said = [child.stdout.readline().strip()]
        time.sleep(dice.random() * 0.05)
        child.kill()
        lengths.append(check(store, child, said))

    assert lengths == sorted(lengths)
    assert lengths[-1] >= 18


def test_off_a_point_is_nothing(process):
    child = process("from agentctl.journal.failpoints import failpoint as f; f('a'); f('b'); print('alive')")

    assert "alive\n" == child.communicate()[0]


def test_armed_it_kills_at_the_passage_that_was_named(process):
    code = "from agentctl.journal.failpoints import failpoint as f\n"
    code += "for n in range(9): print(n, flush=True); f('b'); f('a')"
    child = process(code, AGENTCTL_FAILPOINT="a:3")

    assert "0\n1\n2\n" == child.communicate()[0]
    assert -signal.SIGKILL == child.returncode
