"""The comparison with a naive agent: the same task and faults, with the policy's guards and with all of them off."""

import asyncio
from dataclasses import replace

import pytest

from agentctl.core.events import ModelAsked
from agentctl.rehearsal.drills.scene import Request
from agentctl.runner.drills.altering import naive
from agentctl.runner.drills.drilling import Wanted
from agentctl.runner.drills.figures import peak, recovery, rows, stability, tolerance
from agentctl.runner.drills.figures.column import searched
from agentctl.runner.drills.figures.compare import Size, compare
from agentctl.runner.drills.figures.row import HEADINGS, NONE
from agentctl.runner.drills.skipping import Skipping
from agentctl.runner.order import Order
from tests.bench.headline_task import a_task, column

QUICK = Size(each=1, turns=24, window=40_000)
POLICY = """version = 1
extends = "standard"
[context]
max_tokens = 20_000
hard_limit_tokens = 24_000
[budget]
run_usd = 0.2
max_wall_s = 100
"""
METRICS = [rows.RECOVERY, rows.PEAK, rows.STABILITY, rows.OUTAGE, rows.SIGHT]


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The rows by their metric."""
    folder = tmp_path_factory.mktemp("figures")
    (folder / "policy.toml").write_text(POLICY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTCTL_HOME", str(folder / "home"))
        order = Order(a_task(folder), str(folder / "policy.toml"))
        found = compare(Wanted(order, (), folder), lambda _: None, QUICK)
    return {row.metric: row for row in found.rows}


def test_the_table_has_its_columns_and_five_rows(usual):
    """C88"""
    assert HEADINGS == ("Metric", "Naive", "Resilient", "Delta")
    assert METRICS == list(usual)
    assert all(len(row.cells) == 4 and NONE not in row.cells for row in usual.values())


def test_with_the_guards_all_runs_recover_and_without_them_few(usual):
    """C09"""
    row = usual[rows.RECOVERY]

    assert (0.0, 1.0) == (row.naive_value, row.resilient_value)
    assert set(row.details["naive"]) == {"bad arguments", "context overflow", "429 and 529", "tool failures"}


def test_with_the_guards_a_peak_costs_hardly_more_than_a_calm_time(usual):
    """C10"""
    row = usual[rows.PEAK]

    assert 1.0 < row.resilient_value <= 1.2
    assert (20, 20) == (row.details["naive"]["answered"], row.details["resilient"]["answered"])
    assert row.details["naive"]["runs"] > row.details["resilient"]["runs"] == 20


def test_what_a_silence_hides_is_billed_and_a_refusal_is_not_also_where_the_model_is_free(tmp_path):
    """C10"""
    seen = [(200, "", "messages"), (200, "truncate", "messages"), (0, "hang", "messages"), (0, "", "messages")]
    free = [(429, "status", "messages"), (200, "", "count_tokens")]

    async def billed(policy):
        async with column(policy, tmp_path, asyncio.get_running_loop()) as at:
            name = at.ground.answering[0].name
            asked = [Request(0, name, "r", status, fault, 0.0, {}, api) for status, fault, api in (*seen, *free)]
            return [peak.bill(at.ground, request) for request in asked]

    with asyncio.Runner(loop_factory=Skipping) as runner:
        assert [3300] * 4 + [0] * 2 == runner.run(billed("standard")) == runner.run(billed("local"))


def test_with_the_guards_a_long_run_has_no_end_and_without_them_it_is_refused(usual):
    """C11"""
    row = usual[rows.STABILITY]

    assert row.resilient.endswith("none refused")
    assert row.naive_value < row.resilient_value == QUICK.turns
    assert row.naive.endswith("refused with 400")


def test_with_the_guards_nobody_waits_for_a_provider_that_is_down(usual):
    """C12: without them each request waits for a timeout first; that it then falls back has no switch.

    What a run may cost and how long it may take would end some of them: that is lifted, and said.
    """
    row = usual[rows.OUTAGE]

    assert (4.0, 1.0) == tuple(row.details[name]["latency_over_fallback"] for name in ("naive", "resilient"))
    assert (0.0, 0.0) == (row.naive_value, row.resilient_value)
    assert "with the first provider alone 100% of the naive fail" in row.note
    assert rows.LIFTED in row.note


def test_where_the_only_provider_is_down_the_row_says_that_there_is_no_other(tmp_path):
    """C12"""

    async def found():
        async with column("local", tmp_path, asyncio.get_running_loop()) as at:
            return await tolerance.measured(at)

    with asyncio.Runner(loop_factory=Skipping) as runner:
        alone = runner.run(found())
        row = rows.outage_row(alone, alone, None)

    assert row.note.endswith(rows.NOBODY_ELSE)
    assert row.resilient == "100% failed"


def test_with_the_guards_every_incident_has_an_event_that_names_it(usual):
    """C13"""
    row = usual[rows.SIGHT]

    assert row.resilient_value == sum(each["injected"] for each in row.details["resilient"].values())
    assert row.naive_value < row.resilient_value
    assert "loops" in row.note


def test_another_fault_moves_both_columns(usual, tmp_path):
    """C10 C88: six replies fewer are spoiled, each of them billed and none received."""

    async def ratios():
        async with column("standard", tmp_path, asyncio.get_running_loop()) as at:
            columns = at.under(naive(at.ground.policy)), at
            return [(await peak.measured(replace(each, name=f"{n}"), peak.CUT)).ratio for n, each in enumerate(columns)]

    with asyncio.Runner(loop_factory=Skipping) as runner:
        without, within = runner.run(ratios())

    assert usual[rows.PEAK].resilient_value > within
    assert round(without, 2) != usual[rows.PEAK].naive_value


def test_every_run_that_recovers_was_told_what_a_faultless_one_is_told(tmp_path):
    """C09: a run whose tool took wrong arguments, and answered something else, has not recovered."""

    async def found(guarded):
        loop = asyncio.get_running_loop()
        async with column("standard", tmp_path / str(guarded), loop) as at:
            policy = at.ground.policy
            where = at if guarded else at.under(replace(policy, args=replace(policy.args, enabled=False)))
            return [(one.name, one.recovered) for one in await recovery.measured(where, 1)]

    with asyncio.Runner(loop_factory=Skipping) as runner:
        guarded, unguarded = runner.run(found(guarded=True)), runner.run(found(guarded=False))

    assert {1} == {recovered for _, recovered in guarded}
    assert {"bad arguments"} == {name for name, recovered in unguarded if not recovered}


@pytest.mark.parametrize("summariser", [True, False])
def test_a_policy_that_summarises_loses_neither_turns_nor_the_goal(tmp_path, summariser):
    """C11: whoever writes the summaries, also where it is who answers."""

    async def long():
        async with column("batch-research", tmp_path, asyncio.get_running_loop()) as at:
            policy = at.ground.policy
            context = replace(policy.context, max_tokens=20_000, hard_limit_tokens=24_000)
            kept = tuple(one for one in policy.providers if summariser or "summary" not in one.roles)
            where = at.under(replace(policy, context=context, providers=kept))
            return await stability.measured(where, searched(where.ground), 24, 40_000)

    with asyncio.Runner(loop_factory=Skipping) as runner:
        found = runner.run(long())

    asked = [each.event for each in found.seen.clients[0].events if isinstance(each.event, ModelAsked)]
    assert summariser is (len({event.provider for event in asked}) > 1)
    assert "summary" in {event.purpose for event in asked}
    assert (24, "") == (found.turns, found.why)


def test_the_same_seed_gives_the_same_figures(tmp_path):
    """C88: byte for byte."""

    async def row(folder):
        async with column("standard", folder, asyncio.get_running_loop()) as at:
            faulty = await recovery.measured(at, 2)
            calm = await tolerance.measured(at)
            return repr([rows.recovery_row(faulty, faulty), rows.outage_row(calm, calm, None)])

    with asyncio.Runner(loop_factory=Skipping) as runner:
        assert runner.run(row(tmp_path / "once")) == runner.run(row(tmp_path / "again"))
