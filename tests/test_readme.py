"""Everything that the README shows is run: its commands, its trace, its policy, its exit codes, its picture."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from agentctl.cli import codes
from agentctl.config import load
from agentctl.rehearsal.drills.names import NAMES
from tests import drill_picture, picture

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
ADVICE = re.compile(r"\s*#.*$")


def fenced(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


SETUP = re.compile(r"python3 -m venv \.venv && .*pip install ")
EXPORT = re.compile(r"export [A-Z_]+=\S+")
EXTRA = re.compile(r"pip install 'agentctl\[(\w+)\]'")
RUN = re.compile(r"\br_[0-9a-f]{10}\b")
CODES = {
    "agentctl run demo/task.toml --var order=A-1001": 3,  # no key in the tests
    "agentctl run demo/task.toml --rehearse --script demo/alone.toml --var order=A-1001 < /dev/null": 12,
    "agentctl run demo/task.toml --rehearse --var order=A-1001 --max-usd 0.02": 10,
    "agentctl run demo/task.toml --rehearse --var order=A-1001 --require-p95-under 0.50": 17,
    "agentctl audit demo/task.toml": 17,  # nobody hears of its failures
    "agentctl monitor": 2,  # here is no terminal: see tests/real
    "agentctl run demo/task.toml --rehearse --var order=A-1001 --tui": 2,
    "agentctl trace r_a3f7b2 --otlp http://127.0.0.1:4318": 3,  # nobody listens in the tests
}


def shown() -> list[str]:
    """Every line that a shell is shown, in order."""
    return [line for block in fenced("sh") for line in map(plain, block.splitlines()) if line]


def plain(line: str) -> str:
    return ADVICE.sub("", line)


def commands() -> list[str]:
    """All of them but the set-up and what belongs to another machine."""
    return [line for line in shown() if not any(kind.match(line) for kind in (SETUP, EXPORT, EXTRA))]


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


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_line_of_the_tour_does_what_it_says_in_its_order(shell):
    """A fresh folder and an empty home, as they are after the first command."""
    first = shell("agentctl init demo && agentctl run demo/task.toml --rehearse --var order=A-1001")
    run_id = RUN.findall(first.stderr)[-1]

    for command in commands():
        # The comparison takes a minute, and has tests of its own.
        done = shell(command.replace("r_a3f7b2", run_id).replace(" --naive", ""))

        assert CODES.get(command, 0) == done.returncode, f"{command}: {done.stdout}{done.stderr}"
        if " run demo/" in f" {command}" or " resume " in command:
            run_id = (RUN.findall(done.stdout + done.stderr) or [run_id])[-1]

    assert [] == sorted(CODES.keys() - set(commands())), "no longer there"


def test_what_is_not_run_here_is_set_up_and_extras_that_exist():
    rest = [line for line in shown() if line not in commands()]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert 2 == sum(SETUP.match(line) is not None for line in rest)
    assert [] == [found[1] for line in rest if (found := EXTRA.match(line)) and found[1] not in extras]


def test_the_trace_is_the_one_that_the_trace_test_prints():
    """D57"""
    sample = re.search(r"```\n(Trace:.*?)\n```", README, re.DOTALL)[1]

    assert sample in (ROOT / "tests/core/test_timeline.py").read_text()


def test_the_policy_loads(tmp_path):
    path = tmp_path / "sample.toml"
    path.write_text(next(block for block in fenced("toml") if "extends" in block))

    assert 0.50 == load.load_policy(path).policy.budget.run_usd

    path.write_text(next(block for block in fenced("toml") if "telemetry" in block))

    assert load.load_policy(path).policy.telemetry.otlp_endpoint.endswith("/api/public/otel")


def test_the_exit_codes_are_those_of_the_program():
    table = README.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d[\d, ]*) \| (\w*) ?\| (.+) \|$", table, re.MULTILINE)
    named = {(code, status or "-") for numbers, status, _ in rows for code in numbers.split(", ")}

    assert named == {(code, status) for code, status, *_ in codes.CODES if status != "cancelled"}


@pytest.mark.needs("tmux")
def test_the_picture_shows_what_the_program_shows(tmp_path):
    """B41"""
    assert picture.SVG.with_suffix(".txt").read_text() == picture.words(picture.taken(tmp_path)) + "\n"


def test_the_second_picture_shows_every_drill_and_that_it_held():
    """Its figures differ from machine to machine; `python -m tests.drill_picture` makes it anew."""
    shown = re.findall(r"(?m)^✓ (\S+) +held ", drill_picture.SVG.with_suffix(".txt").read_text())

    assert list(NAMES) == shown
    assert all(name in drill_picture.SVG.read_text() for name in NAMES)
