"""Everything that the README shows is run: its commands, its trace, its policy, its exit codes, its picture."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.config import load
from tests import picture

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
ADVICE = re.compile(r"\s*#.*$")


def fenced(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """The tour's own commands, in their order."""
    lines = [ADVICE.sub("", line) for block in fenced("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("agentctl ") and "--rehearse" not in line]


@pytest.fixture
def shell(tmp_path):
    def run(command: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **more, "PATH": f"{BIN}:{os.environ['PATH']}"}
        return subprocess.run(  # noqa: PLW1510 -- the code is what is tested
            ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    return run


def test_the_main_job_runs_without_a_key_and_without_a_terminal(shell):
    """F01 F04"""
    line = next(line for block in fenced("sh") for line in block.splitlines() if "agentctl init demo" in line)
    job = line.split(" -e . && ")[1].replace(".venv/bin/", "")

    for _ in range(2):
        done = shell(job)

        assert 0 == done.returncode, done.stderr
        assert "Your order A-1001" in done.stdout
        assert "completed: done" in done.stderr


def test_the_tour_does_what_it_says(shell, tmp_path):
    assert 0 == shell("agentctl init demo").returncode
    script = (tmp_path / "demo/rehearsal.toml").read_text()
    (tmp_path / "demo/rehearsal.toml").write_text(re.sub(r"\[\[person\]\][^\[]*", "", script))
    codes = {
        "agentctl run demo/task.toml --var order=A-1001": 3,  # no key in the tests
        "agentctl run demo/task.toml --var order=A-1001 --detach": 3,
        "agentctl run demo/task.toml --var order=A-1001 --require-p95-under 0.50": 17,  # nothing was run yet
        "agentctl approve R": 0,
        'agentctl deny R --why "ask the customer first"': 20,  # it was approved by the line before
        "agentctl resume R --add-usd 2": 20,  # it is finished by then
        "agentctl pause R": 20,
        "agentctl cancel R": 20,
        "agentctl run demo/task.toml --var order=A-1001 --session monday": 3,
        "agentctl audit demo/task.toml": 17,  # nobody hears of its failures
        "agentctl monitor": 2,  # here is no terminal: see tests/real
        "agentctl run demo/task.toml --rehearse --var order=A-1001 --tui": 2,
        "agentctl trace R --otlp http://127.0.0.1:4318": 3,  # nobody listens in the tests
    }
    parked = shell("agentctl run demo/task.toml --rehearse --var order=A-1001")
    assert 12 == parked.returncode, parked.stderr
    run_id = re.search(r"r_[0-9a-f]{10}", parked.stderr)[0]

    for command in commands():
        if "policy check" in command:
            assert "demo/policy.toml" in command
        done = shell(command.replace("r_a3f7b2", run_id))
        expected = codes.get(command.replace("r_a3f7b2", "R"), 0)
        assert expected == done.returncode, f"{command}: {done.stdout}{done.stderr}"


def test_the_trace_is_the_one_that_the_trace_test_prints():
    """D57"""
    sample = re.search(r"```\n(Trace:.*?)\n```", README, re.DOTALL)[1]

    assert sample in (ROOT / "tests/core/test_timeline.py").read_text()


def test_the_lines_run_side_by_side(shell, tmp_path):
    line = next(line for block in fenced("sh") for line in block.splitlines() if "--lines" in line)
    shell("agentctl init demo")
    (tmp_path / "mails.jsonl").write_text('{"order": "A-1001"}\n{"order": "A-1001"}\n')

    done = shell(line)

    assert 0 == done.returncode, done.stderr
    assert 2 == done.stderr.count("completed: done")


def test_the_policy_loads(tmp_path):
    path = tmp_path / "sample.toml"
    path.write_text(next(block for block in fenced("toml") if "extends" in block))

    assert 0.50 == load.load_policy(path).policy.budget.run_usd

    path.write_text(next(block for block in fenced("toml") if "telemetry" in block))

    assert load.load_policy(path).policy.telemetry.otlp_endpoint.endswith("/api/public/otel")


def test_the_exit_codes_are_those_of_the_code():
    named = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE) for code in row.split(",")}
    source = "\n".join(path.read_text() for path in (ROOT / "agentctl").rglob("*.py"))

    for code in named - {0}:
        assert re.search(rf"\b{code}\b", source), code


@pytest.mark.needs("tmux")
def test_the_picture_shows_what_the_program_shows(tmp_path):
    """B41"""
    assert picture.SVG.with_suffix(".txt").read_text() == picture.words(picture.taken(tmp_path)) + "\n"
