from pathlib import Path

import pytest

from agentctl.config.load import load_policy
from agentctl.config.task import load_task
from agentctl.config.unbuilt import notices, refusals

TASK = 'version = 1\nname = "t"\ngoal = "Go."\n'
TOOL = '[[tools]]\nname = "look"\ncommand = ["true"]\nparameters = { type = "object" }\n'
PROVIDER = '[[providers]]\nname = "a"\nsdk = "openai"\nmodel = "m"\n'


@pytest.fixture
def policy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def load(text):
        (tmp_path / "p.toml").write_text(text)
        return load_policy("p.toml")

    return load


@pytest.fixture
def task(tmp_path):
    def load(text):
        (tmp_path / "t.toml").write_text(TASK + text)
        return load_task(Path("t.toml"))

    return load


@pytest.mark.parametrize(
    ("key", "text"),
    [],
)
def test_what_would_silently_not_happen_is_refused_by_its_name(policy, key, text):
    (problem,) = refusals(policy(text))

    assert key == problem.key
    assert "p.toml" == problem.file
    assert "not enforced by this version; remove it to run without it" == problem.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[pace]\ntokens_per_minute = 5\n",
        "[progress]\nenabled = false\n",
        "[progress]\nwindow = 6\nsimilarity = 0.8\n",
        '[handoff]\nenabled = true\ncontact = "ada"\nafter_tool_errors = 2\nbefore_tier = "high"\n',
        '[route]\ncheaper_above = 0.5\n[[route.rules]]\nprovider = "openai"\nwhen = { tools = 0 }\n',
        '[context]\nstrategy = "summary"\ncounter = "python:a:b"\n',
        "[scrub]\npatterns = ['ACME-[0-9]+']\ndetectors = 'off'\nto_model = true\nkeys = ['pin']\n",
        '[sandbox]\nmode = "required"\nnetwork = true\nwrite = ["out"]\nenv = ["PATH"]\n',
        '[cache]\nttl = "1h"\n',
        '[risk]\nauto_approve = "safe"\n[risk.tiers]\nlook = "safe"\n',
        "[budget]\nrun_usd = 1.0\nmax_wall_s = 5\n[circuit.tools]\nfailure_threshold = 2\n" + PROVIDER,
    ],
)
def test_what_is_enforced_or_off_is_not_refused(policy, text):
    assert [] == refusals(policy(text))


def test_harmless_keys_are_one_line(policy):
    lines = notices(policy('[alerts]\nurls = ["x"]\n[telemetry]\nservice_name = "a"\n[cache]\nmin_hit_ratio = 0.1\n'))

    assert "p: without effect in this version: alerts.urls, telemetry.service_name" == lines[0]
    assert 2 == len(lines)


def test_what_standard_sets_and_nobody_asks_is_one_line(policy):
    shipped = load_policy("standard")

    assert [] == refusals(shipped)
    assert ["not enforced by this version: [alerts], [telemetry]"] == notices(shipped)
    assert ["not enforced by this version: [alerts], [telemetry]"] == notices(policy("[pace]\nenabled = false\n"))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("tools[0].recovery", TOOL + 'recovery = "reconcile"\nverify = ["true"]\n'),
    ],
)
def test_a_task_that_asks_for_more_is_refused(policy, task, key, text):
    (problem,) = refusals(policy(""), task(text))

    assert (key, "t.toml") == (problem.key, problem.file)
    assert problem.message.endswith("remove it to run without it")


def test_a_task_of_today_is_not_refused(policy, task):
    built = ("python:a:b", *(f"builtin:{name}" for name in ("read_file", "write_file", "http_get", "shell")))
    loaded = task(
        "".join(f'[[tools]]\nuse = "{use}"\n' for use in built) + TOOL + 'recovery = "ask"\nmax_calls_per_session = 3\n'
    )

    assert [] == refusals(policy(""), loaded)
