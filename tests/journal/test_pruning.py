"""Old runs leave with what they alone needed; what others share, and what somebody may go on with, stays."""

import time

import pytest

from agentctl.core.events import ToolFinished, ToolStarted
from agentctl.journal import events, files, lease, ledger, pruning, upkeep
from agentctl.journal.events import Change
from agentctl.journal.ledger import Scope
from agentctl.journal.runs import NewRun
from tests.journal.conftest import on_sqlite
from tests.journal.test_checking import LARGE

DAY = 86_400
NOW = 1_790_000_000.0


@pytest.fixture
def old(opened, stamp):
    """A store, and a way to put a run of so many days ago into it."""
    now = NOW
    store = opened(clock=lambda: now)

    async def make(run_id, *texts, days=60, status="completed", session=None, holds=()):
        nonlocal now
        now, session = NOW - days * DAY, session or f"s_{run_id}"
        await store.create_run(NewRun(run_id, session, "ada", "t", "{}", now))
        epoch = await store.take(run_id, "else/x/y:1:1:a")
        await store.append(epoch, stamp(*texts or ["a"], run_id=run_id, session=session), Change(status, "done"))
        await store.release(run_id, epoch)
        scopes = [Scope(f"run_usd:{run_id}", 0, None), Scope("hourly_usd:store", 3600, None)]
        for number, amount in enumerate(holds):
            store.write(lambda tx, n=number, a=amount: ledger.reserve(tx, f"{run_id}:{n}", run_id, a, scopes))
        now = NOW
        return run_id

    make.store = store
    return make


def prune(store, days=30, *, everything=False):
    before = NOW - days * DAY
    chosen = store.read(lambda tx: pruning.choose(tx, before, NOW, everything=everything))
    gone = pruning.prune(store, chosen.leave, before)
    assert gone == len(chosen.leave)
    return sorted(row.run_id for row in chosen.leave), chosen.stay


async def test_only_what_is_old_and_over_leaves(old):
    for status in ("completed", "failed", "cancelled", "stopped", "parked", "paused", "running", "queued"):
        await old(f"r_{status}", status=status)
    await old("r_young", days=29)

    assert (
        ["r_cancelled", "r_completed", "r_failed", "r_stopped"],
        {"parked": 1, "paused": 1, "crashed": 2},
    ) == prune(old.store)
    assert ["r_parked", "r_paused", "r_queued", "r_running"] == prune(old.store, everything=True)[0]
    assert ["r_young"] == [row.run_id for row in old.store.runs()]


@pytest.mark.parametrize("everything", [False, True])
async def test_a_driven_run_never_leaves(old, everything):
    await old("r_1")
    old.store.write(lambda tx: lease.take(tx, "r_1", lease.new_owner(), time.time()))

    assert ([], {"driven": 1}) == prune(old.store, everything=everything)


async def test_a_run_that_somebody_went_on_with_meanwhile_stays(old, stamp):
    await old("r_1")
    chosen = old.store.read(lambda tx: pruning.choose(tx, NOW - 30 * DAY, NOW, everything=False))
    epoch = await old.store.take("r_1", "else/x/y:1:1:b")
    await old.store.append(epoch, stamp("more", seq=2))

    assert 0 == pruning.prune(old.store, chosen.leave, NOW - 30 * DAY)


async def test_a_session_leaves_as_a_whole(old):
    """Limits per session count the calls of all its runs."""
    call = ToolStarted("c1", "search", {}, "low", 1, False, 5.0)
    await old("r_1", call, session="s")
    await old("r_2", days=2, session="s")

    assert ([], {"in a session that goes on": 1}) == prune(old.store)
    assert {"search": 1} == old.store.read(lambda tx: events.calls_of_the_session(tx, "r_2"))
    assert ["r_1", "r_2"] == prune(old.store, days=1)[0]


async def test_a_session_that_goes_on_after_it_was_chosen_stays(old):
    """Else its next run would have all of its calls again."""
    call = ToolStarted("c1", "search", {}, "safe", 1, False, 5.0)
    await old("r_1", call, session="s")
    chosen = old.store.read(lambda tx: pruning.choose(tx, NOW - DAY, NOW, everything=False))
    await old("r_2", days=0, session="s")

    assert ["r_1"] == [row.run_id for row in chosen.leave]
    assert 0 == pruning.prune(old.store, chosen.leave, NOW - DAY)
    assert {"search": 1} == old.store.read(lambda tx: events.calls_of_the_session(tx, "r_2"))


async def test_nothing_is_left_of_it_but_what_was_spent(old, kept):
    call = ToolStarted("c1", "search", {}, "low", 1, False, 5.0)
    done = ToolFinished("c1", "search", "success", None, False, 8, {}, 3)
    await old("r_1", call, done, LARGE, holds=(70, 30))
    await old("r_12", holds=(5,), days=1)
    store = old.store
    store.write(lambda tx: ledger.settle(tx, "r_1:0", 40))
    prune(store)

    def rows(table, column="run_id"):
        return store.read(lambda tx: tx.execute(f"SELECT {column} FROM {table} ORDER BY 1").fetchall())

    for table in ("runs", "specs", "events"):
        assert {("r_12",)} == set(rows(table))
    assert [] == rows("tool_calls")
    assert [("r_12:0",)] == rows("holds", "hold_id")
    assert [("hourly_usd:store",), ("run_usd:r_12",)] == rows("budgets", "scope")
    hourly = store.read(lambda tx: ledger.budget(tx, "hourly_usd:store", 3600))
    assert (70, 5) == (hourly.spent, hourly.held)  # the open hold of a dead driver was settled in full
    assert () == kept.check().findings


@on_sqlite
async def test_large_texts_leave_with_the_last_event_that_names_them(old, kept):
    await old("r_1", LARGE)
    await old("r_2", LARGE, "other " * 20_000)
    await old("r_3", LARGE, days=1)
    store, folder = old.store, old.store.blobs
    (folder / "ab").mkdir(exist_ok=True)
    (folder / "ab" / ("ab" * 32)).write_bytes(b"left by a crash")
    (folder / "ab" / ".part.1").write_bytes(b"being written")

    prune(store)

    assert 2 == files.sweep(store, folder)
    assert [LARGE] == [each.event.text for each in store.events("r_3")]
    assert () == kept.check().findings
    assert 2 == len(list(folder.glob("??/*")))
    assert 0 == files.sweep(store, folder)


@on_sqlite
async def test_space_is_given_back(old, kept):
    for number in range(20):
        await old(f"r_{number}", *(f"{number} {n} " * 300 for n in range(30)), LARGE + str(number))
    before = kept.size()

    prune(old.store)
    assert "" == kept.give_back(old.store, 20)

    assert kept.size() < before / 2
    assert [] == old.store.runs()
    assert () == kept.check().findings


# --- A copy ---------------------------------------------------------------------------------------


async def test_a_copy_made_while_a_run_goes_on_is_a_store_of_one_moment(opened, driven, store, stamp, tmp_path, kept):
    epoch = driven()
    await store.append(epoch, stamp("a", LARGE))
    (tmp_path / "copies").mkdir()
    target = tmp_path / "copies" / "copy.db"

    for seq in range(3, 50):
        store.append_soon(epoch, stamp(f"event {seq}", seq=seq))
    copied = kept.backup(target)
    await store.append(epoch, stamp("last", seq=50))

    found = upkeep.of(f"sqlite:///{target}", 1.0, tmp_path).check()
    assert () == found.findings
    filed = 0 if store.blobs is None else 1
    assert (1, True, filed) == (found.runs, 2 <= copied.events <= 49, copied.blobs)
    later = opened(f"sqlite:///{target}")
    assert store.events("r_1")[: copied.events] == later.events("r_1")
    assert 0o600 == target.stat().st_mode & 0o777
    assert {"copy.db", *["blobs"] * filed} <= {path.name for path in target.parent.iterdir()}
    assert [] == [path.name for path in target.parent.iterdir() if path.name.startswith(".")]


async def test_a_copy_is_written_over_nothing(store, driven, tmp_path, kept):
    driven()
    (tmp_path / "there").write_text("mine")

    with pytest.raises(Exception, match="is there already"):
        kept.backup(tmp_path / "there")
    with pytest.raises(Exception, match="can't be opened"):
        kept.backup(tmp_path / "no" / "folder.db")
    assert "mine" == (tmp_path / "there").read_text()


@on_sqlite
@pytest.mark.slow
async def test_a_large_text_that_comes_again_while_its_equals_are_swept_is_kept(opened, old, kept):
    """Writers file a text before they name it; whoever sweeps in between must not cost them the text."""
    import asyncio

    store, other, folder = old.store, opened(), old.store.blobs
    await old("r_1", LARGE)
    prune(store)
    await old("r_live", days=0)
    epoch = await store.take("r_live", "else/x/y:1:1:c")
    from agentctl.core.events import Stamped, Thought

    sweeping = asyncio.gather(*(asyncio.to_thread(files.sweep, other, folder) for _ in range(60)))
    for seq in range(2, 42):
        text = LARGE if seq % 2 else f"{LARGE}{seq % 5}"
        await store.append(epoch, [Stamped("r_live", seq, "s_r_live", 1, NOW, Thought(text))])
    await sweeping

    assert 41 == len(store.events("r_live"))
    assert () == kept.check().findings
