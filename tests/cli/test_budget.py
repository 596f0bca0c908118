"""`budget`: what is used and left, and forgiving it."""

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import time

import pytest

from agentctl.config import paths
from agentctl.core.guards.pace import Demand
from agentctl.journal import ledger, pace
from agentctl.journal.ledger import Scope
from agentctl.journal.store import open_store
from agentctl.runner import spending
from tests.cli.conftest import shown_on, started

NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200
DAY = NOON - 43_200
LIST = "agentctl budget"
BOTH = "user_daily_usd:ada, user_daily_usd:bob"


@pytest.fixture
def noon(monkeypatch):
    """The clock stands at noon."""
    now = [float(NOON)]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.fixture
def spend(isolated):
    """Spend and hold micro-dollars in one window of the default store."""

    def write(key, spent, held=0, start=0, limit=None):
        def work(tx):
            name, scope = f"{key}:{start}", [Scope(key, start, None, limit)]
            for hold, amount in ((f"{name}:spent", spent), (f"{name}:held", held)):
                ledger.reserve(tx, hold, "r_gone", amount, scope)
            ledger.settle(tx, f"{name}:spent", spent)
            tx.execute("UPDATE holds SET state = 'released' WHERE state = 'open'")  # nobody may reap it here

        with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
            store.write(work)

    return write


@pytest.fixture
def minute(isolated):
    def write(scope, amount, limit, now):
        def work(tx):
            (booking,) = pace.take(tx, [Demand(scope, amount, limit)], now)
            pace.correct(tx, [(booking, amount)])

        with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
            store.write(work)

    return write


def rows(called):
    return {f"{item['key']}:{item['scope']}": item for item in called.json["items"]}


def test_nothing_used_is_one_helpful_line(agentctl):
    called = agentctl("budget")

    assert (0, "") == (called.code, called.out)
    assert called.err.startswith("nothing is used now: ")
    assert 1 == len(called.err.splitlines())
    assert {"items": [], "truncated": False} == agentctl("budget", "--json").json


def test_every_current_window_beside_the_limit_of_the_policy(agentctl, spend, minute, record, noon):
    """C74 D45: by hour, by day and user, by day and tenant, by session, by run, by provider's minute."""
    spend("hourly_usd:store", 20_000_000, start=NOON)
    spend("user_daily_usd:ada", 4_100_000, 18_400, start=DAY)
    spend("tenant_daily_usd:acme", 10_000, start=DAY)
    spend("session_usd:s_1", 600_000)
    spend("run_usd:r_aaa111", 400_000)
    record("r_aaa111", started(), status="parked", reason="approval")
    record("r_bbb222", started())
    spend("run_usd:r_bbb222", 900_000)
    minute("tokens_per_minute:anthropic||3f2a91b0c4d5", 12_345, 40_000, NOON)
    minute("usd_per_minute:openai|http://127.0.0.1:1/v1|5d", 1_900_000, 2_000_000, NOON)

    printed = agentctl("budget", "--policy", "customer-facing").out.splitlines()
    assert [re.split(r"  +", line) for line in printed] == [
        ["KEY", "SCOPE", "USED", "HELD", "LIMIT", "WINDOW", "STATE"],
        ["hourly_usd", "store", "$20.00", "$0.00", "$100.00", "2026-09-21T12:00:00.000Z", "-"],
        ["tenant_daily_usd", "acme", "$0.01", "$0.00", "-", "2026-09-21T00:00:00.000Z", "-"],
        ["user_daily_usd", "ada", "$4.10", "$0.0184", "$5.00", "2026-09-21T00:00:00.000Z", "close: 82%"],
        ["tokens_per_minute", "anthropic:3f2a91b0c4d5", "12,345", "0", "40,000", "60 s", "-"],
        ["usd_per_minute", "openai@http://127.0.0.1:1/v1:5d", "$1.90", "$0.00", "$2.00", "60 s", "close: 95%"],
        ["run_usd", "r_aaa111", "$0.40", "$0.00", "$0.25", "run", "reached: 160%"],
        ["session_usd", "s_1", "$0.60", "$0.00", "$0.50", "session", "reached: 120%"],
    ]


def test_without_a_policy_a_limit_is_the_one_that_the_last_call_was_held_to(agentctl, spend, minute, record, noon):
    """C74: runs under several policies each see their own."""
    spend("user_daily_usd:ada", 70_000, start=DAY, limit=80_000)
    spend("run_usd:r_aaa111", 20_000, limit=30_000)
    spend("run_usd:r_bbb222", 20_000, limit=500_000)
    for run_id in ("r_aaa111", "r_bbb222"):
        record(run_id, started(), status="parked", reason="approval")
    minute("tokens_per_minute:anthropic||3f2a91b0c4d5", 900, 1_000, NOON)

    shown = rows(agentctl("budget", "--json"))
    assert [
        ("user_daily_usd:ada", 0.08, "close"),
        ("tokens_per_minute:anthropic:3f2a91b0c4d5", 1_000, "close"),
        ("run_usd:r_aaa111", 0.03, ""),
        ("run_usd:r_bbb222", 0.5, ""),
    ] == [(key, item["limit"], item["state"]) for key, item in shown.items()]


@pytest.mark.parametrize(
    ("key", "start", "passes"),
    [("hourly_usd:store", NOON, 3600), ("user_daily_usd:ada", DAY, 43_200), ("tenant_daily_usd:acme", DAY, 43_200)],
)
def test_a_window_that_is_over_is_shown_no_more(agentctl, spend, noon, key, start, passes):
    """D47, G18: a day's counter lives for its 86,400 s, an hour's for its 3,600, whoever looks when."""
    spend(key, 100, start=start)
    noon[0] = NOON + passes - 1
    assert [key] == list(rows(agentctl("budget", "--json")))
    noon[0] = NOON + passes

    assert {} == rows(agentctl("budget", "--json"))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_day_of_another_time_zone_is_shown_while_it_lasts(agentctl, spend, noon, tmp_path, zone):
    policy = tmp_path / "p.toml"
    policy.write_text(f'version = 1\n[budget]\ntimezone = "{zone}"\n')
    spend("user_daily_usd:ada", 100, start=DAY - 7200)  # Berlin's, in summer
    spend("user_daily_usd:ada", 200, start=DAY)

    assert 2 == len(agentctl("budget", "--json", "--policy", policy).json["items"])
    noon[0] = DAY + 86_400 - 7200  # Berlin's next day
    kept = [item["used"] for item in agentctl("budget", "--json", "--policy", policy).json["items"]]
    assert [0.0002] == kept


def test_json_has_the_contract_s_columns(agentctl, spend, noon):
    """D45"""
    spend("user_daily_usd:ada", 4_100_000, 18_400, start=DAY)

    assert agentctl("budget", "--json").json == {
        "items": [
            {
                "key": "user_daily_usd",
                "scope": "ada",
                "used": 4.1,
                "held": 0.0184,
                "limit": None,
                "window": "2026-09-21T00:00:00.000Z",
                "state": "",
                "rehearsed": False,
                "reset": None,
            }
        ],
        "truncated": False,
    }


def test_rehearsals_are_hidden_unless_asked_for(agentctl, spend, minute, noon):
    spend("hourly_usd:store", 5, start=NOON)
    spend("hourly_usd:rehearsal:store", 7, start=NOON)
    spend("session_usd:rehearsal:s_1", 7)
    minute("tokens_per_minute:rehearsal:r_1:anthropic||5d", 7, 40_000, NOON)

    assert ["hourly_usd:store"] == list(rows(agentctl("budget", "--json")))
    everything = rows(agentctl("budget", "--json", "--rehearsed"))
    assert {name: item["rehearsed"] for name, item in everything.items()} == {
        "hourly_usd:rehearsal:store": True,
        "hourly_usd:store": False,
        "tokens_per_minute:rehearsal:r_1:anthropic:5d": True,
        "session_usd:rehearsal:s_1": True,
    }


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (["--user", "ada"], ["user_daily_usd:ada", "run_usd:r_aaa111"]),
        (["--user", "ad"], []),
        (["--tenant", "acme"], ["tenant_daily_usd:acme"]),
        (
            ["--session", "s_1"],
            [
                "run_usd:r_aaa111",
                "run_usd:r_bbb222",
                "session_usd:acme/bob/s_1",
                "session_usd:ada/s_1",
                "session_usd:bob/s_1",
            ],
        ),
        (
            ["--user", "bob", "--session", "s_1"],
            ["run_usd:r_bbb222", "session_usd:acme/bob/s_1", "session_usd:bob/s_1"],
        ),
        (
            ["--user", "bob", "--tenant", "acme", "--session", "s_1"],
            ["tenant_daily_usd:acme", "session_usd:acme/bob/s_1"],
        ),
    ],
)
def test_it_can_be_narrowed(agentctl, spend, record, noon, flags, left):
    for key, start in (("hourly_usd:store", NOON), ("user_daily_usd:ada", DAY), ("tenant_daily_usd:acme", DAY)):
        spend(key, 5, start=start)
    for whose in ("acme/bob/s_1", "bob/s_1", "ada/s_1", "ada/s_10", "rehearsal:ada/s_1"):
        spend(f"session_usd:{whose}", 5)
    record("r_aaa111", started(), status="paused", reason="SIGINT")
    record("r_bbb222", started(), status="stopped", reason="run_usd", user="bob")

    assert left == list(rows(agentctl("budget", "--json", *flags)))


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (["--user", "ada"], ["acme/ada", "ada", "beta/ada"]),
        (["--user", "ada", "--tenant", "acme"], ["acme/ada"]),
        (["--user", "acme"], ["ada/acme"]),
        (["--user", "ada", "--rehearsed"], ["acme/ada", "ada", "beta/ada", "rehearsal:acme/ada"]),
    ],
)
def test_a_user_is_a_tenant_s(agentctl, spend, noon, flags, left):
    """A76"""
    for whose in ("ada", "acme/ada", "beta/ada", "acme/a", "ada/acme", "rehearsal:acme/ada"):
        spend(f"user_daily_usd:{whose}", 5, start=DAY)

    assert left == sorted(name.partition(":")[2] for name in rows(agentctl("budget", "--json", *flags)))


def test_the_fullest_come_first_and_the_rest_is_counted_as_such(agentctl, spend):
    """Of each key: many sessions hide no day."""
    for number in range(4):
        spend(f"session_usd:s_{number}", 1 + number)
    called = agentctl("budget", "--limit", "3")

    assert ["s_3", "s_2", "s_1"] == [line.split()[1] for line in called.out.splitlines()[1:]]
    assert called.err == "more than 3 of a kind: --limit shows more\n"
    assert agentctl("budget", "--limit", "3", "--json").json["truncated"] is True


def test_a_fuller_window_that_is_over_takes_nobody_s_place(agentctl, spend, noon):
    for key, before in (("hourly_usd:store", 3600), ("user_daily_usd:ada", 86_400)):
        start = NOON if before == 3600 else DAY
        spend(key, 5, start=start)
        for number in (1, 2):
            spend(key, 900, start=start - number * before)

    assert {5e-06} == {item["used"] for item in agentctl("budget", "--limit", "1", "--json").json["items"]}
    assert ["hourly_usd:store", "user_daily_usd:ada"] == list(rows(agentctl("budget", "--limit", "1", "--json")))


# --- reset ---


def test_a_reset_forgives_what_was_spent_and_says_who_did_it(agentctl, spend, noon, monkeypatch):
    """C74"""
    monkeypatch.setenv("LOGNAME", "ada")
    spend("user_daily_usd:ada", 4_100_000, 18_400, start=DAY)
    noon[0] += 7320

    called = agentctl("budget", "reset", "user_daily_usd:ada", "--yes")

    assert (0, "reset user_daily_usd:ada: $4.10 forgiven\n") == (called.code, called.out)
    (item,) = agentctl("budget", "--json").json["items"]
    assert (0.0, 0.0184) == (item["used"], item["held"])
    assert {"by": "ada", "at": "2026-09-21T14:02:00.000Z", "forgiven_usd": 4.1} == item["reset"]
    assert agentctl("budget").out.endswith("reset by ada at 14:02, $4.10 forgiven\n")
    again = agentctl("budget", "reset", "user_daily_usd:ada", "--yes")
    assert (0, "nothing to reset: nothing is spent of user_daily_usd:ada\n") == (again.code, again.err)


def test_a_key_alone_means_the_only_one_that_is_counted(agentctl, spend, noon):
    spend("hourly_usd:store", 5, start=NOON)
    spend("hourly_usd:rehearsal:store", 5, start=NOON)
    body = agentctl("budget", "reset", "hourly_usd", "--yes", "--json").json

    assert body == {"key": "hourly_usd", "scope": "store", "forgiven_usd": 0.000005}


@pytest.mark.parametrize(
    ("key", "code", "said", "hint"),
    [
        ("run_usd:r_1", 2, "run_usd can't be reset: a run keeps what it spent", "agentctl resume RUN --add-usd X"),
        ("tokens_per_minute", 2, "tokens_per_minute can't be reset: what was used leaves the minute by itself", ""),
        (
            "users:ada", 2,
            f"no budget 'users' can be reset; those that can: {', '.join(spending.SHARED)}", "",
        ),
        ("", 2, "KEY[:SCOPE]: expected a value, got an empty text", ""),
        ("user_daily_usd:zoe", 20, f"nothing is counted for user_daily_usd:zoe now; there is: {BOTH}", LIST),
        (
            "user_daily_usd", 20, f"several budgets of user_daily_usd are counted: {BOTH}",
            "agentctl budget reset KEY:SCOPE",
        ),
        ("session_usd:s_1", 20, "nothing is counted for session_usd:s_1 now; there is: none", LIST),
    ],
)  # fmt: skip
def test_what_can_not_be_reset_is_one_line(agentctl, spend, noon, key, code, said, hint):
    spend("user_daily_usd:ada", 5, start=DAY)
    spend("user_daily_usd:bob", 5, start=DAY)
    spend("user_daily_usd:zoe", 5, start=DAY - 86_400)  # yesterday's
    called = agentctl("budget", "reset", key, "--yes")

    assert (code, f"error: {said}\n" + (f"\nhint: {hint}\n" if hint else "")) == (called.code, called.err)
    failed = agentctl("budget", "reset", key, "--yes", "--json").json["error"]
    assert ({2: "usage", 20: "forbidden"}[code], said) == (failed["code"], failed["message"])


def test_nobody_is_asked_without_a_terminal(agentctl, spend, noon):
    spend("hourly_usd:store", 50_000, start=NOON)
    called = agentctl("budget", "reset", "hourly_usd")

    assert 2 == called.code
    assert called.err == (
        "error: nobody sits at a terminal here to be asked: forgive $0.05 of hourly_usd:store?\n\nhint: Add --yes.\n"
    )
    assert 0.05 == agentctl("budget", "--json").json["items"][0]["used"]


@pytest.mark.parametrize(("typed", "left"), [("\n", 0.0184), ("no\n", 0.0184), ("\x04", 0.0184), ("y\n", 0.0)])
def test_on_a_terminal_only_a_yes_is_one(spend, typed, left):
    spend("session_usd:s_1", 18_400)
    pid, ours = pty.fork()
    if not pid:  # pragma: no cover -- the child
        os.execv(sys.executable, [sys.executable, "-m", "agentctl", "budget", "reset", "session_usd:s_1"])
    seen = b""
    while b"[y/N] " not in seen:
        seen += os.read(ours, 65_536)
    os.write(ours, typed.encode())
    seen += shown_on(ours)
    _, status = os.waitpid(pid, 0)
    os.close(ours)

    assert b"forgive $0.0184 of session_usd:s_1? [y/N] " in seen
    assert 0 == status
    assert (b"$0.0184 forgiven" if left == 0.0 else b"nothing was changed") in seen
    shown = subprocess.run(
        [sys.executable, "-m", "agentctl", "budget", "--json"], check=True, capture_output=True, text=True
    )
    assert [left] == [item["used"] for item in json.loads(shown.stdout)["items"]]


def test_what_is_given_before_reset_would_be_lost_and_is_refused(agentctl, spend):
    spend("session_usd:s_1", 5)
    called = agentctl("budget", "--store", "sqlite:////tmp/other.db", "reset", "session_usd:s_1", "--yes")

    assert (2, "error: --store: expected after 'reset'\n") == (called.code, called.err)
    assert 0.000005 == agentctl("budget", "--json").json["items"][0]["used"]


@pytest.mark.parametrize("command", [["budget"], ["budget", "reset", "hourly_usd", "--yes"], ["circuits"]])
def test_a_store_that_is_none_is_3(agentctl, tmp_path, command):
    (tmp_path / "x.db").write_text("no database at all")

    for url in (f"sqlite:///{tmp_path}/x.db", f"sqlite:///{tmp_path}/gone.db"):
        called = agentctl(*command, "--store", url)
        assert 3 == called.code
        assert called.err.startswith(f"error: store {tmp_path}")


def test_a_policy_that_is_none_is_3(agentctl):
    assert [3, 3] == [agentctl(name, "--policy", "standrad").code for name in ("budget", "circuits")]


def test_a_row_that_is_damaged_is_one_line(agentctl, spend, isolated):
    spend("session_usd:s_1", 5)
    with sqlite3.connect(isolated / "data" / "agentctl.db") as store:
        store.execute("UPDATE budgets SET scope = CAST(x'73657373696f6e5f7573643a73ff' AS TEXT)")
    store.close()
    called = agentctl("budget")

    assert 3 == called.code
    assert 1 == len(called.err.splitlines()[:-2])
