"""`agentctl audit`: what is missing, what holds, what happens when something fails, the verdict; in this order."""

import re
from pathlib import Path

import pytest

from agentctl.core.audit.checklist import ITEMS
from tests.runner.audited import Ready, evidence

ROOT = Path(__file__).parent.parent.parent


def test_the_task_of_init_lacks_a_receiver_and_a_rehearsal_and_nothing_else(agentctl, demo):
    """E37 D96 D111"""
    called = agentctl("audit", demo / "task.toml")
    lines = called.out.splitlines()

    assert 17 == called.code
    assert "order-triage under policy policy" == lines[0]
    assert ["no   B58", "no   D96"] == [line[:8] for line in lines if line.startswith("no ")]
    assert "           → in the policy: [alerts] urls = " in called.out
    assert "audit: 27 of 29 hold; missing: B58, D96" == lines[-1]
    assert "\x1b" not in called.out
    assert "" == called.err


def test_what_is_missing_comes_first_and_the_ways_down_after_what_holds(agentctl, demo):
    lines = agentctl("audit", demo / "task.toml").out.splitlines()
    words = [line.split(" ")[0] for line in lines[1:]]
    order = [word for at, word in enumerate(words) if word and word != words[at - 1]]

    assert ["no", "no", "yes", "WITHOUT"] == [word for word in order if word in {"no", "warn", "yes", "WITHOUT"}]
    assert lines.index("") > max(at for at, line in enumerate(lines) if line.startswith("yes"))


def test_the_printed_rehearsal_is_evidence(agentctl, tmp_path):
    """D96: the fix that is printed is typed as it is printed."""
    task = Ready(tmp_path).write()
    first = agentctl("audit", task, "--json").json
    (fix,) = [each["fix"] for each in first["items"] if not each["ok"]]

    assert 0 == agentctl(*fix.split()[1:]).code
    assert 0 == agentctl("audit", task).code


def test_the_variables_that_a_rehearsal_needs_are_in_its_line(agentctl, demo):
    found = agentctl("audit", demo / "task.toml", "--only", "D96", "--json").json

    assert [f"agentctl run {demo}/task.toml --rehearse --var order=…"] == [each["fix"] for each in found["items"]]


def test_json_has_the_contracts_columns_and_the_ways_down(agentctl, demo):
    """E32"""
    called = agentctl("audit", demo / "task.toml", "--json")
    found = called.json

    assert 17 == called.code
    assert {"task", "policy", "ok", "items", "degradation", "warnings", "truncated"} == set(found)
    assert [item.id for item in ITEMS] == [each["id"] for each in found["items"]]
    assert all({"id", "item", "ok", "why", "fix"} == set(each) for each in found["items"])
    assert all({"dependency", "kind", "path", "ok", "fix"} == set(each) for each in found["degradation"])
    assert {each["id"] for each in found["items"] if each["fix"]} == {"B58", "D96"}


def test_nothing_missing_is_zero(agentctl, tmp_path):
    evidence()
    called = agentctl("audit", Ready(tmp_path).write())

    assert 0 == called.code, called.out
    assert called.out.endswith("audit: 29 of 29 hold\n")


def test_only_the_items_that_were_named(agentctl, demo):
    called = agentctl("audit", demo / "task.toml", "--only", "E32", "--only", "e29", "--json")

    assert 0 == called.code
    assert ["E29", "E32"] == [each["id"] for each in called.json["items"]]


@pytest.mark.parametrize("name", ["X1", "", "E3"])
def test_an_item_that_is_none_is_wrong_usage(agentctl, demo, name):
    called = agentctl("audit", demo / "task.toml", "--only", name)

    assert 2 == called.code
    assert "--only: expected an item of the checklist" in called.err
    assert "E32" in called.err


def test_a_bad_file_is_3_and_says_where(agentctl, demo):
    (demo / "policy.toml").write_text("version = 1\n[budget]\nrun_usd = -1\n")
    called = agentctl("audit", demo / "task.toml", "--json")

    assert 3 == called.code
    assert ["budget.run_usd"] == [each["key"] for each in called.json["error"]["problems"]]
    assert 3 == agentctl("audit", demo / "nothing.toml").code


def test_a_shipped_policy_is_extended_and_not_edited(agentctl, demo):
    called = agentctl("audit", demo / "task.toml", "--policy", "local")

    assert 17 == called.code
    assert 'extends = "local"' in called.err
    assert "--policy local --rehearse" in called.out


def test_nothing_of_a_file_reaches_the_terminal_as_it_is(agentctl, tmp_path):
    ready = Ready(tmp_path)
    ready.task["check"] = {"command": ["true", "\x1b[31mred"]}
    ready.tool("lookup")["parameters"]["properties"]["\x1b[2J"] = {}
    called = agentctl("audit", ready.write())

    assert 17 == called.code
    assert "\x1b" not in called.out + called.err


def test_the_readme_counts_the_items():
    said = re.search(r"A checklist of (\d+) items", (ROOT / "README.md").read_text())

    assert said is not None
    assert len(ITEMS) == int(said[1])


def test_no_key_is_needed_and_nothing_is_made(agentctl, demo, isolated):
    before = sorted(isolated.rglob("*"))
    agentctl("audit", demo / "task.toml")

    assert before == sorted(isolated.rglob("*"))
