"""`policy list`, `policy check`, `task check`."""


def test_policies_by_name(agentctl, isolated):
    own = isolated / "config" / "policies"
    own.mkdir(parents=True)
    (own / "mine.toml").write_text('version = 1\nextends = "standard"\n')
    items = {item["name"]: item["origin"] for item in agentctl("policy", "list", "--json").json["items"]}

    assert items["mine"] == "yours"
    assert items["standard"] == "shipped"
    assert agentctl("policy", "list").out.splitlines()[0].split() == ["NAME", "ORIGIN", "PATH"]


def test_a_good_policy(agentctl):
    called = agentctl("policy", "check", "standard")

    assert called.code == 0
    assert called.out.startswith("ok: policy standard (")
    assert agentctl("policy", "check", "standard", "--json").json["items"][0]["ok"] is True


def test_all_problems_of_all_files_at_once(agentctl, tmp_path):
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("version = 1\n[budget]\nrun_us = 1\nmax_steps = -1\n")
    two.write_text("version = 1\n[bugdet]\n")

    called = agentctl("policy", "check", one, "standard", two)
    body = agentctl("policy", "check", one, "standard", two, "--json").json

    assert called.code == 3
    assert called.out.startswith("ok: policy standard")
    lines = called.err.splitlines()
    lines = lines[lines.index("error: 3 problems:") :]
    assert lines[0] == "error: 3 problems:"
    assert f"{one}:3:1: budget.run_us: " in lines[1]
    assert 'did you mean "run_usd"' in lines[1]
    assert len([line for line in lines if str(tmp_path) in line]) == 3
    assert [(problem["line"], problem["key"]) for problem in body["error"]["problems"]] == [
        (3, "budget.run_us"), (4, "budget.max_steps"), (2, "bugdet"),
    ]  # fmt: skip


def test_a_task_is_checked_with_its_policy(agentctl, demo):
    assert agentctl("task", "check", demo / "task.toml").out.startswith("ok: task order-triage (")
    (demo / "policy.toml").write_text("version = 1\n[budget]\nrun_usd = 0\n")

    called = agentctl("task", "check", demo / "task.toml", demo / "gone.toml")

    assert called.code == 3
    assert "budget.run_usd" in called.err
    assert "gone.toml" in called.err


def test_a_task_whose_doubts_a_program_settles_is_checked_like_any_other(agentctl, tmp_path):
    task = tmp_path / "t.toml"
    task.write_text(
        'version = 1\nname = "t"\ngoal = "g"\n[[tools]]\nname = "pay"\ndescription = "d"\ncommand = ["true"]\n'
        'parameters = { type = "object" }\nrecovery = "reconcile"\nverify = ["true"]\n'
    )

    assert agentctl("task", "check", task).code == 0


def test_a_price_that_would_refuse_every_run_is_told_by_the_check(agentctl, tmp_path):
    """What `run` would refuse, the check names with its place."""
    policy = tmp_path / "p.toml"
    policy.write_text(
        'version = 1\n[[providers]]\nname = "own"\nsdk = "openai"\n'
        'model = "qwen"\nbase_url = "http://127.0.0.1:8000/v1"\n'
    )

    called = agentctl("policy", "check", policy)

    assert called.code == 3
    assert f"{policy}:5:9: providers[0].model: nobody knows the price of qwen, and the policy limits USD" in called.err
    policy.write_text(policy.read_text() + "price = { input = 0.0, output = 0.0 }\n")
    assert agentctl("policy", "check", policy).code == 0
