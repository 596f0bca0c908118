"""`policy test`, `policy explain`, `policy diff`."""

import json

import pytest

POLICY = """version = 1

[[risk.rules]]
tool = "shell"
args = { command = "^make$" }
tier = "low"
why = "builds"
match = [{ command = "make" }]

[[risk.rules]]
tool = "drop_*"
tier = "forbid"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(POLICY)
    return tmp_path


# --- explain --------------------------------------------------------------------------------------


def test_a_call_is_explained_with_every_rule_and_its_place(agentctl, here):
    called = agentctl("policy", "explain", "p.toml", "shell", '{"command": "make"}')

    assert called.code == 0
    assert "  tier                                         low\n" in called.out
    assert "allow: it runs by itself" in called.out
    assert "once untrusted text is in                    medium, ask" in called.out
    assert "    p.toml:3 risk.rules[1] shell low (decides): builds\n" in called.out


def test_the_explanation_as_json(agentctl, here):
    body = agentctl("policy", "explain", "p.toml", "drop_table", "{}", "--json").json

    assert ("drop_table", "high", "deny", "p.toml:10") == tuple(
        body[key] for key in ("tool", "tier", "decision", "because")
    )
    assert [("p.toml", 10, True)] == [(each["file"], each["line"], each["decides"]) for each in body["rules"]]
    assert [False, False] == [each["raised"] for each in body["trust"]]


def test_a_tool_that_nobody_named_is_unknown_and_high(agentctl, here):
    """B39"""
    body = agentctl("policy", "explain", "p.toml", "launch", "--json").json

    assert ("high", "ask", "risk.unknown", []) == tuple(body[key] for key in ("tier", "decision", "because", "rules"))


@pytest.mark.parametrize("args", ['{"a": 1, "a": 2}', "[1]", "{", '{"a": NaN}'])
def test_arguments_that_are_no_json_object_or_say_a_key_twice_are_wrong_usage(agentctl, here, args):
    called = agentctl("policy", "explain", "p.toml", "shell", args)

    assert called.code == 2
    assert "ARGS_JSON" in called.err


def test_the_contract_of_a_tasks_tool_counts(agentctl, demo):
    known = agentctl("tools", "list", demo / "task.toml", "--json").json["items"]
    for tool in known:
        body = agentctl("policy", "explain", demo / "policy.toml", tool["name"], "--task", demo / "task.toml", "--json")
        assert tool["tier"] == body.json["tier"]

    called = agentctl("policy", "explain", demo / "policy.toml", "nobody", "--task", demo / "task.toml")

    assert called.code == 2
    assert "no tool of the task is called 'nobody'" in called.err


def test_each_part_of_a_shell_command_is_shown_with_what_set_its_tier(agentctl, here):
    """Judged as a run judges it: the whole asks whatever its parts, and a rule has its file and line."""
    args = '{"command": "git status && make; rm x"}'
    body = agentctl("policy", "explain", "p.toml", "shell", args, "--json").json
    called = agentctl("policy", "explain", "p.toml", "shell", args)

    assert ("high", "ask") == (body["tier"], body["decision"])
    assert [
        ("git status", "safe", "risk.rules[0]"),
        ("make", "low", "risk.rules[1]"),
        ("rm x", "high", None),
    ] == [(part["text"], part["tier"], part["rule"]) for part in body["parts"]]
    assert ("p.toml", 3) == (body["parts"][1]["file"], body["parts"][1]["line"])
    assert (None, None) == (body["parts"][2]["file"], body["parts"][2]["line"])
    assert "    low     make    p.toml:3 (builds) (risk.rules[1])\n" in called.out
    assert "    high    rm x    built-in: rm is not on the list of programs that only read\n" in called.out


@pytest.mark.parametrize(
    ("command", "tier", "decision"),
    [
        ("git status", "safe", "allow"),
        ("cat notes.md", "safe", "allow"),
        ("git status; rm -rf /", "high", "ask"),
        ("git status > f", "high", "ask"),
        ("git diff --output=F", "high", "ask"),
        ("sort -o f f", "high", "ask"),
    ],
)
def test_a_shell_command_is_explained_as_a_run_would_judge_it(agentctl, here, command, tier, decision):
    body = agentctl("policy", "explain", "standard", "shell", json.dumps({"command": command}), "--json").json

    assert (tier, decision) == (body["tier"], body["decision"])


def test_a_case_of_policy_test_judges_a_compound_as_a_run_does(agentctl, here):
    (here / "c.toml").write_text(
        '[[cases]]\ntool = "shell"\nargs = { command = "make; make" }\nexpect = "ask"\ntier = "high"\n'
        '[[cases]]\ntool = "shell"\nargs = { command = "ls -la" }\nexpect = "allow"\ntier = "safe"\n'
    )

    assert 0 == agentctl("policy", "test", "p.toml", "--cases", "c.toml").code


# --- test -----------------------------------------------------------------------------------------

CASES = """[[cases]]
tool = "shell"
args = { command = "make" }
expect = "allow"
tier = "low"

[[cases]]
tool = "shell"
args = { command = "make" }
expect = "ask"
untrusted = true

[[cases]]
tool = "drop_table"
expect = "deny"
"""


def test_expectations_that_hold_exit_0(agentctl, here):
    (here / "c.toml").write_text(CASES)
    called = agentctl("policy", "test", "p.toml", "--cases", "c.toml")

    assert (0, "ok: 7 expectations of policy p hold\n") == (called.code, called.out)


def test_an_expectation_that_does_not_hold_exits_17_with_its_place(agentctl, here):
    (here / "c.toml").write_text(CASES.replace('expect = "deny"', 'expect = "ask"'))
    called = agentctl("policy", "test", "p.toml", "--cases", "c.toml")
    body = agentctl("policy", "test", "p.toml", "--cases", "c.toml", "--json")

    assert called.code == body.code == 17
    assert "failed: c.toml:13 drop_table: expected ask, got deny (p.toml:10)\n" == called.out
    assert [("drop_table", "ask", "deny", 13)] == [
        (each["tool"], each["expected"], each["got"], each["line"]) for each in body.json["items"] if not each["ok"]
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("version = 1\n", "c.toml:1:1", "expected at least one [[cases]]"),
        ('[[cases]]\ntool = "a"\nexpect = "run"\n', "c.toml:3:10", "expected one of: allow, ask, deny"),
        ('[[cases]]\ntool = "a"\nexpected = "ask"\n', "c.toml:3:1", "unknown key"),
        ('[[cases]]\nexpect = "ask"\n', "c.toml:1:1", "missing"),
    ],
)
def test_a_file_of_cases_that_is_none_is_refused_at_its_place(agentctl, here, text, place, words):
    (here / "c.toml").write_text(text)
    called = agentctl("policy", "test", "p.toml", "--cases", "c.toml")

    assert called.code == 3
    assert place in called.err
    assert words in called.err


def test_rules_that_never_win_and_tools_that_nobody_named_are_warnings(agentctl, demo):
    policy = demo / "policy.toml"
    rules = '\n[[risk.rules]]\ntool = "x"\ntier = "high"\n\n[[risk.rules]]\ntool = "x"\ntier = "low"\n'
    policy.write_text(policy.read_text() + rules)
    (demo / "task.toml").write_text(
        (demo / "task.toml").read_text()
        + '\n[[tools]]\nname = "odd"\ncommand = ["true"]\nparameters = { type = "object" }\n'
    )
    body = agentctl("policy", "test", policy, "--task", demo / "task.toml", "--json").json

    assert body["ok"]
    assert any("it never decides" in each for each in body["warnings"])
    assert any("no tool of" in each for each in body["warnings"])
    assert any(each.startswith("no rule names odd") for each in body["warnings"])


def test_a_path_that_its_tool_has_not_is_a_warning_and_the_nearest_is_named(agentctl, here, demo):
    rule = '[[risk.rules]]\ntool = "shell"\nargs = { "comand" = "^ls$" }\ntier = "high"\n'
    (here / "q.toml").write_text(rule)
    tested = agentctl("policy", "test", "q.toml", "--json").json["warnings"]
    (checked,) = agentctl("policy", "check", "q.toml", "--json").json["items"]
    line = "q.toml:1 risk.rules[1]: shell has no argument at 'comand', so this never matches: did you mean \"command\"?"

    assert [line] == tested
    assert line in checked["notes"]

    policy = demo / "policy.toml"
    paths = '\n[[risk.rules]]\ntool = "read_file"\nargs = { "path[0]" = "x", path = "x" }\ntier = "high"\n'
    policy.write_text(policy.read_text() + paths)
    for command in (("policy", "test", policy, "--task", demo / "task.toml"), ("task", "check", demo / "task.toml")):
        said = agentctl(*command).out + agentctl(*command).err
        assert "read_file has no argument at 'path[0]', so this never matches" in said
        assert "no argument at 'path'," not in said


def test_an_example_that_asks_all_the_same_is_a_warning(agentctl, here):
    rule = '[[risk.rules]]\ntool = "shell"\nargs = { command = "^make && make$" }\ntier = "low"\n'
    (here / "q.toml").write_text(rule + 'match = [{ command = "make && make" }]\n')
    body = agentctl("policy", "test", "q.toml", "--json").json

    assert body["ok"]
    assert ["q.toml:1 risk.rules[1]: its match[0] asks all the same: built-in: it has more than one command"] == [
        each.partition(",")[0] for each in body["warnings"]
    ]


@pytest.mark.parametrize(
    "name",
    ["standard", "strict", "ci", "high-throughput", "customer-facing", "batch-research", "multi-tenant", "local"],
)
def test_every_shipped_policy_does_to_its_examples_what_it_says(agentctl, name):
    called = agentctl("policy", "test", name)

    assert called.code == 0, called.out


# --- diff -----------------------------------------------------------------------------------------


def test_a_difference_is_told_by_what_it_means(agentctl, here):
    (here / "q.toml").write_text('version = 1\n[budget]\nrun_usd = 0.25\n[risk]\nauto_approve = "safe"\n')
    body = agentctl("policy", "diff", "p.toml", "q.toml", "--json").json
    calls = {each["tool"]: each["change"] for each in body["calls"] if not each["args"]}

    assert {"budget.run_usd", "risk.auto_approve"} == {each["key"] for each in body["keys"]}
    assert [("a", "shell", 3), ("a", "drop_*", 10)] == [
        (each["in"], each["tool"], each["line"]) for each in body["rules"]
    ]
    assert "newly asked" == calls["drop_*"] == calls["write_file"]
    assert not body["same"]


def test_a_call_that_only_a_rules_example_names_is_compared_too(agentctl, here):
    called = agentctl("policy", "diff", "standard", "p.toml")

    assert 'newly allowed: shell {"command": "make"}: high, ask -> low, allow (p.toml:3 (builds))' in called.out
    assert "+ drop_* forbid (p.toml:10)" in called.out


def test_compounds_are_compared_as_a_run_would_judge_them(agentctl, here):
    """A pattern that is open at its end lets no more run than one that is not, where it is about the shell."""
    rule = '[[risk.rules]]\ntool = "shell"\nargs = {{ command = "{}" }}\ntier = "low"\n'
    examples = 'match = [{ command = "make" }]\n'
    others = 'not_match = [{ command = "make; rm x" }, { command = "make clean" }]\n'
    (here / "a.toml").write_text(rule.format("^make$") + examples + others)
    (here / "b.toml").write_text(rule.format("^make") + examples)
    body = agentctl("policy", "diff", "a.toml", "b.toml", "--json").json

    assert [("make clean", "newly allowed")] == [(each["args"]["command"], each["change"]) for each in body["calls"]]


def test_the_order_of_rules_and_of_keys_is_no_difference(agentctl, here):
    first, *rules = POLICY.split("\n\n")
    (here / "q.toml").write_text("\n\n".join([first, *(rule.rstrip() for rule in reversed(rules))]) + "\n")
    called = agentctl("policy", "diff", "p.toml", "q.toml")

    assert (0, "p and q say the same\n") == (called.code, called.out)
