"""What many runs came to, as a fold whose parts can be added up."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.core.stats import NO_TOOL, PARTS, SCRIPT, Ran, Stats, day, is_person
from agentctl.core.tallies import LEAST_ANSWERS, MOST_NAMES, OTHERS, TOO_FAST_MS, Judge, Sums, named

NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200


def ran(run_id="r_1", **more):
    fields = {"session": "s", "user": "ada", "tenant": "", "task": "triage", "policy": "p", "rehearsed": False}
    fields |= {"status": "completed", "reason": "done", "created": NOON, "seconds": 90.0, "cost_micro": 5, "steps": 1}
    return Ran(run_id, **{**fields, **more})


def replied(micro, *tools, provider="anthropic", ms=400, usage=None):
    calls = tuple(e.CallProposed(f"c{at}", "w", tool, {}, "k") for at, tool in enumerate(tools))
    usage = Usage(100, 20, 300, 0) if usage is None else usage
    return e.ModelReplied(provider, "i", "m", usage, micro, ms, "end_turn", "", calls, "answer", 20)


def finished(tool, error=None, ms=80, **more):
    status = "error" if error else "success"
    return e.ToolFinished("c0", tool, status, error, False, ms, {}, 5, **more)


def folded(*events, run=None, ts=NOON, step=1):
    stats = Stats()
    stamped = [e.Stamped("r_1", seq, "s", step, ts + seq, event) for seq, event in enumerate(events, 1)]
    stats.add(run or ran(), stamped)
    return stats


def test_tools_called_and_failing_most():
    """B49"""
    stats = folded(
        finished("look"),
        finished("look", "transient", final=False),
        finished("look", "permanent"),
        finished("send", "permanent", ran=False, code="DENIED"),
        finished("look", shared_with="c0"),
    )
    look, send = stats.tools["look"], stats.tools["send"]

    assert (2, 1, 3, 0.5) == (look.calls, look.failures, look.attempts, look.failure_rate)
    assert {"transient": 1, "permanent": 1} == look.errors
    assert (0, 1, None, {"DENIED": 1}) == (send.calls, send.refused, send.failure_rate, send.errors)


def test_time_of_a_step_by_what_it_went_to():
    """B50"""
    stats = folded(
        replied(10, ms=400),
        finished("look", ms=80),
        e.Retried(1, 0.5, "c0"),
        e.Retried(1, 2.0),
        e.Waited("tokens", 3.0, provider="anthropic"),
        e.Waited("tokens", 900.0, refused=True, provider="anthropic"),
        e.ApprovalDecided("c0", "approve", "ada", 12.5, "", "d"),
    )

    assert [400, 580, 12_500, 5_000] == [stats.parts[part].total for part in PARTS]
    assert [1] * 4 == [stats.parts[part].count for part in PARTS]


def test_the_dollars_of_tools_add_up_to_those_of_the_runs():
    failed = e.ModelFailed("openai", "i", "timeout", None, None, "", 1, "answer", 7, 100)
    stats = folded(replied(10, "look", "look", "send"), replied(5), failed)

    assert {"look": 7, "send": 3, NO_TOOL: 12} == {name: tool.cost_micro for name, tool in stats.tools.items()}
    assert 22 == stats.total.cost_micro
    assert {"anthropic": 15, "openai": 7} == {name: sums.cost_micro for name, sums in stats.by["provider"].items()}


def test_a_day_is_one_of_utc_and_has_what_was_spent_on_it():
    midnight = NOON + 43_200
    stats = Stats()
    stats.add(ran(), [e.Stamped("r_1", seq, "s", 1, midnight - 1 + seq, replied(10)) for seq in (0, 1)])

    assert {day(midnight - 1): (1, 10), day(midnight): (1, 10)} == {
        name: (sums.runs, sums.cost_micro) for name, sums in stats.by["day"].items()
    }
    assert "1970-01-01" == day(86_399.9)


def test_what_went_wrong_is_counted():
    """C74"""
    opened = e.CircuitMoved("anthropic", "closed", "open")
    told = e.Decided("before_model", "budget", "land", "run_usd")
    stats = folded(
        opened,
        e.LoopSeen("consecutive", "look", 3, 3),
        e.BudgetCounted("run_usd", 0.8, 1.0, "warning"),
        told,
        e.FellBack("a", "b", "down"),
        e.ContextTrimmed(1, 2, 3, 4),
    )

    assert {
        "circuits opened": 1,
        "loops": 1,
        "limits that came close": 1,
        "limits reached": 1,
        "fallbacks": 1,
        "context trims": 1,
    } == stats.events


def judged(answers, yes, ms):
    judge = Judge()
    for number in range(answers):
        judge.asked += 1
        judge.yes += number < yes
        judge.waited_ms.add(ms)
    return judge


def test_a_rubber_stamp_answers_often_and_fast_and_nearly_always_yes():
    assert judged(LEAST_ANSWERS, LEAST_ANSWERS, TOO_FAST_MS - 1).rubber_stamp
    assert not judged(LEAST_ANSWERS - 1, LEAST_ANSWERS - 1, 1).rubber_stamp
    assert not judged(LEAST_ANSWERS, LEAST_ANSWERS, TOO_FAST_MS).rubber_stamp
    assert not judged(LEAST_ANSWERS, LEAST_ANSWERS - 1, 1).rubber_stamp
    assert judged(20, 19, 1).rubber_stamp


def test_nobody_waited_for_a_script():
    stats = folded(
        e.ApprovalRequested("c", "t", "high", "r", "d", {}), e.ApprovalDecided("c", "deny", SCRIPT, 9, "", "d")
    )

    assert (1, 0, 0) == (stats.asked, stats.judges[SCRIPT].waited_ms.count, stats.parts["people"].total)


@pytest.mark.parametrize(("name", "person"), [("ada", True), ("policy", False), (SCRIPT, False), ("reviewer x", False)])
def test_a_program_is_no_person(name, person):
    stats = folded(e.ApprovalDecided("c", "approve", name, 9, "", "d"))

    assert person == is_person(name)
    assert (9_000 if person else 0) == stats.parts["people"].total


def test_only_runs_that_did_their_work_say_what_one_takes():
    stats = Stats()
    for number, status in enumerate(("completed", "stopped", "failed", "cancelled", "parked", "crashed")):
        stats.add(ran(f"r_{number}", status=status), [])
    stats.add(ran("r_fork", whole=False), [])

    assert (7, 2) == (stats.runs, stats.cost_micro.count)


def test_names_beyond_the_bound_share_one_line():
    table = {f"u{number}": Sums() for number in range(MOST_NAMES)}

    assert named(table, "one more", Sums) is named(table, "and another", Sums)
    assert OTHERS in table


def drawn(seed):
    """A random run."""
    dice = random.Random(seed)
    run_id = f"r_{seed}"
    events = []
    for _ in range(dice.randrange(12)):
        tool = dice.choice(["look", "send", "find"])
        events.append(
            dice.choice(
                [
                    replied(dice.randrange(999), *[tool] * dice.randrange(4), provider=dice.choice("ab")),
                    finished(tool, dice.choice([None, "transient"]), ms=dice.randrange(9_999)),
                    finished(tool, "permanent", ran=False, code="DENIED"),
                    e.ApprovalRequested("c", tool, "high", "r", "d", {}),
                    e.ApprovalDecided(
                        "c", dice.choice(["approve", "deny"]), dice.choice("xyz"), dice.random(), "", "d"
                    ),
                    e.Retried(1, dice.random()),
                    e.FellBack("a", "b", "down"),
                ]
            )
        )
    run = ran(run_id, user=dice.choice("ab"), tenant=dice.choice("tu"), status=dice.choice(["completed", "failed"]))
    return run, [
        e.Stamped(run_id, seq, "s", seq // 3, NOON + dice.randrange(10**6), event) for seq, event in enumerate(events)
    ]


def together(seeds):
    stats = Stats()
    for seed in seeds:
        stats.add(*drawn(seed))
    return stats


@settings(max_examples=40)
@given(st.lists(st.integers(0, 10**6), max_size=20, unique=True), st.randoms(use_true_random=False))
def test_parts_of_the_runs_add_up_to_all_of_them(seeds, dice):
    whole = together(seeds)
    mixed = list(seeds)
    dice.shuffle(mixed)
    cut = dice.randrange(len(mixed) + 1)
    parts = together(mixed[:cut])
    parts.merge(together(mixed[cut:]))

    assert whole == parts
    assert whole.total.cost_micro == sum(tool.cost_micro for tool in whole.tools.values())
    for table in whole.by.values():
        assert whole.total.cost_micro == sum(sums.cost_micro for sums in table.values())
