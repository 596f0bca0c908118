"""What a judged command means for the call: its tier, the question, and what trust makes of it."""

from dataclasses import replace

import pytest

from agentctl.core import decisions as do
from agentctl.core.commands import Command, Part, judge, ruling
from agentctl.core.decide_call import before_tool
from agentctl.core.guards import approval, risk, trust
from agentctl.core.inflight import CallState
from agentctl.core.setup import Call
from agentctl.core.state import State
from agentctl.core.taint import Copied
from agentctl.core.tiers import Tier
from tests.play import contract, make_setup, policy

SAFE = Command((Part("git status", ("git", "status")),))
RISKY = Command((Part("rm x", ("rm", "x")),))
BOTH = Command((SAFE.parts[0], RISKY.parts[0]), "it has commands in a row in it")
TWO_SAFE = Command((SAFE.parts[0], SAFE.parts[0]), "it has a pipe in it")
SHELL = contract(
    "shell",
    side_effects=None,
    base_tier=Tier.HIGH,
    untrusted=True,
    private=True,
    egress=True,
    recovery="ask",
    command=lambda _: None,  # what it read comes with the call
)


def decided(command, *, writes="", copied=(), state=None, tool=SHELL, name="shell", **tables):
    setup = make_setup(policy(**tables), [tool])
    call = Call(CallState("c1", name, "key"), {"command": "x"}, copied=copied, writes=writes, command=command)
    return before_tool(setup, state or State(), call, 1_000.0)


def test_one_plain_command_that_only_reads_runs_by_itself():
    assert do.RunCall(Tier.SAFE) == decided(SAFE)
    assert do.RunCall(Tier.SAFE) == decided(SAFE, risk=risk.Rules(auto_approve=Tier.SAFE))


@pytest.mark.parametrize("command", [RISKY, BOTH, TWO_SAFE, Command((Part("x", why="odd"),), "odd"), None])
@pytest.mark.parametrize("limit", [Tier.SAFE, Tier.LOW, Tier.MEDIUM])
def test_everything_else_asks_as_high(command, limit):
    """B39, B40"""
    found = decided(command, risk=risk.Rules(auto_approve=limit))

    assert isinstance(found, do.AskPerson)
    assert Tier.HIGH == found.tier


def test_the_question_says_why():
    assert "rm is not on the list" in decided(RISKY).rule
    assert "commands in a row" in decided(BOTH).rule
    assert "rm is not on the list" in decided(BOTH).rule


def test_the_strictest_part_decides_and_every_part_is_judged_alone():
    assert [Tier.SAFE, Tier.HIGH] == [judge(part).tier for part in BOTH.parts]
    assert Tier.HIGH == ruling(BOTH).tier == ruling(TWO_SAFE).tier
    assert Tier.SAFE == ruling(SAFE).tier


def test_a_command_without_parts_is_never_safe():
    assert Tier.HIGH == ruling(Command(())).tier
    assert Tier.HIGH == judge(Part("")).tier


def test_a_tier_that_the_policy_gives_the_tool_is_no_looser_for_a_safe_command():
    named = risk.Rules(tiers={"shell": Tier.HIGH})

    assert isinstance(decided(SAFE, risk=named), do.AskPerson)


def test_effects_that_the_task_declares_raise_it_where_they_only_raise():
    rules = risk.Rules(contracts="raise_only")
    tool = replace(SHELL, side_effects="irreversible")

    assert isinstance(decided(SAFE, tool=tool, risk=rules), do.AskPerson)


def test_untrusted_text_raises_also_a_safe_command():
    """D11"""
    tainted = State(trust=trust.State(untrusted=("page",)))

    assert isinstance(decided(SAFE, state=tainted), do.AskPerson)
    assert decided(SAFE, state=tainted, copied=(Copied("git status", "page"),)).once


def test_reading_an_instruction_file_is_no_writing_of_it():
    read = Command((Part("cat AGENTS.md", ("cat", "AGENTS.md")),))

    assert do.RunCall(Tier.SAFE) == decided(read, writes="AGENTS.md")
    assert decided(RISKY, writes="AGENTS.md").once


def test_a_tool_that_stands_in_for_another_is_not_judged_by_its_command():
    tool = replace(SHELL, name="other", wire="other", fallback_tool="shell", egress=False)

    assert isinstance(decided(SAFE, tool=tool, name="other"), do.RunCall)
    setup = make_setup(policy(), [tool, SHELL])
    call = Call(CallState("c1", "shell", "key"), {"command": "x"}, command=SAFE)
    assert isinstance(before_tool(setup, State(), call, 1_000.0), do.RunCall)


def test_without_approvals_nobody_is_asked_and_the_tier_is_said_all_the_same():
    assert do.RunCall(Tier.HIGH) == decided(RISKY, approval=approval.Rules(enabled=False))
