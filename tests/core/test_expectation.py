"""What a run will take, and how much of that may be said."""

import pytest

from agentctl.core import expectation
from agentctl.core.expectation import ENOUGH, FEW, Past


def past(count, cost=10_000):
    return [Past(cost * (number + 1), number + 1, 60.0 * (number + 1)) for number in range(count)]


def expected(count):
    return expectation.of("triage", "strict", past(count))


@pytest.mark.parametrize("count", [0, 1, FEW - 1])
def test_of_very_few_runs_nothing_is_said(count):
    found = expected(count)

    assert [(None, None, None)] * 3 == [(each.p50, each.p95, each.most) for each in found.figures]
    said = "".join(expectation.parts(found))
    assert said == ("" if count == 0 else f"too few runs like this to say what it will take (n={count})")


def test_of_some_runs_the_most_is_said_and_no_p95():
    found = expected(ENOUGH - 1)

    assert (0.1, None, 0.19) == (found.cost.p50, found.cost.p95, found.cost.most)
    assert [
        "cost p50 $0.1000, max $0.1900", "steps p50 10, max 19", "minutes p50 10, max 19", "n=19, 30 days",
    ] == expectation.parts(found)  # fmt: skip


def test_of_enough_runs_the_p95_is_a_figure_that_a_run_had():
    """C75"""
    found = expected(100)

    assert [("cost_usd", 0.5, 0.95, 1.0), ("steps", 50, 95, 100), ("minutes", 50, 95, 100)] == [
        (each.name, each.p50, each.p95, each.most) for each in found.figures
    ]
    assert [100] * 3 == [item["runs"] for item in expectation.items(found)]


@pytest.mark.parametrize(
    ("count", "most", "why"),
    [
        (0, 1.0, "no p95 from 0 runs in 30 days (n=0): 20 more runs needed"),
        (19, 1.0, "no p95 from 19 runs in 30 days (n=19): 1 more run needed"),
        (20, 0.19, "p95 is $0.1900 (n=20, 30 days), not under $0.1900"),
        (20, 0.1901, ""),
    ],
)
def test_the_gate_names_p95_and_n_and_is_closed_where_nobody_knows(count, most, why):
    said, way_out = expectation.refusal(expected(count), most)

    assert said.removeprefix("triage under strict: ") == why
    assert bool(way_out) == bool(why)
