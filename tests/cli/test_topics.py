"""`help TOPIC`, and the examples that every command shows."""

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import tomllib

import pytest

from agentctl import errors
from agentctl.cli import codes, topics
from agentctl.cli.app import app
from agentctl.cli.nouns import NOUNS
from agentctl.cli.table import COMMANDS, GROUPS
from tests.cli.conftest import shown_on

LANGUAGES = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
NOT_HERE = {"agentctl monitor", "agentctl drill"}
ALONE = (*COMMANDS, *(row[:4] for row in NOUNS))
BELOW = [(name, rows) for _, name, _, rows in GROUPS] + [(name, rows) for _, name, *_, rows in NOUNS]
EVERY = [[name] for _, name, *_ in ALONE] + [[name, each] for name, rows in BELOW for each, *_ in rows]


def known_flags(words):
    import typer

    command = typer.main.get_command(app)
    for word in words:
        if not hasattr(command, "commands") or word.startswith("-"):
            break
        assert word in command.commands, f"no command {word!r}"
        command = command.commands[word]
    return {flag for param in command.params for flag in param.opts}


def lines_of(text):
    for _, block in (found for found in LANGUAGES.findall(text) if not found[0]):
        yield from (line for line in block.splitlines() if line.strip())


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_every_command_shows_an_example_that_names_it(agentctl, command):
    called = agentctl(*command, "--help")

    assert called.code == 0
    assert f"Example: agentctl {' '.join(command)}" in " ".join(called.out.split())


@pytest.mark.parametrize(
    "example",
    [each for *_, each in ALONE] + [each for _, rows in BELOW for *_, each in rows],
)
def test_examples_use_flags_that_exist(example):
    words = shlex.split(example.partition(" | ")[0].partition(" > ")[0])[1:]
    flags = {word.partition("=")[0] for word in words if word.startswith("-")}

    assert set() == flags - known_flags(words)


def test_without_a_topic_they_are_listed(agentctl):
    called = agentctl("help")

    assert called.code == 0
    assert [line.split()[0] for line in called.out.splitlines()[1:]] == list(topics.ORDER)
    assert [each["topic"] for each in agentctl("help", "--json").json["items"]] == list(topics.ORDER)


def test_every_file_is_a_topic_and_short():
    files = {path.stem: path.read_text() for path in topics.FOLDER.glob("*.md")}

    assert set(files) == set(topics.ORDER)
    assert [] == [name for name, text in files.items() if len(text.splitlines()) > 60]
    assert [] == [name for name, text in files.items() if any(len(line) > 120 for line in text.splitlines())]


@pytest.mark.parametrize("topic", topics.ORDER)
def test_it_is_plain_where_it_is_piped(agentctl, topic):
    called = agentctl("help", topic)

    assert called.code == 0
    assert called.out.startswith("# ")
    assert "\x1b" not in called.out
    assert topics.CODES not in called.out
    assert agentctl("help", topic, "--json").json == {"topic": topic, "text": called.out}


@pytest.mark.parametrize("topic", topics.ORDER)
def test_commands_in_it_exist(topic):
    for line in lines_of(topics.text(topic)):
        for part in re.split(r"[|>]+ ", line):
            words = shlex.split(part, comments=True)
            if words[:1] == ["agentctl"]:
                flags = {word for word in words if word.startswith("-") and word != "-"}
                assert set() == flags - known_flags(words[1:]), line


@pytest.mark.parametrize("topic", topics.ORDER)
def test_toml_in_it_is_toml(topic):
    for language, block in LANGUAGES.findall(topics.text(topic)):
        if language == "toml":
            assert tomllib.loads(block)


def test_the_policy_of_the_page_is_one(agentctl, tmp_path):
    ((_, block),) = [each for each in LANGUAGES.findall(topics.text("policies")) if each[0] == "toml"]
    policy = tmp_path / "p.toml"
    policy.write_text(block)

    assert agentctl("policy", "check", policy).code == 0


def test_the_script_of_the_page_is_one():
    from agentctl.config import schema
    from agentctl.rehearsal.script import Script

    blocks = [block for language, block in LANGUAGES.findall(topics.text("rehearse")) if language == "toml"]

    assert schema.read(Script, tomllib.loads(blocks[0]))[1] == []


def test_the_first_ten_minutes_are_as_told(agentctl, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = []
    for line in lines_of(topics.text("start")):
        words = shlex.split(line)[1:]
        if "r_…" in words:
            words[-1] = agentctl("runs", "--json").json["items"][0]["run_id"]
        if words[0] != "auth" and "--max-usd" not in words:
            done.append((words[0], agentctl(*words).code))

    assert done == [("init", 0), ("run", 0), ("runs", 0), ("trace", 0), ("run", 0)]


def test_on_a_terminal_it_is_set():
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "agentctl", "help", "exit-codes"]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs):
        os.close(theirs)
        seen = shown_on(ours)
    os.close(ours)

    assert b"\x1b[" in seen
    assert "| --- |" not in seen.decode()


@pytest.mark.parametrize(
    ("word", "meant"), [("policy-files", ""), ("budgest", '"budgets"'), ("exitcodes", '"exit-codes"')]
)
def test_an_unknown_topic_names_the_nearest(agentctl, word, meant):
    called = agentctl("help", word)

    assert called.code == 2
    assert f"no topic '{word}'" in called.err
    assert meant in called.err
    assert "agentctl help" in called.err


def test_the_name_of_a_command_shows_its_help(agentctl):
    for command in ("run", "budget"):
        called = agentctl("help", command)

        assert called.code == 0
        assert f"Usage: agentctl {command}" in called.out


def test_the_table_of_codes_is_what_the_program_does():
    """Every error class has its row, and every row a code of the contract."""
    rows = {row[0]: set(row[2].split(", ")) for row in codes.CODES}

    def walk(kind):
        yield kind
        for below in kind.__subclasses__():
            yield from walk(below)

    for kind in walk(errors.AgentctlError):
        assert str(kind.exit_code) in rows, kind
    for kind in (errors.Usage, errors.Invalid, errors.GateFailed, errors.SandboxMissing, errors.ProvidersOut):
        assert kind.code in rows[str(kind.exit_code)]
    assert [int(code) for code in rows] == [0, 1, 2, 3, *range(10, 21), 130, 143]
    assert json.dumps(sorted(rows))
