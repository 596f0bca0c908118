"""What a run will take: said before it begins, in `--explain`, and held against `--require-p95-under`."""

import time

import pytest

from agentctl.config import paths
from agentctl.core.expectation import ENOUGH, FEW
from agentctl.journal.store import open_store

LINE = "expected: "


@pytest.fixture
def earlier(isolated):
    """Put so many rehearsals of the demo into the store, each a cent dearer than the one before."""

    def put(count, *, rehearsed=1, task="order-triage", policy="policy"):
        def work(tx):
            for number in range(count):
                then = time.time() - 3_600 - number
                tx.execute(
                    "INSERT INTO runs(run_id, session_id, user_id, tenant_id, task, policy, status, rehearsed,"
                    " cost_micro, steps, created, updated) VALUES(?, 's', 'ada', '', ?, ?, 'completed', ?, ?, 4, ?, ?)",
                    (f"r_{policy}{number}", task, policy, rehearsed, 10_000 * (number + 1), then, then + 60),
                )

        with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
            store.write(work)

    return put


@pytest.fixture
def rehearse(agentctl, demo):
    def call(*more):
        return agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", *more)

    return call


def runs(agentctl):
    return len(agentctl("runs", "--json", "--limit", 1000).json["items"])


def test_under_the_gate_it_runs(rehearse, earlier):
    earlier(ENOUGH)

    assert 0 == rehearse("--require-p95-under", "0.20").code


def test_over_the_gate_nothing_is_sent_and_the_line_says_why(agentctl, rehearse, earlier):
    earlier(ENOUGH)
    called = rehearse("--require-p95-under", "0.19")

    assert (17, "") == (called.code, called.out)
    assert called.err.splitlines()[0] == (
        "error: --require-p95-under: order-triage under policy: p95 is $0.1900 (n=20, 30 days), not under $0.1900"
    )
    assert "hint: See what such runs spend on (agentctl stats)" in called.err
    assert ENOUGH == runs(agentctl)


@pytest.mark.parametrize(("count", "missing"), [(0, "20 more runs"), (ENOUGH - 1, "1 more run")])
def test_where_too_few_runs_tell_the_gate_is_closed(agentctl, rehearse, earlier, count, missing):
    earlier(count)
    called = rehearse("--require-p95-under", "100", "--json")

    assert (17, "gate") == (called.code, called.json["error"]["code"])
    assert called.json["error"]["message"].endswith(f"(n={count}): {missing} needed")
    assert called.json["error"]["hint"]
    assert count == runs(agentctl)


def test_rehearsals_say_nothing_of_what_the_real_thing_costs(agentctl, demo, earlier):
    earlier(ENOUGH)
    called = agentctl("run", demo / "task.toml", "--var", "order=A-1001", "--require-p95-under", "100")

    assert 17 == called.code
    assert "(n=0): 20 more runs needed" in called.err


def test_each_task_is_asked_once_before_the_first_run(agentctl, demo, earlier, tmp_path):
    earlier(ENOUGH)
    other = demo / "other.toml"
    other.write_text((demo / "task.toml").read_text().replace('name = "order-triage"', 'name = "other"'))
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"order": "A-1001"}\n' * 3)
    many = ["--rehearse", "--lines", lines, "--require-p95-under", "0.5"]
    refused = agentctl("run", demo / "task.toml", other, *many)

    assert 17 == refused.code
    assert 1 == refused.err.count("error: --require-p95-under: other under policy: no p95 from 0 runs")
    assert ENOUGH == runs(agentctl)
    assert 0 == agentctl("run", demo / "task.toml", *many, "--parallel", 3).code
    assert ENOUGH + 3 == runs(agentctl)


@pytest.mark.parametrize("amount", ["0", "-1", "nan", "inf"])
def test_an_amount_that_is_none_is_wrong_usage(rehearse, amount):
    called = rehearse("--require-p95-under", amount)

    assert 2 == called.code
    assert "--require-p95-under: expected an amount above 0" in called.err


def test_a_store_that_is_not_there_has_no_history(agentctl, demo, tmp_path):
    url = f"sqlite:///{tmp_path}/new.db"
    arguments = ["--rehearse", "--var", "order=A-1001", "--store", url]
    called = agentctl("run", demo / "task.toml", *arguments, "--require-p95-under", "1")

    assert 17 == called.code
    assert not (tmp_path / "new.db").exists()
    assert "earlier_runs: 0 in the last 30 days" in agentctl("run", demo / "task.toml", *arguments, "--explain").out


def test_before_it_begins_one_line_says_what_it_will_take(rehearse, earlier):
    """C75"""
    earlier(FEW - 1)
    assert LINE not in rehearse().err
    earlier(ENOUGH, task="order-triage", policy="other")
    said = [line for line in rehearse().err.splitlines() if line.startswith(LINE)]

    assert 1 == len(said)
    assert f"n={FEW}, 30 days" in said[0]
    assert "max $0.0400" in said[0]


def test_explain_says_it_as_a_table(rehearse, earlier):
    earlier(ENOUGH)
    told = rehearse("--explain", "--json").json

    assert "20 in the last 30 days" == told["earlier_runs"]
    assert {"name": "cost_usd", "p50": 0.1, "p95": 0.19, "max": 0.2, "runs": 20} == told["expected"][0]
    assert "cost_usd  0.1  0.19  0.2  20" in rehearse("--explain").out


def test_explain_says_of_few_runs_that_they_are_few(rehearse, earlier):
    earlier(FEW - 1)

    assert (
        "4 in the last 30 days: too few to say what it will take"
        == rehearse("--explain", "--json").json["earlier_runs"]
    )
