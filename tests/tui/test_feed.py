"""The reader of all runs."""

from agentctl.core.events import Completed, ModelAsked
from agentctl.journal import recent
from agentctl.tui.feed import BEHIND, RECOUNT_S, Feed
from agentctl.tui.seen import NEEDS_YOU
from tests.tui.scene import DONE, NOW, WAITING, WORKING, Scene, asked, started


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, store):
        self._store, self.asked = store, 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def read(self, query):
        self.asked += 1
        return self._store.read(query)


def test_a_look_where_nothing_happened_asks_next_to_nothing(scene: Scene):
    scene.night()
    store = Counting(scene.store)
    feed = Feed(store)
    feed.look()
    feed.look()
    store.asked = 0
    feed.look()

    assert 1 == store.asked


def test_a_look_asks_for_the_runs_that_moved_alone(scene: Scene):
    scene.night()
    store = Counting(scene.store)
    feed = Feed(store)
    feed.look()
    feed.look()
    scene.add("r_work0000a3", [asked("openai", tokens=9_000)])
    store.asked = 0
    lines = {line.run_id: line for line in feed.look().lines}

    assert 2 == store.asked
    assert 9_000 == lines["r_work0000a3"].glance.context


def test_limits_are_those_of_the_runs_own_files(scene: Scene):
    scene.run("r_work0000a3", WORKING)
    (line,) = Feed(scene.store).look().lines

    assert (0.50, 20, 75_000) == (line.cap_usd, line.max_steps, line.max_context)


def test_without_its_files_a_run_has_no_limits_and_is_listed(scene: Scene):
    scene.run("r_work0000a3", WORKING)
    (scene.folder / "task.toml").unlink()
    (line,) = Feed(scene.store).look().lines

    assert (None, None) == (line.cap_usd, line.max_context)


def test_runs_that_are_over_are_looked_into_by_and_by(scene: Scene):
    for number in range(BEHIND + 5):
        scene.run(f"r_{number:010}", DONE, "completed", "done", ago=10 + number)
    feed = Feed(scene.store)
    first, second = feed.look(), feed.look()

    assert 5 == sum(not line.glance.provider for line in first.lines)
    assert all(line.glance.provider for line in second.lines)


def test_the_newest_are_listed_and_all_are_counted(scene: Scene):
    for number in range(8):
        scene.run(f"r_{number:010}", DONE, "completed", "done", ago=100 - number)
    scene.run("r_9999999999", [started(), Completed("parked", "approval", 12, 0, "")], "parked", "approval", ago=9_999)
    found = Feed(scene.store, most=3).look()

    assert 9 == found.total
    assert {"r_0000000007", "r_0000000006", "r_0000000005", "r_9999999999"} == {line.run_id for line in found.lines}


def test_a_pruned_run_leaves_the_list(scene: Scene):
    scene.night()
    feed = Feed(scene.store)
    feed.look()
    scene.store.write(lambda tx: tx.execute("DELETE FROM runs WHERE run_id = ?", ("r_done0000a1",)))
    scene.now += 6

    assert "r_done0000a1" not in {line.run_id for line in feed.look().lines}


def test_a_driver_that_is_gone_without_a_word_is_told(scene: Scene):
    scene.run("r_work0000a3", WORKING)
    feed = Feed(scene.store)

    assert "running" == feed.look().lines[0].word

    scene.now = NOW + 31

    assert "crashed" == feed.look().lines[0].word


def test_only_the_kinds_that_are_asked_for_are_read(scene: Scene):
    scene.run("r_work0000a3", WORKING)
    kinds, blobs, upto = (Completed, ModelAsked), scene.store.blobs, len(WORKING)
    found = scene.store.read(lambda tx: recent.events(tx, blobs, "r_work0000a3", kinds, after=0, upto=upto, limit=3))

    assert ["ModelAsked"] * 3 == [type(stamped.event).__name__ for stamped in found]
    assert [stamped.seq for stamped in found] == sorted(stamped.seq for stamped in found)


def test_a_run_of_a_clock_that_is_ahead_hides_none_that_begins_later(scene: Scene):
    scene.now += 86_400
    scene.run("r_ahead000a1", WORKING)
    scene.now = NOW
    feed = Feed(scene.store)
    feed.look()
    scene.now += 60
    scene.run("r_work0000a3", WORKING)

    assert {"r_ahead000a1", "r_work0000a3"} == {line.run_id for line in feed.look().lines}


def test_a_parked_run_whose_question_was_answered_needs_nobody_any_more(scene: Scene):
    scene.run("r_wait0000a4", WAITING, "parked", "approval")
    feed = Feed(scene.store)

    assert NEEDS_YOU == feed.look().lines[0].word

    scene.store.leave("r_wait0000a4", "approve", by="ada", call_id="c3.1", asked_seq=len(WAITING) - 1)
    scene.now += RECOUNT_S + 1

    assert "parked" == feed.look().lines[0].word
