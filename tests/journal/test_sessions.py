"""A session is one tenant's and one user's, whatever ids look like and in whatever order runs come and go."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.core.events import Completed, Forked, ModelReplied, RunStarted, Stamped, ToolFinished, ToolStarted
from agentctl.core.messages import Usage
from agentctl.journal import events, lease, runs, sessions
from agentctl.journal.events import Change
from agentctl.journal.runs import NewRun
from agentctl.journal.sessions import Session

numbers = itertools.count()
ALIKE = (
    *("s", "S-1", "s-1.", "s_1", "s-_", "_-1", "_", "%", "*", "..", "s:s", "s-1'", "s" * 128, "s" * 129),
    *("\u017f-1", "\u0455-1", "s-1\u200b", "", " s-1", "acme/ada/s-1"),
)
whose = st.builds(
    Session,
    tenant=st.sampled_from(("", "acme", "ada")),
    user=st.sampled_from(("ada", "bob", "a_a", "%")),
    name=st.sampled_from(("s", "S", "acme", "_")),
    rehearsed=st.booleans(),
)
ends = st.sampled_from(("completed", "completed", "stopped", "landed", "failed", "running", "silent"))


class Story:
    """Runs of several sessions on one store, and what each session must know."""

    def __init__(self, store, *, alone: bool = False) -> None:
        self.store, self.begin, self.alone = store, next(numbers), alone
        self.said, self.calls, self.count = {}, {}, 0

    def name(self, of: Session) -> Session:
        """Examples share a store, and each has sessions of its own."""
        return of if self.alone else Session(of.tenant, of.user, f"{of.name}-{self.begin}", of.rehearsed)

    def create(self, of: Session) -> str:
        self.count += 1
        run_id = f"r_{self.begin:05x}{self.count:05x}"
        at = self.name(of)
        new = NewRun(run_id, at.name, at.user, "task", "{}", self.count, tenant_id=at.tenant, rehearsed=at.rehearsed)
        self.store.write(lambda tx: runs.create(tx, new))
        return run_id

    def play(self, of: Session, end: str, tools: int) -> None:
        run_id, at = self.create(of), self.name(of)
        text = f"{run_id} of {at}"
        told: list = [RunStarted("task", "p", "d", at.user, at.tenant, f"asked {text}", "", 1, 1, {})]
        for number in range(tools):
            told.append(ToolStarted(f"c{number}", "look", {}, "safe", 1, False, 5.0))
            told.append(ToolFinished(f"c{number}", "look", "success", None, False, 1, {}, 1))
        if end == "landed":
            told.append(ModelReplied("p", "i", "m", Usage(), 0, 1, "end_turn", f"said {text}", (), "landing", 3))
        answer = "" if end == "silent" else f"said {text}"
        status = {"landed": "stopped", "silent": "completed"}.get(end, end)
        if end != "running":
            told.append(Completed(status, "done", 0, 0, answer, labels=("untrusted",)))
        stamped = [Stamped(run_id, seq, at.name, 1, 1.0 + seq, event) for seq, event in enumerate(told, 1)]
        now = 1000.0 + self.count
        epoch = self.store.write(lambda tx: lease.take(tx, run_id, lease.new_owner(), now))
        self.store.write(lambda tx: events.append(tx, epoch, self.store.packed(stamped), Change(status=status), now))
        if end in {"completed", "landed"}:
            self.said.setdefault(at, []).append(f"{run_id} of {at}")
        self.calls[at] = self.calls.get(at, 0) + tools


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(st.tuples(whose, ends, st.integers(0, 2)), max_size=12), whose)
def test_a_run_knows_its_own_session_and_nothing_else(store, history, mine):
    """A76, D07: what was said and what was called, whoever else has a session of this name."""
    story = Story(store)
    for of, end, tools in history:
        story.play(of, end, tools)
    at = story.name(mine)
    run_id = story.create(mine)
    found, more = store.read(lambda tx: sessions.said(tx, store.blobs, at))
    called = store.read(lambda tx: events.calls_of_the_session(tx, run_id))
    started = store.read(lambda tx: events.starts_of_the_session(tx, run_id, ["look"], 60.0))

    assert [f"asked {text}" for text in story.said.get(at, [])] == [each.asked for each in found]
    assert [f"said {text}" for text in story.said.get(at, [])] == [each.answer for each in found]
    assert (False, {("untrusted",)} if found else set()) == (more, {each.labels for each in found})
    assert story.calls.get(at, 0) == called.get("look", 0) == len(started.get("look", ()))


def test_an_id_that_looks_like_another_is_another(store):
    """A76: no wildcard, no case, no path, no letter that looks the same."""
    story, mine = Story(store, alone=True), Session("acme", "ada", "s-1")
    story.play(mine, "completed", 1)
    for name in ALIKE:
        for other in (Session("acme", "ada", name), Session("acme", name, "s-1"), Session(name, "ada", "s-1")):
            assert ([], False) == store.read(lambda tx, other=other: sessions.said(tx, store.blobs, other))
    assert 1 == len(store.read(lambda tx: sessions.said(tx, store.blobs, mine))[0])


def test_the_latest_twenty_are_told_and_that_there_were_more(store):
    story, of = Story(store), Session("", "ada", "s")
    for _ in range(sessions.MOST + 2):
        story.play(of, "completed", 0)
    found, more = store.read(lambda tx: sessions.said(tx, store.blobs, story.name(of)))

    assert (sessions.MOST, True) == (len(found), more)
    assert story.said[story.name(of)][2:] == [each.answer.removeprefix("said ") for each in found]


def test_a_fork_was_asked_what_it_was_forked_for_and_not_what_its_parent_was(store):
    """A76: the next run of the session must not read the parent's question above the fork's answer."""
    of = Session("", "bob", "forks")
    for number, goals in enumerate([("",), ("Bob's.",), ("Bob's.", ""), ("Bob's.", "Later.")]):
        run_id = f"r_f0{number}"
        new = NewRun(run_id, of.name, of.user, "task", "{}", number)
        store.write(lambda tx, new=new: runs.create(tx, new))
        forks = [Forked("r_0", 1, "bob", goal=goal) for goal in goals]
        told = [
            RunStarted("t", "p", "d", "ada", "", "Ada's.", "", 1, 1, {}),
            *forks,
            Completed("completed", "done", 0, 0, "x"),
        ]
        stamped = [Stamped(run_id, seq, of.name, 1, 1.0 + seq, event) for seq, event in enumerate(told, 1)]
        draft = store.packed(stamped)
        store.write(lambda tx, it=draft, at=number: events.append(tx, 0, it, Change("completed"), 1000.0 + at))

    found, _ = store.read(lambda tx: sessions.said(tx, store.blobs, of))

    assert ["Ada's.", "Bob's.", "Bob's.", "Later."] == [each.asked for each in found]
