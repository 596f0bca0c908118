"""`policy suggest`: limits and narrow rules that runs bear out, as a diff that a person may apply."""

import asyncio
import dataclasses
import json
import os
import subprocess
import time

import pytest

from agentctl.config import paths
from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.journal.events import Change
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store
from agentctl.runner import starting
from agentctl.runner.order import Order

IDENTITY = "anthropic||claude-sonnet-4-6"
MODEL = "claude-sonnet-4-6"
TASK = """
version = 1
name = "tags"
policy = "./mine.toml"
goal = "Tag it."

[[tools]]
name = "tag_order"
description = "Tag one order."
command = ["true"]
side_effects = "external"
untrusted = false
egress = false
parameters = { type = "object", properties = { order_id = { type = "string" }, tag = { type = "string" } } }

[[tools]]
name = "drop_order"
description = "Drop one order."
command = ["true"]
side_effects = "irreversible"
untrusted = false
egress = false
parameters = { type = "object", properties = { order_id = { type = "string" } } }

[[tools]]
name = "mystery"
description = "Nobody knows."
command = ["true"]
parameters = { type = "object", properties = { order_id = { type = "string" } } }

[[tools]]
use = "builtin:shell"
egress = false
"""
POLICY = """\
version = 1
extends = "standard"

[budget]
run_usd = 1.50      # for all
max_steps = 20
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task.toml").write_text(TASK)
    (tmp_path / "mine.toml").write_text(POLICY)
    return tmp_path


def run(number, tool="tag_order", args=None, decision="approve", by="ada", waited=9.0, *, asked=True, steps=2):
    """A run of so many steps, which asks for a tool in its first; a person is asked about it."""
    args = {"order_id": f"A-{1000 + number}", "tag": "late"} if args is None else args
    found = [e.RunStarted("tags", "mine", "d", "ada", "", "Tag it.", "", 10, 5, {})]
    for step in range(1, steps + 1):
        calls = ()
        if step < steps:
            calls = (e.CallProposed(f"c{step}.0", "w", tool, args, f"k{number}.{step}"),)
        usage = Usage(input=300, output=60)
        found.append(e.ModelAsked("anthropic", IDENTITY, MODEL, 1, "answer", 300, 8_192, 120_000))
        found.append(
            e.ModelReplied("anthropic", IDENTITY, MODEL, usage, 2_000, 400, "end_turn", "…", calls, "answer", 60)
        )
        for call in calls:
            if asked:
                found.append(e.ApprovalRequested(call.call_id, tool, "medium", "its contract", "d" * 64, args))
                found.append(e.ApprovalDecided(call.call_id, decision, by, waited, "", "d" * 64))
            if decision == "approve":
                found.append(e.ToolStarted(call.call_id, tool, args, "medium", 1, True, 5.0))
            done = e.ToolFinished(call.call_id, tool, "success", None, False, 400, {"data": number}, 20, key=call.key)
            found.append(done)
    return [*found, e.Completed("completed", "done", 0, 4_000, "Done.")]


@pytest.fixture
def put(folder):
    """Write runs of the task into the default store."""

    def write(*runs, status="completed", reason="done", first=0):
        spec = starting.spec_of(Order(folder / "task.toml", user="ada"))

        async def work():
            with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
                for number, events in enumerate(runs, first):
                    run_id, begun = f"r_{number:010x}", time.time() - 3_600 + 60 * number
                    await store.create_run(NewRun(run_id, "s_1", "ada", "tags", spec, begun, policy="mine"))
                    epoch = await store.take(run_id, "tests:1:1")
                    stamped = [e.Stamped(run_id, at, "s_1", 1, begun + at, each) for at, each in enumerate(events, 1)]
                    await store.append(epoch, stamped, Change(status, reason, 4_000, 2), durable=True)
                    await store.release(run_id, epoch)

        asyncio.run(work())

    return write


def applied(folder, diff):
    """The policy with the diff, as `patch` makes it."""
    (folder / "new.diff").write_bytes(diff.encode())
    done = subprocess.run(["patch", "-p0", "-i", "new.diff"], cwd=folder, capture_output=True, text=True)  # noqa: PLW1510
    assert 0 == done.returncode, done.stdout + done.stderr
    return folder / "mine.toml"


def test_limits_come_from_quantiles_with_their_n_and_the_diff_applies(agentctl, folder, put):
    """C75: the policy that comes of it is one, and the runs that it is from would do the same under it."""
    put(*(run(number) for number in range(25)))
    called = agentctl("policy", "suggest", "mine.toml")
    told = agentctl("policy", "suggest", "mine.toml", "--json").json
    limits = {each["key"]: each for each in told["items"]}

    assert (0, 25) == (called.code, told["n"]), called.err
    assert ("p95", 25, 20.0, 3.0) == tuple(
        limits["budget.max_steps"][name] for name in ("quantile", "n", "was", "value")
    )
    assert "+max_steps = 3" in called.out
    assert "# suggested: p95 of 25 runs that completed, as needed: 2, x1.5; most: 2; it was 20" in called.out
    assert "      # for all" in called.out
    assert all(each["value"] < each["was"] and not each["raises"] for each in told["items"])
    assert "backtest: of 25 runs" in called.err
    assert 0 == told["backtest"]["stop"]

    policy = applied(folder, called.out)
    assert (0, 0) == (agentctl("policy", "check", policy).code, agentctl("policy", "test", policy).code)
    shown = {each["key"]: each["value"] for each in agentctl("policy", "show", policy, "--json").json["items"]}
    assert {each["key"]: each["value"] for each in told["items"]} == {key: float(shown[key]) for key in limits}
    again = agentctl("policy", "suggest", policy, "--json").json
    assert [] == again["items"]


def test_it_says_the_same_each_time(agentctl, put):
    put(*(run(number) for number in range(22)))

    assert agentctl("policy", "suggest", "mine.toml").out == agentctl("policy", "suggest", "mine.toml").out


def test_too_few_runs_are_told_and_nothing_is_suggested(agentctl, put):
    """C75"""
    put(*(run(number) for number in range(7)))
    called = agentctl("policy", "suggest", "mine.toml")

    assert (0, "") == (called.code, called.out)
    assert "as it is: budget.max_steps: too few runs that completed: 7 of 20" in called.err
    assert "as it is: tag_order: too few approvals by people: 7 of 10" in called.err
    assert "nothing is suggested" in called.err


def test_a_limit_that_runs_end_at_is_neither_lowered_nor_raised(agentctl, put):
    """C75: nobody knows what they would have needed."""
    put(*(run(number) for number in range(21)))
    put(*(run(number) for number in range(3)), status="stopped", reason="max_steps", first=50)
    told = agentctl("policy", "suggest", "mine.toml", "--json").json

    assert "budget.max_steps" not in {each["key"] for each in told["items"]}
    assert {"key": "budget.max_steps", "why": "3 of 24 runs ended at it: it is not lowered"} in told["kept"]


def test_what_runs_were_let_use_beyond_a_limit_may_raise_it_and_says_so(agentctl, folder, put):
    """C75"""
    (folder / "mine.toml").write_text(POLICY.replace("max_steps = 20", "max_steps = 4"))
    put(*(run(number, steps=6) for number in range(20)))
    called = agentctl("policy", "suggest", "mine.toml")

    assert "+max_steps = 6" in called.out
    assert "RAISES it from 4" in called.out


def test_repeated_approvals_become_a_narrow_rule_with_its_backtest(agentctl, folder, put):
    """C75: a pattern for each argument, anchored; with examples; what it would have saved is told."""
    put(*(run(number) for number in range(12)))
    called = agentctl("policy", "suggest", "mine.toml")
    told = agentctl("policy", "suggest", "mine.toml", "--json").json
    (rule,) = told["rules"]

    assert {"order_id": "^A-[0-9]{4}$", "tag": "^late$"} == rule["args"]
    assert ("tag_order", "low", 12, 12, 12) == tuple(
        rule[key] for key in ("tool", "tier", "approvals", "saved", "asks")
    )
    assert 0 == rule["rubber_stamps"]
    assert "12 approvals by people in 12 runs, none denied; would have saved 12 of 12 asks" in called.out
    assert 12 == told["backtest"]["allow"]

    policy = applied(folder, called.out)
    assert (0, 0) == (agentctl("policy", "check", policy).code, agentctl("policy", "test", policy).code)
    for args, decision in (
        ({"order_id": "A-1234", "tag": "late"}, "allow"),
        ({"order_id": "A-1234", "tag": "late; drop"}, "ask"),
        ({"order_id": "A-12345", "tag": "late"}, "ask"),
        ({"order_id": "A-1234\nB", "tag": "late"}, "ask"),
    ):
        explained = agentctl(
            "policy", "explain", policy, "tag_order", json.dumps(args), "--task", "task.toml", "--json"
        )
        assert decision == explained.json["decision"], args


def test_rubber_stamps_are_flagged(agentctl, put):
    """C75"""
    put(*(run(number, waited=0.7) for number in range(11)))
    called = agentctl("policy", "suggest", "mine.toml")

    assert "; 11 of them in under 2 s: LOOK, nobody may have read them" in called.out


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("additionalProperties = true", "its schema allows others"),
        ('additionalProperties = { type = "string" }', "its schema allows others"),
        ('patternProperties = { "^x" = { type = "string" } }', "its schema has patternProperties"),
        ('anyOf = [{ properties = { force = { type = "boolean" } } }, {}]', "its schema has anyOf"),
    ],
)
def test_a_tool_that_takes_more_than_its_properties_gets_no_rule(agentctl, folder, put, schema, why):
    """C75: what no pattern pins would run with it."""
    last = 'tag = { type = "string" } }'
    (folder / "task.toml").write_text(TASK.replace(last, f"{last}, {schema}", 1))
    put(*(run(number) for number in range(12)))
    told = agentctl("policy", "suggest", "mine.toml", "--json").json

    assert [] == told["rules"]
    assert f"a rule could not pin all of its arguments: {why}" in {each["why"] for each in told["kept"]}


def test_arguments_that_nobody_checks_get_no_rule(agentctl, folder, put):
    """C75: a schema that is not looked at closes nothing."""
    (folder / "mine.toml").write_text(f"{POLICY}[args]\nenabled = false\n")
    schema = (
        (folder / "task.toml")
        .read_text()
        .replace('tag = { type = "string" } }', 'tag = { type = "string" } }, additionalProperties = false', 1)
    )
    (folder / "task.toml").write_text(schema)
    put(*(run(number) for number in range(12)))
    told = agentctl("policy", "suggest", "mine.toml", "--json").json

    assert [] == told["rules"]
    assert "its arguments are not checked: args is switched off" in {each["why"] for each in told["kept"]}


def edited(number):
    """A person has changed what the agent wanted, and agreed to that."""
    first, *rest = run(number)
    at = next(at for at, each in enumerate(rest) if isinstance(each, e.ApprovalDecided))
    asked, said = rest[at - 1 : at + 1]
    other = {**asked.args, "order_id": "A-7777"}
    changed = [e.CallEdited(asked.call_id, asked.tool, other, "ada", "k", "x"), dataclasses.replace(asked, args=other)]
    return [first, *rest[:at], *changed, said, *rest[at + 1 :]]


def test_what_a_person_has_changed_was_not_agreed_to(agentctl, put):
    """C75"""
    put(*(edited(number) if number == 3 else run(number) for number in range(12)))
    told = agentctl("policy", "suggest", "mine.toml", "--json").json

    assert [] == told["rules"]
    assert "1 of 13 asks were denied or changed" in {each["why"] for each in told["kept"]}


def test_a_no_counts_also_where_the_tool_has_changed_since(agentctl, put):
    """C75: one denial, by anybody, and there is no rule."""
    first, *rest = run(3, decision="deny")
    old = dataclasses.replace(first, tools={"tag_order": "of-before"})
    put(*(run(number) for number in range(12)), [old, *rest])
    told = agentctl("policy", "suggest", "mine.toml", "--json").json

    assert [] == told["rules"]
    assert "1 of 13 asks were denied or changed" in {each["why"] for each in told["kept"]}


@pytest.mark.parametrize(
    "text",
    [
        POLICY.replace("max_steps = 20", "\tmax_steps = 20\t# ours"),
        POLICY.replace("\n", "\r\n"),
        POLICY.replace("\n", "\r\n").replace("max_steps = 20\r\n", ""),
        POLICY.replace("for all", "for\u2028all\x85\u202e \u200b"),
        'version = 1\r\nextends = "standard"',
    ],
)
def test_the_printed_diff_applies_to_the_file_as_it_is_written(agentctl, folder, put, text):
    """C75: tabs, ends of lines and odd characters of the file are still those of the file."""
    (folder / "mine.toml").write_bytes(text.encode())
    put(*(run(number) for number in range(22)))
    policy = applied(folder, agentctl("policy", "suggest", "mine.toml").out)

    assert 0 == agentctl("policy", "check", policy).code
    written = policy.read_bytes().decode()
    kept = [line for line in text.split("\n") if "max_steps" not in line and "run_usd" not in line]
    assert all(line in written for line in kept)
    assert written.count("\r\n") in {0, written.count("\n"), written.count("\n") - 1}


@pytest.mark.parametrize("values", [("prod", "prod-x"), ("", "-x"), ("a.b", "$(x)|")])
def test_an_example_that_must_not_match_does_not(agentctl, folder, put, values):
    """C75: the policy that comes of it loads, whatever was approved."""
    put(*(run(number, args={"order_id": values[number % 2], "tag": "t"}) for number in range(12)))
    policy = applied(folder, agentctl("policy", "suggest", "mine.toml").out)

    assert 0 == agentctl("policy", "check", policy).code
    assert "[[risk.rules]]" in policy.read_text()


@pytest.mark.parametrize(("name", "rules"), [("é b", 1), ('a"b', 1), ("a\"'b", 0), ("", 0)])
def test_an_argument_of_any_name_is_no_trouble(agentctl, folder, put, name, rules):
    """C75"""
    task = (folder / "task.toml").read_text().replace("order_id =", f"{json.dumps(name)} =", 1)
    (folder / "task.toml").write_text(task)
    put(*(run(number, args={name: "x", "tag": "t"}) for number in range(12)))
    told = agentctl("policy", "suggest", "mine.toml", "--json")

    assert (0, rules) == (told.code, len(told.json["rules"])), told.err
    if rules:
        assert 0 == agentctl("policy", "check", applied(folder, told.json["diff"])).code


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda n: run(n, decision="deny" if n == 5 else "approve"), "1 of 12 asks were denied or changed"),
        (lambda n: run(n, "drop_order", {"order_id": f"A-{n}"}), "its contract says that it is irreversible"),
        (lambda n: run(n, "mystery", {"order_id": f"A-{n}"}), "nobody classified it: say its side_effects in the task"),
        (lambda n: run(n, by="the script"), "too few approvals by people: 0 of 10"),
        (lambda n: run(n, by="reviewer gate"), "too few approvals by people: 0 of 10"),
        (lambda n: run(n, args={"order_id": f"A-{n}"}), "a rule would leave tag open: it was never given"),
        (lambda n: run(n, args={"order_id": "word " * n, "tag": "x"}), "order_id varies too much for a pattern"),
        (lambda n: run(n, args={"order_id": "[REDACTED]", "tag": "x"}), "its arguments are masked"),
    ],
)
def test_what_should_not_run_by_itself_gets_no_rule(agentctl, put, made, why):
    """C75: nor does what a pattern would not hold."""
    put(*(made(number) for number in range(12)))
    told = agentctl("policy", "suggest", "mine.toml", "--json").json

    assert [] == told["rules"]
    assert why in {each["why"] for each in told["kept"]}


def test_calls_with_untrusted_text_private_data_and_a_way_out_get_no_rule(agentctl, folder, put):
    """C75, D22"""
    task = (folder / "task.toml").read_text()
    (folder / "task.toml").write_text(task.replace("egress = false", "egress = true\nprivate = true", 1))

    def tainted(number):
        first, *rest = run(number)
        return [dataclasses.replace(first, untrusted=("var.mail",)), *rest]

    put(*(tainted(number) for number in range(12)))
    told = agentctl("policy", "suggest", "mine.toml", "--json").json

    assert [] == told["rules"]
    assert "it is asked each time, and never remembered" in {each["why"] for each in told["kept"]}


@pytest.mark.parametrize(
    ("command", "args"),
    [
        (lambda n: f"make report-{n + 10}", {"command": "^make report-[0-9]{2}$"}),
        (lambda n: ("pytest -q", "pytest -x")[n % 2], None),
        (lambda n: f"git commit -m fix-{n}", {"command": "^git commit -m fix-[0-9]{1,2}$"}),
        (lambda n: f"rm build-{n}", None),
        (lambda _: "time rm -rf build", None),
        (lambda _: "git rm -r build", None),
        (lambda _: "source env", None),
        (lambda n: f"make report-{n} && rm -rf build", None),
        (lambda n: f"make ../report-{n}", None),
        (lambda n: f"python -c print-{n}", None),
    ],
)
def test_a_rule_of_a_shell_is_word_by_word(agentctl, put, command, args):
    """C75: a compound never runs by itself, and a word that reaches further than it says gets no rule."""
    put(*(run(number, "shell", {"command": command(number)}) for number in range(12)))
    told = agentctl("policy", "suggest", "mine.toml", "--json").json

    assert ([] if args is None else [args]) == [each["args"] for each in told["rules"]]
    if args is not None:
        assert {"command": f"{command(0)}; rm -rf /"} in told["rules"][0]["not_match"]


def test_runs_under_another_policy_say_nothing_of_this_one(agentctl, folder, put):
    put(*(run(number) for number in range(21)))
    called = agentctl("policy", "suggest", "strict")

    assert (0, "") == (called.code, called.out)
    assert "runs under other policies say nothing of this one: mine (21)" in called.err


def test_runs_under_a_policy_of_the_same_name_in_another_file_say_nothing_of_this_one(agentctl, folder, put):
    """C75: what was agreed to in one project is not agreed to in the next."""
    put(*(run(number) for number in range(21)))
    other = folder / "next" / "mine.toml"
    other.parent.mkdir()
    other.write_text(POLICY)
    called = agentctl("policy", "suggest", other)

    assert (0, "") == (called.code, called.out)
    assert f"runs under other policies say nothing of this one: {folder / 'mine.toml'} (21)" in called.err


def test_the_tasks_own_policy_is_found(agentctl, put):
    put(*(run(number) for number in range(21)))

    assert agentctl("policy", "suggest", "--task", "task.toml").out.startswith("--- mine.toml\n+++ mine.toml\n")


def test_a_shipped_policy_is_extended_by_a_file_of_ones_own(agentctl, folder, put):
    """C75"""
    runs = [run(number) for number in range(21)]
    put(*([dataclasses.replace(first, policy="standard"), *rest] for first, *rest in runs))
    called = agentctl("policy", "suggest")
    applied(folder, called.out)

    assert called.out.startswith("--- /dev/null\n+++ suggested.toml\n")
    assert 'extends = "standard"\n' in (folder / "suggested.toml").read_text()
    assert 0 == agentctl("policy", "check", "suggested.toml").code


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nothing-like-it",), 3, "no policy is called"),
        (("standard", "--since", "soon"), 2, "--since: expected a span such as"),
        (("standard", "--store", "sqlite:///nowhere/a.db"), 3, "nowhere/a.db"),
    ],
)
def test_what_was_asked_wrongly_is_one_line(agentctl, folder, arguments, code, said):
    called = agentctl("policy", "suggest", *arguments)

    assert (code, True) == (called.code, said in called.err), called.err
    assert os.linesep not in called.err.strip().partition("\n\n")[0]
