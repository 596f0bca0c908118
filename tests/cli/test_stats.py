"""`stats`: what runs came to, on a page, as one table, as JSON and as CSV."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentctl.cli import plots, stats_csv
from agentctl.config import paths
from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.journal import bodies, codec
from agentctl.journal.store import open_store
from tests.cli.conftest import replied as answered
from tests.cli.conftest import shown_on

NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200
PAGES = Path(__file__).parent / "stats_pages"


@pytest.fixture
def noon(monkeypatch):
    """The clock stands at noon."""
    monkeypatch.setattr(time, "time", lambda: float(NOON))


@pytest.fixture
def put(isolated):
    """Put runs into the default store: what is said of each, and its events."""

    def write(*runs):
        def work(tx):
            for number, (fields, events) in enumerate(runs):
                run_id = fields.get("run_id", f"r_{number:010x}")
                given = {"session_id": "s", "user_id": "ada", "tenant_id": "", "task": "triage", "policy": "strict"}
                given |= {"status": "completed", "reason": "done", "created": NOON - 60.0, "updated": NOON - 0.0}
                given |= {"run_id": run_id, **fields}
                marks = ", ".join("?" * len(given))
                tx.execute(f"INSERT INTO runs({', '.join(given)}) VALUES({marks})", tuple(given.values()))
                for seq, event in enumerate(events, 1):
                    tag, version, text = codec.encode(event)
                    at = given["created"] + seq
                    row = (run_id, seq, 1, at, "s", seq // 4, tag, version, *bodies.pack(store.blobs, text), None)
                    tx.execute("INSERT INTO events VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

        with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
            store.write(work)

    return write


def replied(micro=10_000, *tools, usage=None, provider="anthropic", ms=900):
    calls = tuple(e.CallProposed(f"c{at}", "w", tool, {}, "k") for at, tool in enumerate(tools))
    usage = usage or Usage(300, 100, 600, 0)
    return e.ModelReplied(provider, "i", "m", usage, micro, ms, "end_turn", "", calls, "answer", 20)


def finished(tool, error=None, ms=80, **more):
    return e.ToolFinished("c0", tool, "error" if error else "success", error, False, ms, {}, 5, **more)


def decided(by, seconds, decision="approve"):
    return e.ApprovalDecided("c0", decision, by, seconds, "", "d")


@pytest.fixture
def week(put, noon):
    """A week of runs of two tasks, users, tenants and providers."""
    runs = []
    for number in range(42):
        look = [finished("get_order_status", "transient", 5_012, final=False), e.Retried(1, 0.5, "c0")]
        events = [replied(9_000 + 200 * number, "get_order_status", "send_refund")]
        events += [*(look if number % 4 == 0 else []), finished("get_order_status", ms=60 + number)]
        events += [e.ApprovalRequested("c1", "send_refund", "high", "r", "d", {})]
        events += [decided("bob", 2.0) if number % 3 else decided("ada", 40.0 + number, "deny")]
        events += [
            finished("send_refund", None if number % 3 else "permanent", 300, ran=bool(number % 3), code="DENIED")
        ]
        events += [e.Waited("tokens", 3.0, provider="anthropic")] if number % 10 == 0 else []
        events += [replied(4_000, provider="openai" if number % 7 == 0 else "anthropic")]
        stopped = {"status": "stopped", "reason": "run_usd"} if number % 9 == 0 else {}
        created = NOON - 86_400.0 * (number % 6) - 3_600
        who = {"user_id": "ada" if number % 2 else "bob", "tenant_id": "acme" if number % 5 else ""}
        cost = {"cost_micro": 13_000 + 200 * number, "steps": 2, "updated": created + 60 + number}
        runs.append(({"created": created, "task": f"task-{number % 2}", **stopped, **who, **cost}, events))
    put(*runs)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_page(agentctl, week, monkeypatch, columns):
    """B49 B50"""
    monkeypatch.setenv("COLUMNS", str(columns))
    called = agentctl("stats")

    assert (0, "") == (called.code, called.err)
    assert max(map(len, called.out.splitlines())) <= columns
    assert called.out == (PAGES / f"{columns}.txt").read_text()


def test_the_page_of_a_task_says_what_a_run_of_it_takes(agentctl, week):
    called = agentctl("stats", "--task", "task-1", "--policy", "strict", "--no-plots")

    assert "21 runs begun in the last 7d · task task-1 · policy strict" in called.out
    assert "expect   cost p50 $0.0172, p95 $0.0208 · steps p50 2, p95 2" in called.out
    assert "n=21, 30 days" in called.out
    assert "DOLLARS A DAY" not in called.out


@pytest.mark.parametrize("by", ["run", "user", "tenant", "provider", "day", "task", "session"])
def test_the_dollars_of_every_table_are_those_of_all_runs(agentctl, week, by):
    """E22"""
    told = agentctl("stats", "--by", by, "--json").json

    assert not told["truncated"]
    assert round(sum(item["cost_usd"] for item in told["items"]), 6) == told["total"]["cost_usd"] == 0.7182
    assert all(by in item for item in told["items"])


def test_one_user_can_be_asked_for(agentctl, week):
    """E22"""
    every = agentctl("stats", "--by", "user", "--json").json["items"]
    ada = agentctl("stats", "--user", "ada", "--json").json

    assert {"ada": ada["cost_usd"]} == {item["user"]: item["cost_usd"] for item in every if item["user"] == "ada"}
    assert ["ada"] == [item["user"] for item in ada["by"]["user"]]
    assert 21 == ada["runs"]


def test_the_tools_as_one_table(agentctl, week):
    """B49"""
    items = {item["tool"]: item for item in agentctl("stats", "--by", "tool", "--json").json["items"]}
    look, send = items["get_order_status"], items["send_refund"]

    assert (42, 0, 0.0, 53, {"transient": 11}) == (
        look["calls"], look["failures"], look["failure_rate"], look["attempts"], look["errors"],
    )  # fmt: skip
    assert (28, 14, {"DENIED": 14}) == (send["calls"], send["not_run"], send["errors"])
    assert look["cost_usd"] == send["cost_usd"] == 0.2751
    assert 0.168 == items["(none)"]["cost_usd"]


def test_the_whole_as_one_object(agentctl, week):
    """C75"""
    told = agentctl("stats", "--json").json

    assert (42, 0.7182, "UTC", False) == (told["runs"], told["cost_usd"], told["timezone"], told["rehearsed"])
    assert {"status": "stopped", "reason": "run_usd", "runs": 5} in told["outcomes"]
    assert [("cost_usd", 0.017), ("steps", 2), ("minutes", 1.333333)] == [
        (each["name"], each["p50"]) for each in told["a_run"]
    ]
    assert ["model", "tools", "people", "providers"] == [each["part"] for each in told["time"]]
    assert 42 == told["approvals"]["asked"]
    assert [("bob", 28, 1.0, 2.0, True), ("ada", 14, 0.0, 58.0, False)] == [
        (each["who"], each["answers"], each["yes_rate"], each["median_s"], each["rubber_stamp"])
        for each in told["approvals"]["by"]
    ]
    assert {"answers": 42, "yes": 28, "yes_rate": 0.6667, "median_s": 2.0} == told["approvals"]["people"]
    assert {"tool retries": 11, "waits for a full minute": 5} == told["events"]


SESSIONS = (
    ("customer support", 8_400, 12_000, 1_008),
    ("code review", 24_000, 800, 192),
    ("document analysis", 45_000, 200, 90),
    ("sql", 6_200, 5_000, 310),
)
"""Name, tokens of a session, sessions a day, dollars a day; $0.01 for 1,000 tokens."""
SCALE = 200
"""One session stands for so many."""


def test_sessions_of_known_sizes_cost_what_they_should(agentctl, put, noon):
    """D97 to D101"""
    put(
        *(
            ({"run_id": f"r_{task[:3]}{number}", "task": task}, [replied(tokens * 10, usage=Usage(tokens - 900, 900))])
            for task, tokens, a_day, _ in SESSIONS
            for number in range(a_day // SCALE)
        )
    )
    items = {item["task"]: item for item in agentctl("stats", "--by", "task", "--json").json["items"]}
    (day,) = agentctl("stats", "--by", "day", "--json").json["items"]

    assert [0.084, 0.24, 0.45, 0.062] == [
        round(items[task]["cost_usd"] / items[task]["runs"], 6) for task, *_ in SESSIONS
    ]
    assert {task: usd for task, *_, usd in SESSIONS} == {
        task: round(item["cost_usd"] * SCALE, 6) for task, item in items.items()
    }
    assert 1_600 == round(day["cost_usd"] * SCALE, 6)
    assert {task: tokens for task, tokens, *_ in SESSIONS} == {
        task: (item["input_tokens"] + item["output_tokens"]) // item["runs"] for task, item in items.items()
    }


HOSTILE = ('=cmd|"/c calc"!A1', "+1", "-1", "@SUM(1)", "\tx", 'a,"b"\n\x1b[31m', "a;=1", "\uff1d1")


def test_no_cell_of_the_csv_is_a_formula(agentctl, put, noon, tmp_path):
    put(*(({"task": name}, [replied()]) for name in HOSTILE))
    assert 0 == agentctl("stats", "--by", "task", "--csv", tmp_path / "t.csv").code
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert 8 == len(rows)
    assert not [cell for row in rows for cell in row.values() if stats_csv.formula.search(cell)]
    assert {"a;'=1", "'\uff1d1"} < {row["task"] for row in rows}, "parted by semicolons, signs that are wide"
    assert {"'+1", "'-1", "'@SUM(1)", "\\tx", 'a,"b"\\n\\x1b[31m'} < {row["task"] for row in rows}
    assert {"0.01"} == {row["cost_usd"] for row in rows}


def test_csv_goes_to_stdout_as_well_one_run_a_row(agentctl, week):
    called = agentctl("stats", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(called.out)))

    assert 42 == len(rows)
    assert "0.7182" == f"{sum(float(row['cost_usd']) for row in rows):.4f}"
    assert "" == called.err


def test_names_are_escaped(agentctl, put, noon):
    put(*(({"task": name, "user_id": name, "tenant_id": name}, [replied(9, name), finished(name)]) for name in HOSTILE))
    said = [agentctl("stats").out, *(agentctl("stats", "--by", by).out for by in ("task", "user", "tool", "run"))]

    assert not [text for text in said if "\x1b" in text or "\t" in text]
    assert 'a,"b"\\n\\x1b[31m' in said[1]


def test_rehearsals_count_only_where_they_are_asked_for(agentctl, demo):
    assert 0 == agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001").code
    hidden = agentctl("stats")

    assert (0, "") == (hidden.code, hidden.out)
    assert hidden.err.startswith("no runs in the last 7d; rehearsals count with --rehearsed\n")
    told = agentctl("stats", "--rehearsed", "--json").json
    tools = {item["tool"]: item for item in told["tools"]}
    assert (1, 4, 0.009702) == (told["runs"], told["steps"], told["cost_usd"])
    assert (1, 2, {"transient": 1}) == tuple(tools["get_order_status"][key] for key in ("calls", "attempts", "errors"))
    assert {"DENIED": 1} == tools["send_refund"]["errors"]
    assert [("the script", 1, None, False)] == [
        (each["who"], each["answers"], each["median_s"], each["rubber_stamp"]) for each in told["approvals"]["by"]
    ]


def test_an_empty_store_says_so_and_what_to_do(agentctl):
    for more in ([], ["--user", "nobody"]):
        called = agentctl("stats", *more)
        assert (0, "") == (called.code, called.out)
        assert called.err.startswith(("no runs in the last 7d", "no such runs in the last 7d"))
        assert "hint: agentctl stats --since 30d looks further back" in called.err
    told = agentctl("stats", "--json").json
    assert (0, 0.0, None, []) == (told["runs"], told["cost_usd"], told["cache_hit_ratio"], told["tools"])
    assert {"items": [], "truncated": False} == {
        key: agentctl("stats", "--by", "user", "--json").json[key] for key in ("items", "truncated")
    }
    assert "run\n" == agentctl("stats", "--csv", "-").out


def test_a_span_beyond_all_calendars_is_all_that_there_is(agentctl, record):
    record("r_aaaa000001", answered())

    assert 1 == agentctl("stats", "--since", "99999999999w", "--json").json["runs"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--by", "colour"],
            "--by: expected one of run, user, tenant, provider, tool, day, task, session, got 'colour'",
        ),
        (["--since", "soon"], "--since: expected a span such as 30m, 12h, 3d or 2w, got 'soon'"),
        (["--csv", "-", "--json"], "--json and --csv exclude each other"),
        (["--csv", "/proc/none/x.csv"], "--csv /proc/none/x.csv: can't be written: No such file or directory"),
        (["--user", ""], "--user: expected a value, got an empty text"),
    ],
)
def test_what_cannot_be_told_is_one_line(agentctl, arguments, said):
    called = agentctl("stats", *arguments)

    assert 2 == called.code
    assert f"error: {said}" == called.err.splitlines()[0]


def test_of_few_runs_no_p95_is_said(agentctl, put, noon):
    put(*(({"run_id": f"r_{number}", "cost_micro": number}, []) for number in range(6)))

    assert [(0.000002, None, 0.000005)] == [
        (each["p50"], each["p95"], each["max"]) for each in agentctl("stats", "--json").json["a_run"][:1]
    ]
    assert "a run    cost p50 $0.0000, max $0.0000" in agentctl("stats").out


def test_long_tables_are_cut_and_say_so(agentctl, week):
    called = agentctl("stats", "--by", "run", "--limit", "3")

    assert 5 == len(called.out.splitlines())
    assert "and 39 more: --limit shows them" == called.out.splitlines()[-1]


@pytest.mark.parametrize("colour", [True, False])
def test_colours_only_where_somebody_looks(week, colour):
    above, below = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"} | ({} if colour else {"NO_COLOR": "1"})
    code = f"import time; time.time = lambda: {NOON}.0\nfrom agentctl.__main__ import run\nrun()"
    command = [sys.executable, "-c", code, "stats"]
    with subprocess.Popen(command, env=env, stdin=below, stdout=below, stderr=below):
        os.close(below)
        seen = shown_on(above).decode()
    os.close(above)

    assert ("\x1b[36m█" in seen, "\x1b[1m" in seen) == (colour, colour)
    assert colour or "\x1b" not in seen
    assert "DOLLARS A DAY, UTC" in seen


def test_a_plot_has_every_day_between_and_none_beyond_its_bound():
    days = [("2026-01-01", 1.0), ("2026-05-01", 2.0), ("2026-05-03", 3.0)]
    lines = plots.days(days[1:], 80)

    assert ["05-01", "05-02", "05-03"] == lines[-1].split()
    assert plots.HEIGHT == len(lines)
    assert "01-01" not in plots.days(days, 80)[-1]
    assert [] == plots.days(days, plots.NARROWEST - 1)
    assert [] == plots.days(days[:1], 80)


def test_where_nothing_can_be_drawn_the_figures_stand_all_the_same(agentctl, week, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotext", None)
    called = agentctl("stats")

    assert (0, 1) == (called.code, len(called.err.splitlines()))
    assert called.err.startswith("no plot: ")
    assert "PROVIDER" in called.out
    assert "DOLLARS A DAY" not in called.out


def test_a_long_reading_says_how_far_it_is(monkeypatch, capsys):
    from agentctl.cli import stats

    monkeypatch.setattr(stats.render, "colours", lambda stream: stream is sys.stderr)
    monkeypatch.setattr(stats, "LONG_S", 0.0)
    monkeypatch.setattr(stats, "EVERY_S", 0.0)
    far = stats._far()
    far(3, 12_345)

    assert f"{stats.ERASE}reading run 3 of 12,345" == capsys.readouterr().err


def test_the_object_is_json_without_rest(agentctl, week):
    assert json.loads(agentctl("stats", "--json").out.strip())["policy"] is None
