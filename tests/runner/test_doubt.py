"""Calls that were started by a driver that died: verify, a person's word, what was left running, how long to wait."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from agentctl.approvals.base import Answer
from agentctl.core.events import ApprovalRequested, CallSettled, Resumed, Waited
from agentctl.journal.runs import RunRow
from agentctl.runner import circuits, doubt
from tests.runner.stage import KEY, Person, Reply, calls, driver, sent

DONE = Reply(text="Done.")
HAPPENED = '{"happened": true, "result": {"receipt": "R-77"}}'
KNOWS = f"""[ -f send.log ] && echo '{HAPPENED}' || echo '{{"happened": false}}'"""


def sending(stage, **contract):
    """One effect, and a program beside the task that knows whether it happened."""
    stage.policy(risk={"auto_approve": "high"})
    stage.replies = [calls(("send", {"id": "b"})), DONE]
    return stage.effect("send", **contract)


def knower(stage, body):
    path = stage.folder / "verify.sh"
    stage.folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{body}\n")
    return {"recovery": "reconcile", "verify": ["sh", "verify.sh"]}


async def killed(stage, armed):
    code, _, err = await driver(stage, failpoint=armed)
    assert -signal.SIGKILL == code, err


@pytest.mark.parametrize(
    ("armed", "happened"),
    [("after-intent:1", False), ("before-outcome:1", True)],
    ids=["before it", "after it"],
)
async def test_the_tools_own_program_settles_it_and_nobody_is_asked(stages, armed, happened):
    """E30: it runs once in either case, and the model gets the result that nobody saw."""
    stage = stages("chat")
    log = sending(stage, **knower(stage, KNOWS))

    await killed(stage, armed)
    result = await stage.resume()

    assert (0, "Done.") == (result.exit_code, result.answer)
    assert 1 == len(log.read_text().split())
    assert [] == stage.events(ApprovalRequested)
    assert [happened] == [settled.happened for settled in stage.events(CallSettled)]
    assert happened == ("R-77" in sent(stage.asked()[-1]))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("echo no route to the bank >&2; exit 3", "no route to the bank (exit 3)"),
        ("echo maybe", "not JSON"),
        ('echo \'{"happened": "yes"}\'', "neither"),
        ("true", "not JSON"),
        ("echo '{\"happened\": true}'; exit 1", "exit 1"),
        ("sleep 30", "did not answer within 1s"),
    ],
)
async def test_a_program_that_cannot_tell_leaves_it_to_a_person_who_is_told_why(stages, body, why):
    """E30: whatever is no clear word settles nothing."""
    stage = stages("chat")
    log = sending(stage, timeout_seconds=1, **knower(stage, body))

    await killed(stage, "before-outcome:1")
    parked = await stage.resume()

    assert ("parked", "unknown_outcome", 12) == (parked.status, parked.reason, parked.exit_code)
    (asked,) = stage.events(ApprovalRequested)
    assert any(why in line for line in asked.doubt), asked.doubt
    assert any(f"its key is {stage.run_id}:c1.1" in line for line in asked.doubt)
    assert 1 == len(log.read_text().split())


async def test_what_a_program_says_may_be_a_whole_envelope(stages):
    stage = stages("chat")
    said = '{"status": "error", "error_type": "permanent", "message": "the bank refused it"}'
    sending(stage, **knower(stage, f'echo \'{{"happened": true, "result": {said}}}\''))

    await killed(stage, "before-outcome:1")
    await stage.resume()

    assert ("error", "the bank refused it") == tuple(stage.results()["c1.1"][key] for key in ("status", "message"))


@pytest.mark.parametrize("said", ['{"status": "success", "code": 5}', '{"status": "error", "error_type": null}'])
async def test_a_wrong_envelope_does_not_make_a_failure_of_what_happened(stages, said):
    """E30: told of an error, the model would do it again."""
    stage = stages("chat")
    log = sending(stage, **knower(stage, f'echo \'{{"happened": true, "result": {said}}}\''))

    await killed(stage, "before-outcome:1")
    await stage.resume()

    told = stage.results()["c1.1"]
    assert ("success", "Nobody saw it happen; verify says that it did.") == (told["status"], told["message"])
    assert json.loads(said) == told["data"]
    assert 1 == len(log.read_text().split())


async def test_a_program_is_given_the_call_and_sees_no_key(stages):
    stage = stages("chat")
    sending(stage, **knower(stage, "cat > asked.json; env > env.txt; echo '{\"happened\": false}'"))

    await killed(stage, "after-intent:1")
    await stage.resume()

    asked = (stage.folder / "asked.json").read_text()
    assert all(word in asked for word in ('"tool": "send"', '"args": {"id": "b"}', f'"{stage.run_id}:c1.1"'))
    assert KEY not in (stage.folder / "env.txt").read_text()


@pytest.mark.parametrize("said", ['{"receipt": "R-78"}', "the bank shows R-78"])
async def test_a_person_says_that_it_happened_and_what_it_came_to(stages, said):
    """E30: it is not run again, and the model gets their words."""
    stage = stages("chat")
    log = sending(stage)

    await killed(stage, "before-outcome:1")
    person = Person([Answer("happened", "ada", result=said)])
    result = await stage.resume(person)

    assert (0, "Done.") == (result.exit_code, result.answer)
    assert 1 == len(log.read_text().split())
    assert person.asked[0].doubt
    assert "R-78" in sent(stage.asked()[-1])
    assert "ada says that it did" in sent(stage.asked()[-1])


@pytest.mark.parametrize(
    "said",
    [
        "NaN",
        '{"paid": Infinity}',
        "1e999",
        '{"status": "success", "data": NaN}',
        '{"a": 1, "a": 2}',
        "[" * 300 + "]" * 300,
    ],
)
async def test_a_result_that_only_python_would_take_for_json_counts_as_words(stages, said):
    """E30: it ends no run as a defect, and the effect is not repeated."""
    stage = stages("chat")
    log = sending(stage)

    await killed(stage, "before-outcome:1")
    result = await stage.resume(Person([Answer("happened", "ada", result=said)]))

    assert (0, "Done.") == (result.exit_code, result.answer)
    assert said == stage.results()["c1.1"]["data"]
    assert 1 == len(log.read_text().split())


async def test_so_does_one_at_another_terminal(stages):
    stage = stages("chat")
    log = sending(stage)
    await killed(stage, "before-outcome:1")
    await stage.resume()

    stage.letter("approve", "c1.1", why='happened:{"receipt": "R-79"}', by="eve")
    result = await stage.resume()

    assert 0 == result.exit_code
    assert 1 == len(log.read_text().split())
    assert [(True, "eve")] == [(settled.happened, settled.by) for settled in stage.events(CallSettled)]
    assert "R-79" in sent(stage.asked()[-1])


async def test_nobody_can_say_so_of_a_call_that_was_never_started(stage):
    """A word that is none asks again, and runs nothing."""
    log = stage.effect("send")
    stage.policy(risk={"auto_approve": "safe"})
    stage.replies = [calls(("send", {"id": "b"})), DONE]
    person = Person([Answer("happened", "ada", result="so they say"), Answer("deny", "ada")])

    await stage.run(person)

    assert not log.exists()
    assert 2 == len(stage.events(ApprovalRequested))
    assert [] == stage.events(CallSettled)


@pytest.mark.parametrize("recovery", ["ask", "same_key", "reconcile"])
async def test_what_stood_in_for_a_tool_is_not_done_again_by_the_tool_itself(stages, recovery):
    """E25, E30: the tool's own promise to do it once says nothing of what another tool did in its place."""
    stage = stages("chat")
    stage.policy(
        risk={"auto_approve": "high"}, circuit={"tools": {"failure_threshold": 1}}, results={"max_attempts": 1}
    )
    own = stage.effect("pay", "grep -q b || exit 75", idempotent=True, fallback_tool="wire")
    contract = knower(stage, "[ -f wire.log ] && echo '{\"happened\": true}'") if recovery == "reconcile" else {}
    instead = stage.effect("wire", **{"recovery": recovery, **contract}, idempotent=recovery == "same_key")
    stage.replies = [calls(("pay", {"id": "a"})), calls(("pay", {"id": "b"})), DONE]

    await killed(stage, "before-outcome:2")
    with stage.store() as journal:
        journal.write(lambda tx: tx.execute("DELETE FROM circuits"))
    person = Person([Answer("happened", "ada", result="it went through")])
    result = await stage.resume(person)

    assert (0, "Done.") == (result.exit_code, result.answer)
    assert (1, 1) == (len(own.read_text().split()), len(instead.read_text().split()))
    assert ["wire"] == [settled.tool for settled in stage.events(CallSettled)]
    assert "answered by wire" in stage.results()["c2.1"]["message"]
    if recovery != "reconcile":
        assert any("it was wire that was started, in place of pay" in line for line in person.asked[0].doubt)


@pytest.mark.parametrize("seen", [True, False], ids=["at the first look", "between the look and the call"])
async def test_what_may_have_happened_as_a_probe_is_never_said_to_have_been_kept_back(stages, monkeypatch, seen):
    """E30, E10: a probe that is out still counts, so the next driver may not send another."""
    stage = stages("chat")
    stage.policy(
        risk={"auto_approve": "high"},
        circuit={"tools": {"failure_threshold": 1, "recovery_s": 0.05}},
        results={"max_attempts": 1},
    )
    log = stage.effect("pay", "sleep 0.1; grep -q b || exit 75", idempotent=True)
    stage.replies = [calls(("pay", {"id": "a"})), calls(("pay", {"id": "b"}), delay_s=0.2), DONE]

    await killed(stage, "before-outcome:2")
    if not seen:
        monkeypatch.setattr(circuits, "look", lambda *_: False)
    result = await stage.resume()

    assert 0 == result.exit_code
    assert 2 == len(log.read_text().split())
    told = stage.results()["c2.1"]
    assert ("UNKNOWN_OUTCOME", False) == (told["code"], told["retry_safe"])


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("printf 'no \\033[2J\\033]0;x\\007 route' >&2; exit 3", "route"),
        ("echo password=hunter2hunter2 >&2; exit 3", "password="),
        ("head -c 3000000 /dev/zero | tr '\\0' x", "verify"),
        ("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 3", "verify could not tell"),
        ('echo \'{"happened": true, "happened": false}\'', "not JSON"),
        ("echo '{\"happened\": 1}'", "neither"),
        ("echo '[true]'", "neither"),
        ("(setsid sleep 60 &) ; sleep 60", "did not answer"),
    ],
)
async def test_a_hostile_program_settles_nothing_and_shows_nothing(stages, body, shown):
    """E30"""
    stage = stages("chat")
    log = sending(stage, timeout_seconds=1, **knower(stage, body))

    await killed(stage, "before-outcome:1")
    parked = await stage.resume()

    assert ("parked", "unknown_outcome") == (parked.status, parked.reason)
    (asked,) = stage.events(ApprovalRequested)
    doubt = asked.doubt[-1]
    assert shown in doubt
    assert len(doubt) <= 300
    assert "hunter2hunter2" not in doubt
    assert 1 == len(log.read_text().split())
    assert [] == _sleepers(stage.run_id)


async def test_what_a_dead_driver_left_running_is_ended_before_anybody_is_asked(stages):
    """E30: the answer would be about something that is still going on."""
    stage = stages("chat")
    log = sending(stage, body="sleep 300", timeout_seconds=600)
    stage.policy(sandbox={"mode": "off"})
    task = await stage.lay_out()
    script = "from tests.runner.stage import DRIVER; exec(DRIVER)"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(task), "", env={**os.environ, "STAGE_KEY": KEY}
    )
    while not log.exists():  # noqa: ASYNC110  # a program writes it
        await asyncio.sleep(0.02)
    child.kill()
    await child.wait()
    with stage.store() as journal:
        stage.run_id = journal.runs()[0].run_id
    assert _sleepers(stage.run_id)

    parked = await stage.resume()

    assert ("parked", "unknown_outcome") == (parked.status, parked.reason)
    assert [] == _sleepers(stage.run_id)
    assert any("ended what was left running of send" in note for note in stage.notes)
    assert any("started and not seen to finish: send" in note for note in stage.notes)


def _sleepers(run_id):
    mark, found = f"AGENTCTL_RUN_ID={run_id}".encode(), []
    for each in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            found += [each] if mark in each.read_bytes().split(b"\0") else []
    return found


async def test_after_a_driver_elsewhere_it_waits_until_nothing_can_be_at_work(stages):
    """E30: its lease and the call's own time have to be over before anything is decided."""
    stage = stages("chat")
    log = sending(stage, timeout_seconds=1, idempotent=True)
    await killed(stage, "after-intent:1")
    with stage.store() as journal:
        until = time.time() - 0.1
        journal.write(
            lambda tx: tx.execute(
                "UPDATE runs SET owner = 'elsewhere/0/0:1:1:x', lease_until = ? WHERE run_id = ?",
                (until, stage.run_id),
            )
        )

    result = await stage.resume()

    assert 0 == result.exit_code
    (resumed,) = stage.events(Resumed)
    assert until == resumed.quiet_at
    (waited,) = stage.events(Waited)
    assert waited.reason == "send may still be at work"
    (again,) = stage.of(Resumed)
    started = [one.ts for one in stage.stamped if type(one.event).__name__ == "ToolStarted"]
    assert started[-1] >= until + 1 - 0.05 > again.ts - 0.1
    assert 1 == len(log.read_text().split())


def test_an_owner_that_was_replaced_meanwhile_counts_as_just_begun():
    row = _row(epoch=3, owner="elsewhere/0/0:1:1:x", lease_until=90.0)

    assert 90.0 == doubt.quiet_at(row, 4, 100.0)
    assert 130.0 == doubt.quiet_at(row, 5, 100.0)
    assert 0.0 == doubt.quiet_at(_row(epoch=3, owner="", lease_until=0.0), 4, 100.0)
    assert 0.0 == doubt.quiet_at(_row(epoch=3, owner="elsewhere/0/0:1:1:x", lease_until=9e9), 4, 100.0)


def _row(**values):
    blank = dict.fromkeys(RunRow.__dataclass_fields__, "")
    return RunRow(**{**blank, **values})
