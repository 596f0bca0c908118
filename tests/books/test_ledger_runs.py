"""Twenty whole runs in processes of their own under one budget of the store: what it holds is never passed."""

import asyncio

import pytest

from agentctl.journal import ledger
from tests.runner.stage import Reply, usage

CAP = 0.06


@pytest.mark.slow
async def test_twenty_processes_share_an_hourly_budget_and_whoever_it_refuses_is_told_so(stage, drivers):
    """D43 D44 C66: each reserves a third of it before it asks, so that at most three are asked at a time."""
    stage.providers = [{"name": "main", "api": "messages", "max_output_tokens": 1_100}]
    stage.policy(budget={"hourly_usd": CAP})
    stage.replies = [Reply(text="Answered.", usage=usage(20, 5), delay_s=1.0)]
    task = await stage.lay_out()
    with stage.store() as journal:
        members = [drivers.start("drives", task=str(task), gates=[drivers.gate("go")]) for _ in range(20)]
        drivers.open("go")
        taken = []
        while any(drivers.ended(member) is None for member in members):
            hourly = journal.read(lambda tx: ledger.budgets(tx, prefix="hourly_usd:store"))
            taken += [one.spent + one.held for one in hourly]
            await asyncio.sleep(0.005)
        runs, all_of_them = (
            journal.read(lambda tx, of=of: [(one.spent, one.held) for one in ledger.budgets(tx, prefix=of)])
            for of in ("run_usd:", "hourly_usd:")
        )

    ends = [drivers.said(member)[-1] for member in members]
    answered = [end for end in ends if end["exit_code"] == 0]
    assert 3 <= len(answered) < 20
    assert {("hourly_usd", 10)} == {(end["reason"], end["exit_code"]) for end in ends if end not in answered}
    assert max(taken) <= CAP * 1e6
    assert sum(spent for spent, _ in all_of_them) == sum(spent for spent, _ in runs) == 135 * len(stage.asked())
    assert {0} == {held for _, held in all_of_them + runs}
