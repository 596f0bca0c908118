from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.config import toml
from agentctl.config.task import fill, load_task
from agentctl.core.task import Step
from agentctl.errors import Invalid

HEAD = 'version = 1\nname = "t"\n'
TOOL = '\n[[tools]]\nname = "look"\ncommand = ["true"]\nparameters = { type = "object" }\n'


@pytest.fixture
def task(tmp_path, monkeypatch):
    """Load a task from an empty folder."""
    monkeypatch.chdir(tmp_path)

    def load(text):
        (tmp_path / "t.toml").write_text(HEAD + text)
        return load_task(Path("t.toml"))

    return load


def refused(call, *arguments, **named):
    with pytest.raises(Invalid) as caught:
        call(*arguments, **named)

    assert 3 == caught.value.exit_code

    return caught.value.problems


# --- Loading --------------------------------------------------------------------------------------


def test_texts_are_read_beside_the_file(task, tmp_path, monkeypatch):
    (tmp_path / "goal.md").write_text("Find {{order}}.")
    (tmp_path / "system.md").write_text("Be kind.")
    loaded = task('goal_file = "goal.md"\nsystem_file = "system.md"\n[vars.order]\nrequired = true\n')

    assert ("Find {{order}}.", "Be kind.") == (loaded.goal, loaded.system)
    assert (Path("t.toml"), tmp_path) == (loaded.path, loaded.base)


def test_the_digest_follows_the_texts(task, tmp_path):
    (tmp_path / "goal.md").write_text("One.")
    one = task('goal_file = "goal.md"\n').digest

    assert one == task('goal_file = "goal.md"\n').digest

    (tmp_path / "goal.md").write_text("Two.")

    assert one != task('goal_file = "goal.md"\n').digest


def test_a_variable_of_a_goal_file_is_told_in_that_file(task, tmp_path):
    (tmp_path / "goal.md").write_text("Find it.\nThen {{ what }}.\n")
    (problem,) = refused(task, 'goal_file = "goal.md"\n')

    assert ("goal.md", 2, 6, "{{what}}") == (problem.file, problem.line, problem.column, problem.key)


def test_a_broken_goal_file_is_told_where_it_is_named(task, tmp_path):
    (tmp_path / "goal.md").write_bytes(b"Find\n\xff")
    (problem,) = refused(task, 'goal_file = "goal.md"\n')

    assert ("t.toml", 3, "goal_file") == (problem.file, problem.line, problem.key)
    assert "goal.md:2: expected UTF-8 text" in problem.message


def test_every_form_of_tool_loads(task, tmp_path):
    (tmp_path / "tool.py").touch()
    loaded = task(
        'goal = "Go."\n'
        + TOOL
        + '[[tools]]\nname = "own"\ncommand = ["./tool.py"]\nparameters = { type = "object" }\nfallback_tool = "look"\n'
        + '[[tools]]\nuse = "builtin:read_file"\nroots = ["."]\n'
        + '[[tools]]\nuse = "builtin:http_get"\nhosts = ["localhost"]\n'
        + '[[tools]]\nuse = "python:orders.tools:search"\n'
        + '[[tools]]\nuse = "mcp"\nname = "fs"\ncommand = ["npx"]\ninclude = ["read_*"]\ntrusted = true\n'
        + '[[steps]]\ntool = "fs.read_file"\n'
        + '[output.schema]\ntype = "array"\nitems = { "$ref" = "#/$defs/a" }\n"$defs" = { a = { type = "string" } }\n'
        + '[check]\ncommand = ["true"]\n'
    )

    assert 6 == len(loaded.task.tools)
    assert loaded.task.output is not None


def test_what_is_odd_but_harmless_is_a_warning(task):
    loaded = task('goal = "Go."\n[vars.unused]\n' + TOOL.replace("true", "no-such-program"))

    assert (
        "vars.unused is declared but used nowhere",
        "look: the program 'no-such-program' is not on the PATH",
    ) == loaded.warnings


def test_every_problem_comes_at_once_in_the_order_of_the_file(task):
    text = (
        'goal = "{{a}}"\nrehearsal = "r.toml"\npolcy = "x"\n[output]\nschema = { type = "x" }\n' + TOOL + "roots = []\n"
    )
    problems = refused(task, text)

    assert ["{{a}}", "rehearsal", "polcy", "output.schema.type", "tools[0].roots"] == [each.key for each in problems]
    assert sorted(each.line for each in problems) == [each.line for each in problems]


# --- Variables ------------------------------------------------------------------------------------

TYPED = """goal = "{{s}} {{ i }} {{n}} {{b}} {{f}}"
system = "{{s}}"
[vars.s]
pattern = "A-[0-9]+"
[vars.i]
type = "integer"
choices = [1, 2, 10]
[vars.n]
type = "number"
default = 0.5
[vars.b]
type = "boolean"
[vars.f]
type = "file"
"""


def test_variables_are_typed_and_filled_in(task, tmp_path):
    (tmp_path / "mail.txt").write_text("Dear {{s}}")
    filled = fill(task(TYPED), {"s": "A-1", "i": "10", "b": "TRUE", "f": "mail.txt"})

    assert "A-1 10 0.5 true Dear {{s}}" == filled.goal
    assert "A-1" == filled.system
    assert {"s": "A-1", "i": 10, "n": 0.5, "b": True, "f": "Dear {{s}}"} == filled.values


def test_every_variable_that_does_not_fit_is_told_at_once(task):
    problems = refused(fill, task(TYPED), {"s": "B-1", "i": "3", "n": "many", "b": "maybe", "x": "1"})

    assert [
        ("vars", "no variable is called 'x'", "there is: s, i, n, b, f"),
        ("vars.s", "expected a text that matches 'A-[0-9]+', got 'B-1'", ""),
        ("vars.i", "expected one of: 1, 2, 10, got '3'", ""),
        ("vars.n", "expected a number, got 'many'", ""),
        ("vars.b", "expected true or false, got 'maybe'", ""),
        ("vars.f", "no value is given for this variable", "give one: --var f=…"),
    ] == [(each.key, each.message, each.suggestion) for each in problems]
    assert [5, 7, 10, 13, 15] == [each.line for each in problems[1:]]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "1_000"),
        ("integer", ""),
        ("integer", "٣"),
        ("number", "nan"),
        ("number", "inf"),
        ("number", "1e999"),
        ("boolean", "yes"),
        ("boolean", "1"),
        ("file", "nowhere.txt"),
        ("file", "."),
    ],
)
def test_nothing_is_bent_into_a_type(task, kind, text):
    loaded = task(f'goal = "{{{{v}}}}"\n[vars.v]\ntype = "{kind}"\n')
    (problem,) = refused(fill, loaded, {"v": text})

    assert "vars.v" == problem.key


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("-2", -2), (" 1.50 ", 1.5), ("1e3", 1000.0), (".5", 0.5)])
def test_numbers_are_read_as_people_write_them(task, text, value):
    loaded = task('goal = "{{v}}"\n[vars.v]\ntype = "number"\n')

    assert {"v": value} == fill(loaded, {"v": text}).values


def test_an_unknown_variable_gets_the_nearest_name(task):
    loaded = task('goal = "{{order}}"\n[vars.order]\ndefault = "A"\n')
    (problem,) = refused(fill, loaded, {"oder": "A-1"})

    assert 'did you mean "order"?' == problem.suggestion


def test_a_required_variable_is_asked_for_even_where_it_is_not_used(task):
    loaded = task('goal = "Go."\n[vars.order]\nrequired = true\n[vars.note]\n')
    (problem,) = refused(fill, loaded, {})

    assert ("vars.order", "give one: --var order=…") == (problem.key, problem.suggestion)


def test_a_default_file_is_looked_for_beside_the_task_a_given_one_where_the_person_stands(task, tmp_path, monkeypatch):
    (tmp_path / "mail.txt").write_text("beside")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mail.txt").write_text("here")
    loaded = task('goal = "{{f}}"\n[vars.f]\ntype = "file"\ndefault = "mail.txt"\n')
    monkeypatch.chdir(tmp_path / "here")

    assert "beside" == fill(loaded, {}).goal
    assert "here" == fill(loaded, {"f": "mail.txt"}).goal
    assert "beside" == fill(loaded, {"f": "mail.txt"}, folder=tmp_path).goal


def test_secret_values_are_known_and_shown_nowhere(task):
    loaded = task('goal = "{{pin}}"\n[vars.pin]\nsecret = true\npattern = "[0-9]+"\n')
    filled = fill(loaded, {"pin": "271828"})
    (problem,) = refused(fill, loaded, {"pin": "hunter2"})

    assert ("271828",) == filled.secrets
    assert "secrets" not in repr(filled)
    assert "hunter2" not in str(problem)


def test_steps_keep_the_type_of_a_variable_that_stands_alone(task):
    text = (
        'goal = "Go."\n[vars.n]\ntype = "integer"\n[[steps]]\ntool = "look"\nargs = { n = "{{n}}", t = ["#{{ n }}"] }\n'
    )
    filled = fill(task(text + TOOL), {"n": "5"})

    assert (Step("look", {"n": 5, "t": ["#5"]}),) == filled.steps


def test_other_braces_are_left_alone(task):
    loaded = task("goal = 'Use {x}, {{}}, {{ 1 }} and {% if %}.'\n")

    assert "Use {x}, {{}}, {{ 1 }} and {% if %}." == fill(loaded, {}).goal


# --- Properties -----------------------------------------------------------------------------------

FULL = (
    HEAD
    + TYPED
    + """
[vars.p]
secret = true
default = "x"
[[steps]]
tool = "look"
args = { id = "{{i}}", list = [{ a = 1 }] }
[output]
schema = { type = "object", required = ["status"], properties = { status = { enum = ["a", 1] } } }
[check]
command = ["true"]
"""
    + TOOL
    + """side_effects = "none"
timeout_seconds = 5
recovery = "reconcile"
verify = ["true"]
logs = ["tool.name"]
[[tools]]
use = "builtin:read_file"
roots = ["."]
[[tools]]
use = "mcp"
name = "fs"
url = "https://host/mcp"
"""
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_task_loads_or_is_invalid(tmp_path, changed, data):
    path = tmp_path / "t.toml"
    path.write_text(tomli_w.dumps(changed(data, toml.parse(FULL, "t.toml").data)))
    found = "loaded"
    try:
        load_task(path)
    except Invalid as error:
        found = error.problems

    assert found
    assert all(problem.line > 0 and problem.message for problem in found if found != "loaded")


@given(given=st.dictionaries(st.sampled_from(["s", "i", "n", "b", "f", "x", ""]), st.text(max_size=12)))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_fill_a_task_or_are_invalid(tmp_path, given):
    path = tmp_path / "t.toml"
    path.write_text(HEAD + TYPED)
    found = ("filled",)
    try:
        fill(load_task(path), given, folder=tmp_path)
    except Invalid as error:
        found = error.problems

    assert found
