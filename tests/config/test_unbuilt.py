from pathlib import Path

import pytest

from agentctl.config.load import load_policy
from agentctl.config.task import load_task
from agentctl.config.unbuilt import notices, refusals

TASK = 'version = 1\nname = "t"\ngoal = "Go."\n'
TOOL = '[[tools]]\nname = "look"\ncommand = ["true"]\nparameters = { type = "object" }\n'


@pytest.fixture
def policy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def load(text):
        (tmp_path / "p.toml").write_text(text)
        return load_policy("p.toml")

    return load


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def load(text):
        (tmp_path / "t.toml").write_text(TASK + text)
        return load_task(Path("t.toml"))

    return load


def test_harmless_keys_are_one_line(policy):
    lines = notices(policy('[alerts]\nurls = ["x"]\n[telemetry]\nservice_name = "a"\n[cache]\nmin_hit_ratio = 0.1\n'))

    assert "p: without effect in this version: alerts.urls, telemetry.service_name" == lines[0]
    assert 2 == len(lines)


def test_what_standard_sets_and_nobody_asks_is_one_line(policy):
    shipped = load_policy("standard")

    assert ["not enforced by this version: [alerts], [telemetry]"] == notices(shipped)
    assert ["not enforced by this version: [alerts], [telemetry]"] == notices(policy("[pace]\nenabled = false\n"))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("tools[0].recovery", TOOL + 'recovery = "reconcile"\nverify = ["true"]\n'),
    ],
)
def test_a_task_that_asks_for_more_is_refused(task, key, text):
    (problem,) = refusals(task(text))

    assert (key, "t.toml") == (problem.key, problem.file)
    assert problem.message.endswith("remove it to run without it")


def test_a_task_of_today_is_not_refused(task):
    built = ("python:a:b", *(f"builtin:{name}" for name in ("read_file", "write_file", "http_get", "shell")))
    loaded = task(
        "".join(f'[[tools]]\nuse = "{use}"\n' for use in built) + TOOL + 'recovery = "ask"\nmax_calls_per_session = 3\n'
    )

    assert [] == refusals(loaded)
