"""`policy backtest`: what another policy would have made of recorded runs, and what it can't tell."""

import json
import os
import sqlite3
from contextlib import closing

import pytest

from agentctl.config import paths
from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.journal import codec, opening
from tests.cli.test_store import url  # noqa: F401 -- a fixture: two runs in a store of each kind
from tests.journal.golden import EXPECTED, FOLDER
from tests.journal.test_chain import forget_links

IDENTITY = "anthropic||claude-sonnet-4-6"
MODEL = "claude-sonnet-4-6"
DONE = e.Completed("completed", "done", 0, 0, "Done.")


def steps(count, micro=20_000):
    """Requests and replies of so many steps; each but the last asks for a tool."""
    found = []
    for number in range(1, count + 1):
        call = e.CallProposed(f"c{number}.0", "w", "get_order_status", {"order_id": f"A-{number}"}, f"k{number}")
        calls = (call,) if number < count else ()
        usage = Usage(input=300, output=60)
        found.append(e.ModelAsked("anthropic", IDENTITY, MODEL, 1, "answer", 300, 8_192, 120_000))
        found.append(
            e.ModelReplied("anthropic", IDENTITY, MODEL, usage, micro, 400, "end_turn", "…", calls, "answer", 60)
        )
        for each in calls:
            found.append(e.ToolStarted(each.call_id, each.tool, each.args, "safe", 1, False, 5.0))
            result = {"status": "success", "data": {"order": number}}
            finished = e.ToolFinished(each.call_id, each.tool, "success", None, False, 88, result, 20, key=each.key)
            found.append(finished)
    return found


def started(**tools):
    return e.RunStarted("order-triage", "standard", "d", "ada", "", "Find it.", "", 10, 5, tools)


@pytest.fixture
def policy(tmp_path):
    """A policy of these lines."""

    def write(text, name="mine"):
        path = tmp_path / f"{name}.toml"
        path.write_text(f'version = 1\nextends = "standard"\n{text}')
        return path

    return write


@pytest.fixture
def rehearsal(agentctl, demo):
    called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--json")
    assert 0 == called.code, called.err
    return called.json["run_id"]


def test_under_its_own_policy_no_run_differs_and_nothing_is_said_of_rehearsals_unless_asked(agentctl, demo, rehearsal):
    """B48, C75"""
    own = agentctl("policy", "backtest", demo / "policy.toml", "--rehearsed")
    hidden = agentctl("policy", "backtest", demo / "policy.toml")

    assert (0, True) == (own.code, own.out.startswith("1 run decided again under policy: 0 differ, 1 do the same"))
    assert "decisions: 11 the same before that" in own.out
    assert (0, "") == (hidden.code, hidden.out)
    assert "rehearsals count with --rehearsed" in hidden.err


def test_each_run_is_told_with_its_first_difference_its_guard_and_what_would_not_have_been_spent(
    agentctl, policy, rehearsal
):
    """C75, B48"""
    tight = policy("[budget]\nmax_steps = 2\n")
    told = agentctl("policy", "backtest", tight, "--run", rehearsal, "--json").json
    shown = agentctl("policy", "backtest", tight, "--run", rehearsal[:8])
    (item,) = told["items"]
    events = [json.loads(line) for line in agentctl("events", rehearsal).out.splitlines()]
    asked = [each["seq"] for each in events if each["event_type"] == "model_call" and each["step"] == 3]
    later = sum(
        each["data"]["cost_usd"]
        for each in events
        if "cost_usd" in each["data"]
        and each["seq"] >= asked[0]
        and each["event_type"] in {"model_reply", "model_error"}
    )

    assert ("budget", "stop", "budget") == (item["divergence"]["guard"], item["divergence"]["kind"], "budget")
    assert item["divergence"]["seq"] in asked
    assert pytest.approx(later) == item["unspent_usd_at_most"] == told["totals"]["unspent_usd_at_most"]
    assert {"budget": {"stop": 1}} == told["totals"]["by_guard"]
    assert (1, 1, False, "mine") == (told["n"], told["totals"]["stop"], told["truncated"], told["policy"]["name"])
    assert "land: max_steps" in shown.out
    assert "not spent: at most $" in shown.out
    assert f"agentctl replay {rehearsal} --from {item['divergence']['seq']}" in shown.err


def test_what_becomes_of_a_call_is_told_by_guard_and_kind(agentctl, policy, rehearsal):
    """C75, B48, B40"""
    for text, guard, kind, now in (
        ('[risk]\nauto_approve = "safe"\n[risk.tiers]\nget_order_status = "low"\n', "risk", "ask", "as low"),
        ('[[risk.rules]]\ntool = "get_*"\ntier = "forbid"\nwhy = "no orders"\n', "risk", "refuse", "refused"),
        ("[budget]\nrun_usd = 0.004\n", "budget", "stop", "run_usd"),
        ('[risk]\nauto_approve = "high"\n', "risk", "allow", "runs as high"),
    ):
        told = agentctl("policy", "backtest", policy(text), "--run", rehearsal, "--json").json
        other = told["items"][0]["divergence"]

        assert (guard, kind) == (other["guard"], other["kind"])
        assert now in other["now"]
        assert 1 == told["totals"][kind]


def test_runs_that_differ_alike_are_one_line_and_no_more_lines_than_asked_for(agentctl, policy, record):
    for number in range(3):
        record(f"r_aaa{number}", started(), *steps(4), DONE)
    record("r_bbb1", started(), *steps(6), DONE)
    tight = policy("[budget]\nmax_steps = 2\n")
    called = agentctl("policy", "backtest", tight)
    cut = agentctl("policy", "backtest", tight, "--json", "--limit", 1)

    assert "4 runs decided again under mine: 4 differ, 0 do the same" in called.out
    assert " +3 alike" in called.out
    assert "not spent: at most $0.20" in called.out
    assert (1, True, 4) == (len(cut.json["items"]), cut.json["truncated"], cut.json["n"])


def test_a_gate_is_one_only_where_somebody_asked_for_it(agentctl, policy, record):
    """C75: and it does not open where nothing could be judged."""
    record("r_aaa1", started(), *steps(4), DONE)
    tight, same = policy("[budget]\nmax_steps = 2\n"), policy("", "same")
    codes = [
        agentctl("policy", "backtest", *arguments).code
        for arguments in (
            (tight,),
            (tight, "--fail-on", "any"),
            (tight, "--fail-on", "stop", "--json"),
            (tight, "--fail-on", "ask"),
            (same, "--fail-on", "any"),
            (same, "--fail-on", "any", "--task", "another"),
            (same, "--fail-on", "never"),
        )
    ]

    assert [0, 17, 17, 0, 0, 17, 2] == codes


def test_a_run_whose_task_is_gone_is_judged_by_what_the_journal_holds(agentctl, policy, demo, rehearsal):
    """C75"""
    (demo / "task.toml").unlink()
    mine = policy("[budget]\nmax_steps = 2\n")
    told = agentctl("policy", "backtest", mine, "--rehearsed", "--json").json
    (item,) = told["items"]

    assert ("budget", "stop") == (item["divergence"]["guard"], item["divergence"]["kind"])
    assert [f"its task {demo / 'task.toml'} is gone: calls are not judged"] == item["notes"]
    assert item["passed_over"] > 0


def test_a_tool_that_has_changed_since_is_not_judged(agentctl, policy, demo, rehearsal):
    task = demo / "task.toml"
    task.write_text(task.read_text().replace("timeout_seconds", "max_calls_per_minute = 99\ntimeout_seconds"))
    told = agentctl("policy", "backtest", policy('[risk]\nauto_approve = "safe"\n'), "--rehearsed", "--json").json

    assert any(note.startswith("changed since, and not judged:") for note in told["notes"])


@pytest.mark.parametrize("broken", ["order", "beginning", "nothing"])
def test_what_can_not_be_judged_is_listed_with_the_reason(agentctl, policy, record, broken):
    begun = () if broken == "nothing" else (e.Thought("…"),) if broken == "beginning" else (started(), *steps(2))
    if begun:
        record("r_aaa1", *begun)
    mine = policy("")
    if broken == "order":
        alter("UPDATE specs SET spec = '[]'")
    called = agentctl("policy", "backtest", mine)
    told = agentctl("policy", "backtest", mine, "--json").json

    assert 0 == called.code
    if broken == "order":
        assert {"what it was started with is lost: calls are not judged": 1} == told["notes"]
    elif broken == "beginning":
        assert "1 run: not judged: its journal has no readable beginning" in called.err
        assert "its journal has no readable beginning" == told["items"][0]["not_judged"]
    else:
        assert 0 == told["n"]


def alter(statement):
    """Change the default store past its guards."""
    with closing(sqlite3.connect(opening.path_of(paths.store_url()))) as tx:
        tx.executescript(f"DROP TRIGGER events_stay; {statement}")
        tx.commit()


def test_an_event_that_can_not_be_read_is_counted_and_what_comes_before_it_is_judged(agentctl, policy, record):
    record("r_aaa1", started(), *steps(4), DONE)
    alter("UPDATE events SET data = '{' WHERE seq = 7")
    called = agentctl("policy", "backtest", policy("[budget]\nmax_steps = 1\n"))
    told = agentctl("policy", "backtest", policy("[budget]\nmax_steps = 1\n"), "--json").json

    assert (0, 1) == (called.code, told["totals"]["unreadable"])
    assert "1 events can't be read (agentctl store check)" in called.err
    assert "1 run: judged up to the first event that can't be read" in called.err
    assert 6 == told["items"][0]["divergence"]["seq"]


def test_a_run_that_would_not_start_under_the_policy_says_so(agentctl, demo, rehearsal):
    called = agentctl("policy", "backtest", "multi-tenant", "--rehearsed", "--json").json

    assert called["items"][0]["not_judged"].startswith("it would not start: ")
    assert 0 == called["totals"]["judged"]


def test_rules_that_no_recorded_call_was_about_are_named_with_their_place(agentctl, policy, rehearsal):
    """C75"""
    mine = policy(
        '[risk.tiers]\nsend_refund = "high"\nsend_fax = "high"\n'
        '[[risk.rules]]\ntool = "send_refund"\ntier = "high"\nargs = { order_id = "^B-" }\nwhy = "the old shop"\n'
        '[[risk.rules]]\ntool = "send_refund"\ntier = "high"\nargs = { order_id = "^A-" }\n'
    )
    called = agentctl("policy", "backtest", mine, "--rehearsed")
    told = agentctl("policy", "backtest", mine, "--rehearsed", "--json").json
    own = [(each["key"], each["line"]) for each in told["never_hit"] if each["own"]]

    assert [("risk.rules[1]", 6), ("risk.tiers.send_fax", 5)] == own
    assert "never hit by any of 3 recorded calls: 2 of yours" in called.out
    assert f"{mine}:6 risk.rules[1]: send_refund high (the old shop)" in called.out
    assert 3 == told["totals"]["calls"]


@pytest.mark.parametrize("version", EXPECTED)
def test_the_journal_of_a_release_can_be_judged(agentctl, record, version):
    """C75: whatever it holds, and what is left of it."""
    lines = (FOLDER / f"{version}.jsonl").read_text().splitlines()
    events = [codec.decode(each["tag"], each["version"], json.dumps(each["data"])) for each in map(json.loads, lines)]
    record("r_aaa1", *events)
    for policy in ("standard", "strict", "ci", "local"):
        called = agentctl("policy", "backtest", policy, "--run", "r_aaa1", "--json")

        assert 0 == called.code, called.err
        assert (1, 1) == (called.json["n"], called.json["totals"]["judged"])


def test_a_store_of_a_version_before_can_be_judged(agentctl, url, policy):  # noqa: F811 -- a fixture
    """C75: a file and a server alike."""
    forget_links(url)
    called = agentctl("policy", "backtest", policy("[budget]\nmax_steps = 1\n"), "--since", "52w", "--json")

    assert (0, 2) == (called.code, called.json["n"]), called.err


def test_nothing_is_written(agentctl, policy, record, tmp_path):
    record("r_aaa1", started(), *steps(4), DONE)
    path = opening.path_of(paths.store_url())
    before = [(at.name, at.stat().st_size) for at in sorted(path.parent.iterdir())]
    agentctl("policy", "backtest", policy("[budget]\nmax_steps = 1\n"))

    assert path.name in dict(before)
    assert [each for each in before if not each[0].endswith(("-wal", "-shm"))] == [
        (at.name, at.stat().st_size) for at in sorted(path.parent.iterdir()) if not at.name.endswith(("-wal", "-shm"))
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nothing-like-it",), 3, "no policy is called"),
        (("standard", "--run", "r_nobody"), 20, "there is no run r_nobody"),
        (("standard", "--since", "soon"), 2, "--since: expected a span such as"),
        (("standard", "--store", "sqlite:///nowhere/a.db"), 3, "nowhere/a.db"),
        (("standard", "--run", ""), 20, "no run"),
    ],
)
def test_what_was_asked_wrongly_is_one_line(agentctl, record, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    record("r_aaa1", started(), *steps(2), DONE)
    called = agentctl("policy", "backtest", *arguments)

    assert (code, True) == (called.code, said in called.err), called.err
    assert os.linesep not in called.err.strip().partition("\n\n")[0]
