"""Runs whose clock is set back by hours while they wait: nobody waits for as long as it went back."""

import asyncio
import signal

from agentctl.core.events import ApprovalDecided, Retried, ToolStarted
from tests.runner.stage import Reply, calls

HOUR = 3_600.0
ENDS_S = 60.0
"""By then a run that does not wait for the clock is over."""


async def soon(work):
    return await asyncio.wait_for(work, ENDS_S)


async def test_a_tool_that_waits_for_its_next_attempt_is_tried_again_when_the_run_is_resumed(stage, clock):
    stage.policy(results={"base_delay_s": 0.5})
    stage.tool("look", 'test -e done || { touch done; exit 75; }; echo "{}"')
    stage.replies = [calls(("look", {})), Reply(text="done")]
    stage.interrupt_at(Retried, signal.SIGINT)
    assert "paused" == (await stage.run()).status
    clock.ahead -= HOUR

    result = await soon(stage.resume())

    assert (0, [1, 2]) == (result.exit_code, [event.attempt for event in stage.events(ToolStarted)])


async def test_a_run_whose_driver_died_elsewhere_is_resumed(stage, clock):
    stage.policy(budget={"max_steps": 1})
    stage.tool("look", "cat")
    stage.replies = [calls(("look", {})), Reply(text="so far"), Reply(text="done")]
    assert 10 == (await stage.run()).exit_code
    with stage.store() as journal:
        driven = "UPDATE runs SET owner = 'mail3/abcdef01/1:4711:99:aabbccdd', lease_until = ?"
        journal.write(lambda tx: tx.execute(driven, (clock() + 30,)))
    clock.ahead -= HOUR

    assert 0 == (await soon(stage.resume(steps=5))).exit_code


class Late:
    """Nobody comes, and meanwhile the clock is set back."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds

    async def ask(self, _):
        await asyncio.sleep(self.seconds)
        self.clock.ahead -= HOUR


async def test_a_person_who_did_not_answer_in_time_did_not_although_the_clock_says_so(stage, clock):
    stage.policy(approval={"timeout_s": 0.3, "on_timeout": "deny", "non_interactive": "park"})
    stage.effect(side_effects="external")
    stage.replies = [calls(("send", {})), Reply(text="then not")]

    result = await soon(stage.run(Late(clock, 0.4)))

    assert (0, "then not") == (result.exit_code, result.answer)
    (decided,) = stage.events(ApprovalDecided)
    assert ("deny", "nobody answered in time") == (decided.decision, decided.why)
    assert 0.3 <= decided.waited_s < ENDS_S
