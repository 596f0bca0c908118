"""Equal ids of several users and tenants at the same moment, each run in a process of its own, all on one store."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentctl.core.events import RunStarted
from agentctl.journal import ledger
from tests.books.fleet import Fleet
from tests.runner.stage import Reply, Stage, usage

PEOPLE = (["acme", "ada", "monday"], ["acme", "bob", "monday"], ["zen", "ada", "monday"], ["", "ada", "monday"])
EACH, ROUNDS, MOST = 5, 2, 3
marker = re.compile(r"\[([^\] ]*) \d\.\d\]")


@pytest.fixture
def talkers(stage: Stage, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    (tmp_path / "home").mkdir(exist_ok=True)
    monkeypatch.setenv("AGENTCTL_STORE", url)
    fleet = Fleet(tmp_path / "fleet", warm=True, work="tests.books.talking")
    yield fleet
    fleet.close()


@pytest.mark.slow
async def test_twenty_processes_with_equal_ids_never_see_each_other(stage, talkers):
    """A76 C59 D07: not a word, not an amount, not a call; the limit on calls holds at the same moment."""
    counter = stage.effect(max_calls_per_session=MOST, requires_check=False)
    stage.policy(budget={"session_usd": 1.0}, risk={"tiers": {"send": "safe"}})
    stage.task |= {
        "goal": "Answer {{word}}.",
        "vars": {"word": {"type": "string"}},
        "steps": [{"tool": "send", "args": {"id": "x"}}],
    }
    stage.replies = [Reply(text="Answered.", usage=usage(20, 5))]
    task = await stage.lay_out()
    gates = [talkers.gate(f"round{number}") for number in range(ROUNDS)]
    members = {
        talkers.start("talks", task=str(task), who=who, name=str(number), gates=gates): tuple(who)
        for who in PEOPLE
        for number in range(EACH)
    }
    for number in range(ROUNDS):
        talkers.open(f"round{number}")
        await _until(lambda number=number: all(len(talkers.said(member)) > number for member in members))
    await _until(lambda: all(talkers.ended(member) == 0 for member in members))

    runs = {end["run_id"]: who for member, who in members.items() for end in talkers.said(member)}
    assert len(runs) == len(PEOPLE) * EACH * ROUNDS
    assert {0} == {end["exit_code"] for member in members for end in talkers.said(member)}
    for seen in stage.asked():
        assert 1 == len(set(marker.findall(json.dumps(seen.body)))), "a word of somebody else"
    with stage.store() as journal:
        spent = {one.key: one.spent + one.held for one in journal.read(lambda tx: ledger.budgets(tx, prefix="session"))}
        costs, told = Counter[str](), 0
        for run_id, who in runs.items():
            row = journal.run(run_id)
            costs["session_usd:" + "/".join(part for part in who if part)] += row.cost_micro
            started = journal.events(run_id, limit=1)[0].event
            assert isinstance(started, RunStarted)
            assert {who} >= {runs[each.run_id] for each in started.earlier}
            told += len(started.earlier)
    assert costs == spent
    assert told >= len(PEOPLE) * EACH * EACH
    done = Counter(runs[line.partition(":")[0]] for line in counter.read_text().split())
    assert done == {tuple(who): MOST for who in PEOPLE}


async def _until(happened: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if happened():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")
