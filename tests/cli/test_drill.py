"""`drill`: the table in 80 columns, the fix and its command, JSON, JUnit, the codes, and where the stores go."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

import pytest

from agentctl.cli import drill_folder, drill_junit, drill_report, drilled
from agentctl.cli.drill_report import Report
from agentctl.config import load
from agentctl.rehearsal.drills.registry import DRILLS, Drill
from agentctl.runner.drills.drilling import Outcome
from agentctl.telemetry.page.words import span

OWN = """
[drill]
name = "{name}"
injected = "nothing at all"
{more}

[[reply]]
text = "Done."

[expect]
{expect}
"""


@pytest.fixture
def mine(demo):
    """A drill of one's own that is quick, and holds or does not."""

    def write(name="mine", expect="exit_code = 0", more=""):
        path = demo / f"{name}.toml"
        path.write_text(OWN.format(name=name, expect=expect, more=more))
        return "--drills", path, "--only", name

    return write


def test_each_drill_is_told_and_what_holds_is_0(agentctl, demo, mine):
    called = agentctl("drill", demo / "task.toml", *mine(), "--only", "slow-tool")

    assert called.code == 0
    assert "✓ slow-tool" in called.out
    assert "  a tool that never answers in time, a model that calls it again each time" in called.out
    assert "  → completed: done; 1 steps, 0 tool calls, 1 requests, $0.0" in called.out
    assert called.out.splitlines()[-1] == f"drill: 2 of 2 held under policy {demo / 'policy.toml'} (seed 0)"
    assert called.err.splitlines()[:2] == [
        line for line in called.err.splitlines() if line.startswith(("1/2 slow-tool: held (", "2/2 mine: held ("))
    ]
    assert "\x1b" not in called.out + called.err


def test_what_does_not_hold_is_17_with_its_key_and_the_run_that_shows_it(agentctl, demo, mine):
    given = mine(expect="max_steps = 0", more='remedies = { "budget.max_steps" = 1 }')
    called = agentctl("drill", demo / "task.toml", *given, "--policy", "standard")
    (command,) = [line.removeprefix("  run: ") for line in called.out.splitlines() if line.startswith("  run: ")]

    assert called.code == 17
    assert "✗ mine  FAILED" in called.out
    assert "  fix: no key of the policy was seen to hold" in called.out
    assert agentctl(*command.split()[1:]).code == 0


def test_json_says_the_same(agentctl, demo, mine):
    called = agentctl("drill", demo / "task.toml", *mine(expect="max_steps = 0"), "--only", "slow-tool", "--json")
    (slow, own), said = called.json["items"], called.json

    assert called.code == 17
    assert {"name", "passed", "injected", "observed", "cost_usd", "duration_s", "fix"} <= slow.keys()
    assert [("slow-tool", True), ("mine", False)] == [(each["name"], each["passed"]) for each in (slow, own)]
    assert (False, "order-triage", "policy", 0) == tuple(said[key] for key in ("truncated", "task", "policy", "seed"))
    assert (1, 1, 0) == (said["held"], said["failed"], said["skipped"])
    assert said["waited_s"] > 10
    assert own["fix"] is None
    assert "comparison" not in said


@dataclass
class Row:
    metric: str
    naive: str
    resilient: str
    delta: str
    note: str = ""

    @property
    def cells(self):
        return self.metric, self.naive, self.resilient, self.delta


class Compared:
    rows = (
        Row("Error recovery rate", "16%", "100%", "+84%", "100 runs"),
        Row("Outage tolerance", "0% failed, 7.0x latency", "0% failed, 1.0x latency", "+0% failed, -6.0x latency"),
    )

    def as_json(self):
        return {"items": [{"metric": row.metric} for row in self.rows]}


def test_naive_stands_beside_it(agentctl, demo, monkeypatch, tmp_path):
    """What holds under the policy is still 0. The figures, which take a minute, are made up here. C88"""
    monkeypatch.setattr("agentctl.cli.comparing.compared", lambda *_: Compared())
    monkeypatch.setenv("COLUMNS", "80")
    called = agentctl("drill", demo / "task.toml", "--only", "bad-args", "--naive", "--html", tmp_path / "p.html")

    assert called.code == 0
    assert ["METRIC", "NAIVE", "RESILIENT", "DELTA"] in [line.split() for line in called.out.splitlines()]
    assert [*Row("Error recovery rate", "16%", "100%", "+84%").cells] in [
        re.split(r" {2,}", line) for line in called.out.splitlines()
    ]
    assert "+0% failed, -6.0x\n" in called.out
    assert max(len(line) for line in called.out.splitlines() if not line.startswith("drill: ")) <= 80
    assert "Error recovery rate" in (tmp_path / "p.html").read_text()
    assert "WITHOUT" in called.out
    assert [["✓", "bad-args", "held", "FAILED"]] == [
        line.split()[:4] for line in called.out.splitlines() if line.startswith("✓")
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--only", "outrage"), 2, "no drill 'outrage': did you mean \"outage\"?"),
        (("--only", "mine.toml"), 2, "--drills mine.toml"),
        (("--drills", "nowhere.toml"), 3, "nowhere.toml: no such file"),
        (("--policy", "standrad"), 3, 'did you mean "standard"?'),
        (("--html", "no/where/x.html"), 2, "there is no folder"),
        (("--junit", "."), 2, "--junit .: it is a folder"),
        (("--html", "-"), 2, "the table is on stdout"),
        (("--var", "order"), 2, "expected NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_played(agentctl, demo, isolated, arguments, code, said):
    called = agentctl("drill", demo / "task.toml", *arguments)

    assert (called.code, said in called.err, called.out) == (code, True, "")
    assert not list((isolated / "data").glob("drills/*"))


def test_a_task_is_needed_but_for_the_list(agentctl):
    assert agentctl("drill").code == 2

    listed = agentctl("drill", "--list", "--json").json["items"]

    assert [each.name for each in DRILLS] == [each["name"] for each in listed]
    assert all(each["injected"] and each["file"] is None for each in listed)
    assert listed[0]["injected"] in agentctl("drill", "--list").out


def test_the_stores_are_their_owners_alone_and_the_last_five_are_kept(agentctl, demo, mine, isolated):
    parent = isolated / "data" / "drills"
    others = [parent / f"20200101T00000{n}Z-00000{n}" for n in range(6)]
    for each in (*others, parent / "notes"):
        each.mkdir(parents=True)
    called = agentctl("drill", demo / "task.toml", *mine())
    kept = sorted(path.name for path in parent.iterdir())

    assert [path.name for path in others[2:]] == kept[:4]
    assert (6, "notes") == (len(kept), kept[-1])
    assert 0o700 == stat.S_IMODE((parent / kept[4]).stat().st_mode)
    assert f"{parent / kept[4]} (the last {drill_folder.KEPT} are kept)" in called.err


def test_a_drill_of_ones_own_that_does_not_fit_the_task_leaves_nothing(agentctl, demo, mine, isolated):
    called = agentctl("drill", demo / "task.toml", *mine(expect='never_ran = ["send_refnd"]'))

    assert called.code == 3
    assert 'did you mean "send_refund"?' in called.err
    assert not list((isolated / "data" / "drills").iterdir())


@pytest.fixture
def report(demo):
    """One that held, one that did not, one that does not apply, all of them hostile."""
    under = load.load_policy(demo / "policy.toml")
    odd = "a\x00b\x1b[2J\ufffe <&\"'> ]]> \u202e end of it"
    drills = [Drill(name, odd, lambda _: None, lambda *_: None) for name in ("held", "failed", "skipped")]
    outcomes = (
        Outcome(drills[0], passed=True, observed=odd, cost_usd=0.0123, duration_s=1.5, waited_s=2_850),
        Outcome(drills[1], passed=False, observed=odd * 4, fix="circuit.enabled = true", duration_s=0.5),
        Outcome(drills[2], passed=None, observed=f"no tool {odd}"),
    )
    return Report("order-triage", demo / "task.toml", under, 7, outcomes, (), None, demo)


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_it_reads_well_in_80_columns_and_nothing_of_it_reaches_the_terminal(report, columns):
    lines = [text for text, _ in drilled.lines(report, columns)]
    fixed = [line for line in lines if not line.startswith(("drill: ", "  fix: ", "       "))]

    assert max(map(len, fixed)) <= columns
    assert not any(character in "".join(lines) for character in "\x00\x1b\u202e")
    assert lines[-1] == f"drill: 1 of 2 held under policy {report.policy} (seed 7), 1 does not apply"
    assert any("circuit.enabled = true in" in line for line in lines)
    assert [line[0] for line in lines[1:] if line[:1] in {"✓", "✗", "–"}] == ["✓", "✗", "–"]  # noqa: RUF001 -- a sign


def test_the_fix_of_a_shipped_policy_goes_into_one_of_yours(report):
    shipped = replace(report, under=load.load_policy("strict"))

    assert 'circuit.enabled = true in a policy of yours with extends = "strict"' == drill_report.fix(
        report.outcomes[1], shipped
    )
    assert "[[providers]]: a second one" == drill_report.fix(
        replace(report.outcomes[1], fix="[[providers]]: a second one"), shipped
    )


def test_junit_is_as_ci_reads_it_whatever_the_words(report):
    """The common schema: counts, times, one failure or skip in a case, and the order of what it holds."""
    root = ET.fromstring(drill_junit.made(report))
    (suite,) = root
    cases = suite.findall("testcase")

    assert ("testsuites", "testsuite") == (root.tag, suite.tag)
    for each in (root, suite):
        assert ("3", "1", "0", "1", "2.000") == tuple(
            each.get(name) for name in ("tests", "failures", "errors", "skipped", "time")
        )
    assert time.strptime(suite.get("timestamp"), "%Y-%m-%dT%H:%M:%S")
    assert [("properties"), *["testcase"] * 3] == [each.tag for each in suite]
    assert {"task": "order-triage", "policy": report.policy, "seed": "7"} == {
        each.get("name"): each.get("value") for each in suite.find("properties")
    }
    assert [["system-out"], ["failure", "system-out"], ["skipped", "system-out"]] == [
        [each.tag for each in case] for case in cases
    ]
    assert [("held", "1.500"), ("failed", "0.500"), ("skipped", "0.000")] == [
        (case.get("name"), case.get("time")) for case in cases
    ]
    assert {"drill.order-triage"} == {case.get("classname") for case in cases}
    message = cases[1].find("failure").get("message")
    assert "ab[2J <&\"'> ]]> \u202e end of it" in message
    assert message.endswith(f"; fix: circuit.enabled = true in {report.policy}")
    assert cases[2].find("skipped").get("message").startswith("no tool ab")


def test_files_are_written_where_they_are_wanted(agentctl, demo, mine, tmp_path):
    page, xml = tmp_path / "p.html", tmp_path / "x.xml"
    called = agentctl("drill", demo / "task.toml", *mine(), "--html", page, "--junit", xml, "--json")
    (drill,) = called.json["items"]

    assert called.code == 0
    assert f"{span(drill['waited_s'])} played" in page.read_text(), "the page and the table say the same"
    assert "1 of 1 held" in page.read_text()
    assert "mine" == ET.fromstring(xml.read_text()).find(".//testcase").get("name")


def test_ctrl_c_is_130_and_says_how_far_it_came(demo, mine):
    """Nothing of it stays behind."""
    given = [str(each) for each in mine(more="clients = 200\nevery_s = 1")]
    command = [sys.executable, "-m", "agentctl", "drill", str(demo / "task.toml"), *given, "--only", "slow-tool"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert "1/2 slow-tool: held" in program.stderr.readline()
        program.send_signal(signal.SIGINT)
        out, err = program.communicate()

    assert (130, "") == (program.returncode, out)
    assert err.startswith("interrupted: 1 of 2 were played; their runs are in ")
    assert "Traceback" not in err


def test_names_complete(demo):
    """F08"""
    words = {"COMP_WORDS": f"agentctl drill {demo}/task.toml --only sl", "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "agentctl"],
        env={**os.environ, "_AGENTCTL_COMPLETE": "complete_bash", **words},
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines()}

    assert "slow-tool" == done.stdout.strip()
    assert set() == {"pydantic", "rich", "asyncio", "agentctl.rehearsal.drills.registry"} & loaded


def test_the_schema_of_drills_is_one(agentctl):
    """Editors complete and check them."""
    import jsonschema

    made = agentctl("rehearse", "schema", "--drill", "--json").json

    jsonschema.Draft202012Validator.check_schema(made)
    assert {"drill", "expect"} == set(made["required"])
