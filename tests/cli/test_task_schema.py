"""`task schema`."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from agentctl.cli import init
from agentctl.config import json_schema, schema
from agentctl.core.task import Task
from tests.cli.test_policy import TOMBI, lint

ROOT = Path(__file__).parent.parent.parent
LOCAL = 'version = 1\nname = "t"\ngoal = "Go."\n'


def accepts(data):
    return jsonschema.Draft202012Validator(json_schema.task()).is_valid(data)


def test_the_schema_is_json_schema_and_explains_every_key(agentctl):
    made = agentctl("task", "schema").json
    tool = made["properties"]["tools"]["items"]["properties"]

    jsonschema.Draft202012Validator.check_schema(made)
    assert (
        "Seconds that one try may take; without it the policy's results.timeout_s; a number above 0"
        == (tool["timeout_seconds"]["description"])
    )
    assert ["none", "local", "external", "irreversible"] == tool["side_effects"]["enum"]
    assert "builtin:http_get" in tool["use"]["anyOf"][0]["enum"]
    assert json.loads(agentctl("task", "schema", "--json").out) == made


@pytest.mark.parametrize(
    "text",
    [
        'goal_file = "goal.md"\n',
        '[[tools]]\nuse = "python:orders.tools:search"\n',
        '[[tools]]\nuse = "mcp"\nname = "fs"\nurl = "https://h/mcp"\ninclude = ["read_*"]\n',
        '[vars.a]\ntype = "integer"\ndefault = 5\nchoices = [1, 5]\n',
        '[[steps]]\ntool = "look"\nargs = { deep = { er = [1, "a", { x = true }] } }\n',
        '[output]\nschema = { type = "object", properties = { a = { type = "string" } } }\nretries = 0\n',
    ],
)
def test_what_a_task_may_say_fits(text):
    assert accepts(tomllib.loads(LOCAL + text))


@pytest.mark.parametrize(
    "text",
    [
        '[[tools]]\nuse = "builtin:teleport"\n',
        '[[tools]]\nname = "a"\ntimeout_seconds = 0\n',
        '[[tools]]\nname = "a"\nside_effects = "some"\n',
        '[vars.a]\ntype = "date"\n',
        "[budget]\nrun_usd = 1\n",
        "[output]\nretries = 1\n",
    ],
)
def test_what_it_may_not_say_does_not(text):
    assert not accepts(tomllib.loads(LOCAL + text))
    assert not accepts({"version": 1, "name": "t"}), "a task needs a goal"


def test_what_the_types_refuse_the_schema_refuses():
    for path in sorted((ROOT / "tests" / "tasks" / "bad").glob("*.toml")):
        try:
            data = tomllib.loads(path.read_text())
            json.dumps(data, allow_nan=False)
        except (ValueError, TypeError):
            continue
        _, errors = schema.read(Task, data)
        assert not (errors and accepts(data)), path.name


@pytest.mark.skipif(TOMBI is None, reason="tombi is not installed")
def test_an_independent_linter_accepts_the_task_that_init_writes(agentctl, tmp_path):
    made = agentctl("task", "schema").out

    for text in ((init.TEMPLATE / "task.toml").read_text(), (ROOT / "tests" / "desk" / "task.toml").read_text()):
        done = lint(tmp_path, made, text)
        assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(TOMBI is None, reason="tombi is not installed")
@pytest.mark.parametrize(
    "text",
    ["goal = 5\n", LOCAL + "gaol = 'x'\n", LOCAL + '[[tools]]\nuse = "builtin:teleport"\n', LOCAL + "policy = 1\n"],
)
def test_an_independent_linter_refuses_a_wrong_task(agentctl, tmp_path, text):
    assert lint(tmp_path, agentctl("task", "schema").out, text).returncode == 1
