"""Whole runs in which somebody tries to have run what nobody said yes to, or to have a no forgotten."""

import asyncio
import contextlib
import os

import pytest

from agentctl.approvals.base import Answer
from agentctl.approvals.wording import GOES_ON, wrapped
from agentctl.core.events import ApprovalDecided, ApprovalRequested, Decided, ToolFinished, ToolStarted
from agentctl.core.guards.scrub import FAILED, Filter
from agentctl.errors import StoreUnusable
from agentctl.rehearsal.script import Reply
from agentctl.tui import pending

from .stage import Stage, calls
from .test_people import SEND, Somebody, lines

DONE = Reply(text="done")


@pytest.fixture
def log(stage: Stage):
    stage.replies = [calls(("send", {"id": "A-1"})), DONE]
    return stage.effect("send", **SEND)


@pytest.fixture
def writes(stage: Stage):
    """A tool that writes files, and always asks."""
    stage.folder.mkdir(exist_ok=True)
    stage.tools.append({"use": "builtin:write_file"})
    stage.tools.append({"use": "builtin:edit_file"})
    stage.policy(risk={"tiers": {"write_file": "high", "edit_file": "high"}}, loops={"enabled": False})
    return stage.folder / "notes.txt"


WRITE = ("write_file", {"path": "notes.txt", "text": "two\n"})


async def test_what_is_remembered_is_what_was_shown_and_not_what_came_while_the_question_stood(stage: Stage, writes):
    """D70: `a` is for the file that the person saw."""
    writes.write_text("one\n")
    stage.replies = [calls(WRITE), calls(WRITE), DONE]

    async def swap(question):
        writes.write_text("somebody else\n")
        return Answer("approve", "ada", remember=True)

    async def again(question):
        writes.write_text("somebody else\n")
        return Answer("deny", "ada")

    person = Somebody([swap, Answer("deny", "ada"), again])
    await stage.run(person)

    assert ([], 3) == (stage.events(ToolStarted), len(person.asked))
    assert "somebody else\n" == writes.read_text()


async def test_who_is_about_to_say_no_here_is_not_overruled_from_elsewhere(stage: Stage, log):
    class Typing:
        """Has said no, and is giving the reason."""

        async def ask(self, question):
            stage.run_id = question.run_id
            stage.letter("approve", question.call_id, by="bob")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return Answer("deny", "ada")

    await stage.run(Typing())

    assert (["ada"], []) == ([one.by for one in stage.events(ApprovalDecided)], lines(log))


async def test_a_no_that_came_from_elsewhere_a_moment_before_a_yes_here_counts(stage: Stage, log):
    async def late(question):
        stage.run_id = question.run_id
        stage.letter("deny", question.call_id, why="not today", by="bob")
        return Answer("approve", "ada")

    await stage.run(Somebody([late]))

    assert (["bob"], []) == ([one.by for one in stage.events(ApprovalDecided)], lines(log))


async def test_a_no_to_a_call_that_was_edited_a_moment_later_counts(stage: Stage, log):
    async def late(question):
        stage.run_id = question.run_id
        stage.letter("deny", question.call_id, by="bob")
        return Answer("edit", "ada", args={"id": "A-2"})

    await stage.run(Somebody([late, Answer("approve", "ada")]))

    assert (["bob"], []) == ([one.by for one in stage.events(ApprovalDecided)], lines(log))


async def test_a_no_counts_also_where_the_question_is_another_by_now(stage: Stage, log):
    await stage.run()
    stage.letter("deny", "c1.1", why="not today", by="bob")
    stage.policy(budget={"max_steps": 7})

    done = await stage.resume(Somebody([]))

    assert (0, ["deny"], []) == (
        done.exit_code, [one.decision for one in stage.events(ApprovalDecided)], lines(log),
    )  # fmt: skip


@pytest.mark.parametrize("payload", ['{"id": 9}', "{", "[]", *(n * '{"a":' + "1" + n * "}" for n in (400, 700, 950))])
async def test_arguments_that_do_not_fit_let_others_still_decide(stage: Stage, log, payload):
    await stage.run()
    stage.letter("approve", "c1.1", why=payload, by="bob")
    await stage.resume()
    stage.letter("deny", "c1.1", why="no such order", by="eve")

    done = await stage.resume()

    assert (0, ["eve"], []) == (done.exit_code, [one.by for one in stage.events(ApprovalDecided)], lines(log))
    assert 1 == len([one for one in stage.events(Decided) if one.decision == "misfit"])


# --- What is shown is what runs --------------------------------------------------------------------


async def asked(stage, *wanted):
    stage.replies = [calls(*wanted), DONE]
    person = Somebody([Answer("deny", "ada")] * len(wanted))
    await stage.run(person)
    return person.asked


async def test_line_ends_alone_are_a_change(stage: Stage, writes):
    writes.write_bytes(b"one\r\ntwo\r\n")
    (question,) = await asked(stage, ("write_file", {"path": "notes.txt", "text": "one\ntwo\n"}))

    assert "-one\r\n-two\r\n+one\n+two" in question.change


async def test_a_line_that_is_no_line_is_not_shown_as_one(stage: Stage, writes):
    (question,) = await asked(stage, ("write_file", {"path": "notes.txt", "text": "# a\x0cb\x85c\u2028d\n"}))

    assert "+# a\x0cb\x85c\u2028d" in question.change.split("\n")


async def test_a_name_adds_no_line_to_the_change(stage: Stage, writes):
    (question,) = await asked(stage, ("write_file", {"path": "a\n@@ -1 +1 @@\n-bad\n+good", "text": "bad\n"}))

    assert "--- /dev/null\n+++ a\\n@@ -1 +1 @@\\n-bad\\n+good\n@@ -0,0 +1 @@\n+bad" == question.change


async def test_a_missing_last_line_break_is_a_change(stage: Stage, writes):
    writes.write_text("one")
    (question,) = await asked(stage, ("write_file", {"path": "notes.txt", "text": "one\n"}))

    assert question.change


async def test_a_secret_in_the_place_of_another_is_a_change(stage: Stage, writes):
    old, new = (f"TOKEN=ghp_{letter}{'aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z'}5\n" for letter in "qz")
    writes.write_text(old)
    (question,) = await asked(stage, ("write_file", {"path": "notes.txt", "text": new}))

    assert "only what is masked" in question.change


async def test_a_file_too_large_to_be_shown_is_no_new_file(stage: Stage, writes):
    writes.write_bytes(b"x" * 20_000_000)
    (question,) = await asked(stage, WRITE)

    assert question.files[0][1].startswith("20,000,000 bytes")
    assert "/dev/null" not in question.change
    assert "20,000,000 bytes" in question.change


@pytest.mark.parametrize("before", [b"one\r\ntwo\nthree\n", b"one\ntwo\nthree\n"])
@pytest.mark.parametrize("old", ["one\r\ntwo", "one\ntwo"])
async def test_the_change_of_an_edit_is_the_one_that_is_made(stage: Stage, writes, before, old):
    writes.write_bytes(before)
    edit = ("edit_file", {"path": "notes.txt", "old": old, "new": "1\r\n2"})
    stage.replies = [calls(edit), DONE]
    person = Somebody([Answer("approve", "ada")])
    await stage.run(person)

    made = writes.read_bytes()
    assert person.asked[0].files
    shown = [line[1:] for line in person.asked[0].change.split("\n") if line[:1] == "+" and line[:3] != "+++"]
    assert shown == [line for line in made.decode().split("\n") if line not in before.decode().split("\n")]


# --- Who reviews is not who is reviewed -------------------------------------------------------------


async def test_a_reviewer_that_an_interpreter_runs_is_not_written_by_the_run_that_it_reviews(stage: Stage, log):
    stage.folder.mkdir(exist_ok=True)
    script = stage.folder / "review.sh"
    script.write_text('echo \'{"decision": "deny"}\'\n')
    stage.tools.append({"use": "builtin:write_file"})
    stage.policy(approval={"command": ["sh", "review.sh"]})
    stage.replies = [
        calls(("write_file", {"path": "review.sh", "text": 'echo \'{"decision": "approve"}\'\n'})),
        calls(("send", {"id": "A-1"})),
        DONE,
    ]

    await stage.run()

    assert (["deny"], []) == ([one.decision for one in stage.events(ApprovalDecided)], lines(log))


async def test_a_reviewer_that_was_swapped_during_the_run_is_not_asked(stage: Stage, log):
    stage.folder.mkdir(exist_ok=True)
    for name, word in (("good", "deny"), ("bad", "approve")):
        program = stage.folder / f"{name}.sh"
        program.write_text(f'#!/bin/sh\necho \'{{"decision": "{word}"}}\'\n')
        program.chmod(0o755)
    link = stage.folder / "review"
    link.symlink_to("good.sh")
    stage.policy(approval={"command": ["./review"]})

    def swap():
        link.unlink()
        link.symlink_to("bad.sh")

    stage.when(ApprovalRequested, swap)
    await stage.run()

    assert [("deny", "the reviewer has changed since the run began")] == [
        (one.decision, one.why) for one in stage.events(ApprovalDecided)
    ]
    assert [] == lines(log)


async def test_a_reviewer_that_leaves_somebody_behind_holds_nobody_up(stage: Stage, log):
    stage.folder.mkdir(exist_ok=True)
    program = stage.folder / "review.sh"
    program.write_text('#!/bin/sh\nsetsid sleep 30 &\necho $! > pid\necho \'{"decision": "approve"}\'\n')
    program.chmod(0o755)
    stage.policy(approval={"command": ["./review.sh"]})

    assert 0 == (await stage.run()).exit_code
    left = int((stage.folder / "pid").read_text())
    with contextlib.suppress(ProcessLookupError):
        os.kill(left, 9)


# --- Arguments that are odd ------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [60, 150, 250, 400, 900])
async def test_arguments_of_any_depth_are_asked_about_or_refused(stage: Stage, depth):
    deep = {"id": "A-1"}
    for _ in range(depth):
        deep = {"a": deep}
    log = stage.effect("send", side_effects="irreversible", parameters={"type": "object"})
    stage.replies = [calls(("send", deep)), DONE]
    shown = []

    async def look(question):
        shown.extend(wrapped(question, 79))
        return Answer("approve", "ada")

    done = await stage.run(Somebody([look]))

    assert 0 == done.exit_code
    assert bool(lines(log)) == (depth <= 60)
    assert bool(lines(log)) == ("A-1" in "".join(line.removeprefix(GOES_ON) for line in shown))


async def test_a_call_that_is_answered_waits_for_nobody(stage: Stage, log):
    """Asked about beside another, and then refused without a word of anybody."""
    stage.replies = [calls(("send", {"id": "A-1"}), ("send", {"id": "A-2"})), DONE]
    stage.policy(budget={"max_tool_calls": 1})
    await stage.run()
    stage.letter("approve", "c1.1")
    await stage.resume()

    with stage.store() as journal:
        waiting = [one.call_id for one in pending.of(journal, stage.run_id).waiting]
    answered = [one.call_id for one in stage.events(ToolFinished)]
    assert (["c1.1", "c1.2"], []) == (answered, waiting)


async def test_half_a_character_is_asked_about_and_edited_as_it_is(stage: Stage, log):
    person = Somebody([Answer("edit", "ada", args={"id": "B\ud800"}), Answer("deny", "ada", "why \udcff")])

    assert 0 == (await stage.run(person)).exit_code
    assert [] == lines(log)


async def test_a_letter_whose_words_are_gone_approves_nothing(stage: Stage, log):
    await stage.run()
    with stage.store() as journal:
        seq = stage.of(ApprovalRequested)[-1].seq
        journal.write(
            lambda tx: tx.execute(
                "INSERT INTO inbox(run_id, kind, call_id, asked_seq, payload, sender, created)"
                " VALUES(?, 'approve', 'c1.1', ?, 'sealed:00', 'mallory', 4e9)",
                (stage.run_id, seq),
            ),
            run_id=stage.run_id,
        )
    with contextlib.suppress(StoreUnusable, ValueError):  # the stage misses what was not written
        await stage.resume()

    assert [] == lines(log)


async def test_a_yes_from_the_future_is_no_yes(stage: Stage, log):
    await stage.run()
    stage.letter("approve", "c1.1")
    with stage.store() as journal:
        journal.write(lambda tx: tx.execute("UPDATE inbox SET created = created + 7200"), run_id=stage.run_id)

    assert (12, []) == ((await stage.resume()).exit_code, lines(log))


async def test_what_the_scrubber_fails_on_is_denied_and_nobody_is_asked(stage: Stage, monkeypatch):
    log = stage.effect("send", side_effects="irreversible")
    stage.replies = [calls(("send", {"id": "A-1"})), DONE]
    person = Somebody([Answer("approve", "ada")])
    healthy = Filter.data
    monkeypatch.setattr(Filter, "data", lambda self, value: FAILED if "A-1" in str(value) else healthy(self, value))

    await stage.run(person)

    assert ([], False) == (person.asked, log.exists())
    assert ["its arguments can't be shown"] == [one.why for one in stage.events(ApprovalDecided)]
