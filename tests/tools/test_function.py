"""`python:MODULE:FUNCTION`: typed functions as tools, their schema, their failures, their noise."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentctl import errors
from agentctl.core.guards.args import Rules as Args
from agentctl.core.policy import Policy
from agentctl.core.task import Tool
from agentctl.tools.base import open_tools
from agentctl.tools.schema import schema_problem

ROOT = Path(__file__).parents[2]


@pytest.fixture
def function(opened, tmp_path):
    """The tool of a function `f` in a module `m` beside the task."""

    def make(source, name="f", module="m", **contract):
        file = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
        return opened(Tool(use=f"python:{module}:{name}", **contract))[0]

    return make


@pytest.fixture
def refused(function):
    def of(source, **named):
        with pytest.raises(errors.Invalid) as caught:
            function(source, **named)
        assert caught.value.hint
        assert "\n" not in caught.value.message
        return caught.value

    return of


def schema_of(tool, name="x"):
    assert schema_problem(tool.contract.parameters) is None
    return tool.contract.parameters["properties"][name]


# --- The schema ----------------------------------------------------------------------------------

SEARCH = '''
async def f(service: str, limit: int = 10) -> list[str]:
    """Search the logs of a service.

    Args:
        service: its name
        limit: most lines
    """
    return [service] * limit
'''


async def test_a_typed_function_is_a_tool(function, invocation):
    """D81, D86"""
    tool = function(SEARCH, module="orders.tools", side_effects="none")
    found = tool.contract

    assert (found.name, found.description, found.read_only) == ("f", "Search the logs of a service.", True)
    assert found.parameters == {
        "type": "object",
        "properties": {
            "service": {"type": "string", "description": "its name"},
            "limit": {"type": "integer", "default": 10, "description": "most lines"},
        },
        "additionalProperties": False,
        "required": ["service"],
    }
    assert (await tool.run(invocation({"service": "a", "limit": 2}))).data == ["a", "a"]
    assert len((await tool.run(invocation({"service": "a"}))).data) == 10


def test_labels_and_tier_are_those_of_any_tool_of_which_nothing_is_known(function):
    found = function(SEARCH).contract

    assert (found.untrusted, found.egress, found.base_tier, found.side_effects) == (True, True, None, None)
    assert function(SEARCH, name="f").contract.digest == found.digest
    assert function(SEARCH.replace("10", "11")).contract.digest != found.digest


@pytest.mark.parametrize(
    ("annotation", "schema", "good", "bad"),
    [
        ("str", {"type": "string"}, "a", ["a"]),
        ("int", {"type": "integer"}, 5, "5"),
        ("int", {"type": "integer"}, 5, 5.0),
        ("int", {"type": "integer"}, 5, True),
        ("float", {"type": "number"}, 5, "5.0"),
        ("bool", {"type": "boolean"}, True, 1),
        ("None", {"type": "null"}, None, 0),
        ("list[str]", {"type": "array", "items": {"type": "string"}}, ["a"], "a"),
        ("dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": "1"}),
        ("dict", {"type": "object", "additionalProperties": True}, {"a": [1]}, [1]),
        ("Optional[str]", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None, 5),
        ("int | str", {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "a", 1.5),
        ("Literal['a', 'b']", {"type": "string", "enum": ["a", "b"]}, "b", "c"),
        ("Colour", None, "red", "RED"),
        ("set[int]", {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, [1, 2], [1, 1]),
        ("tuple[int, str]", None, [1, "a"], [1, 2]),
        ("Any", {}, [1], None),
        ("datetime.date", {"type": "string", "format": "date"}, "2026-01-02", 5),
        ("Annotated[int, Field(ge=1, le=9)]", {"type": "integer", "minimum": 1, "maximum": 9}, 9, 10),
        ("Annotated[str, 'the id']", {"type": "string", "description": "the id"}, "x", 1),
        ("Point", None, {"x": 1}, {"x": 1, "z": 2}),
        ("Point", None, {"x": 1, "y": 2}, {"x": "1"}),
        ("list[Point]", None, [{"x": 1}], [{"y": 1}]),
        ("Row", None, {"id": "a"}, {"id": "a", "more": 1}),
        ("Model", None, {"id": "a"}, {"id": 1}),
        ("Tree", None, {"below": [{"below": []}]}, {"below": [{"below": [5]}]}),
        ("'Point'", None, {"x": 1}, {"x": None}),
    ],
)
async def test_every_kind_of_annotation(function, invocation, annotation, schema, good, bad):
    """A03, A04"""
    tool = function(
        "import dataclasses, datetime, enum\n"
        "from typing import Annotated, Any, Literal, Optional\n"
        "from pydantic import BaseModel, Field\n"
        "from typing_extensions import TypedDict\n"
        "class Colour(enum.Enum):\n    RED = 'red'\n"
        "@dataclasses.dataclass\nclass Point:\n    x: int\n    y: int = 0\n"
        "@dataclasses.dataclass\nclass Tree:\n    below: 'list[Tree]'\n"
        "class Row(TypedDict):\n    id: str\n"
        "class Model(BaseModel):\n    id: str\n"
        f"def f(x: {annotation}) -> str:\n    return type(x).__name__\n"
    )
    check = tool.contract.check

    if schema is not None:
        assert schema_of(tool) == schema
    assert check({"x": good}) is None
    assert bad is None or check({"x": bad}) is not None
    assert (await tool.run(invocation({"x": good}))).ok


def test_a_list_for_a_string_is_refused_and_so_is_an_unknown_key(function):
    """A04, A05"""
    check = function(SEARCH).contract.check

    assert check({"service": ["a"]}).problem == "'service' must be string, got array"
    assert check({"service": "a", "servce": "b"}) is not None
    assert check({}) is not None


async def test_what_the_schema_lets_pass_the_types_still_refuse(opened, invocation, tmp_path):
    """A04"""
    (tmp_path / "m.py").write_text("import datetime\ndef f(day: datetime.date) -> str:\n    return day.isoformat()\n")
    (tool,) = opened(Tool(use="python:m:f"), policy=Policy(args=Args(strict=False)))

    assert (await tool.run(invocation({"day": "2026-01-02"}))).data == "2026-01-02"
    for args in ({"day": "2026-13-02"}, {"day": 5}, {"day": "2026-01-02", "more": 1}, {"day": "\ud800"}):
        found = await tool.run(invocation(args))
        assert found.code == "INVALID_ARGS"
        assert "'" in found.message
        found.text().encode()


def test_no_parameter_is_called_wrongly_by_its_name(function):
    tool = function("def f(json: str, copy: int, model_config: int, title: str, _x: int) -> None: ...\n")

    assert list(tool.contract.parameters["properties"]) == ["json", "copy", "model_config", "title", "_x"]


def test_defaults_are_shown_where_json_can_say_them(function):
    tool = function(
        "import enum, math, pathlib\n"
        "class E(enum.Enum):\n    A = 'a'\n"
        "def f(a: int | None = None, b: E = E.A, c: float = math.nan, d: object = object(), e: list[int] = [1]): ...\n"
    )
    shown = {name: each.get("default", "-") for name, each in tool.contract.parameters["properties"].items()}

    assert shown == {"a": None, "b": "a", "c": "-", "d": "-", "e": [1]}
    assert "required" not in tool.contract.parameters


# --- Functions that are none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("\n\ndef f(x): ...\n", 3, "'x' has no type"),
        ("def f(*x: int): ...\n", 1, "'*x' takes anything"),
        ("def f(**x: int): ...\n", 1, "'**x' takes anything"),
        ("def f(x: int, /): ...\n", 1, "'x' can't be given by its name"),
        ("def f(x: 'Nope'): ...\n", 1, "a type is not known"),
        ("class C: ...\ndef f(x: C): ...\n", 2, "'x' has a type that JSON can't say"),
        ("from typing import Callable\ndef f(x: Callable[[], int]): ...\n", 2, "'x' has a type that JSON can't say"),
        ("def f(x: int):\n    yield x\n", 1, "'f' is a generator"),
        ("async def f(x: int):\n    yield x\n", 1, "'f' is a generator"),
        ("x = 1\nf = 5\n", 0, "'f' is no function but int"),
        ("class f: ...\n", 0, "'f' is no function but type"),
        ("def ff(): ...\n", 0, "there is no 'f' in it"),
        ("\ndef f(:\n", 2, "it is no Python"),
        ("x = 1\nraise ValueError('not\\ntoday')\n", 2, "it fails while it is imported: not today"),
        ("import sys\nsys.exit(0)\n", 2, "it ends the program while it is imported"),
        ("\nimport no_such_library\n", 2, "it imports 'no_such_library', which is not there"),
    ],
)
def test_what_is_no_tool_is_refused_with_its_place(refused, tmp_path, source, line, words):
    found = refused(source)
    (problem,) = found.problems

    assert words in found.message
    assert (problem.file, problem.line) == (str(tmp_path / "m.py"), line)
    assert problem.key == "python:m:f"
    assert found.exit_code == 3


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes the library's own from 3.12 on")
def test_a_typed_dict_of_the_wrong_library_is_told_where_the_right_one_is(refused):
    found = refused("from typing import TypedDict\nclass Row(TypedDict):\n    id: str\ndef f(x: Row): ...\n")

    assert "typing_extensions" in found.hint


def test_a_module_that_is_nowhere_is_refused(opened):
    with pytest.raises(errors.Invalid, match=r"no module 'no\.such'"):
        opened(Tool(use="python:no.such:f"))


def test_a_misspelt_name_is_guessed(refused):
    assert "'find'" in refused("def find(): ...\n", name="fimd").hint


# --- Where modules come from ----------------------------------------------------------------------


async def test_modules_of_the_same_name_do_not_mix(invocation, tmp_path):
    tools = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "lib").mkdir(parents=True)
        (folder / "shared.py").write_text(f"NAME = {name!r}\n")
        (folder / "lib" / "__init__.py").write_text("")
        (folder / "lib" / "deep.py").write_text("from shared import NAME as DEEP\n")
        (folder / "m.py").write_text(
            "from shared import NAME\nfrom lib.deep import DEEP\nimport lib.deep\n"
            "def f() -> list[str]:\n    return [NAME, DEEP, lib.deep.DEEP]\n"
        )
        tools += open_tools_in(folder, Tool(use="python:m:f"))

    assert [(await tool.run(invocation())).data for tool in tools] == [["one"] * 3, ["two"] * 3]


def open_tools_in(folder, *entries):
    from agentctl.core.task import Task

    return open_tools(Task(version=1, name="t", tools=entries), folder, Policy())


def test_nothing_is_left_behind(function, tmp_path):
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "m2.py").touch()
    function("import sys\nimport m2\nsys.path.append('/x')\ndef f(): ...\n")

    assert sys.path == path
    assert not (set(sys.modules) - modules) & {"m", "m2"}
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_module_of_another_place_is_not_taken_for_the_tasks(function, monkeypatch):
    import types

    other = types.ModuleType("m")
    monkeypatch.setitem(sys.modules, "m", other)

    assert function("def f(): ...\n").function.__module__ == "m"
    assert sys.modules["m"] is other


async def test_two_functions_share_their_module_and_a_changed_file_is_read_again(opened, invocation, tmp_path):
    (tmp_path / "m.py").write_text(
        "SEEN = []\ndef put(x: int) -> None:\n    SEEN.append(x)\ndef got() -> list[int]:\n    return SEEN\n"
    )
    put, got = opened(Tool(use="python:m:put"), Tool(use="python:m:got"))
    await put.run(invocation({"x": 1}))

    assert (await got.run(invocation())).data == [1]
    (tmp_path / "m.py").write_text("def got() -> str:\n    return 'new'\n")
    assert (await opened(Tool(use="python:m:got"))[0].run(invocation())).data == "new"


async def test_a_module_of_the_path_is_found_when_the_task_has_none(opened, invocation):
    with pytest.raises(errors.Invalid, match="'obj' has no type"):
        opened(Tool(use="python:json:dumps"))  # found, and not typed


def test_nothing_is_imported_before_it_is_opened(tmp_path):
    (tmp_path / "m.py").write_text("import pathlib\npathlib.Path('touched').touch()\ndef f(): ...\n")
    code = "import sys, agentctl.tools.base; assert not {'agentctl.tools.function', 'httpx2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})

    assert not (tmp_path / "touched").exists()


# --- Calls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    ("raised", "error_type", "message"),
    [
        ("TimeoutError('too slow')", "transient", "too slow"),
        ("ConnectionResetError('gone')", "transient", "gone"),
        ("TimeoutError()", "transient", "TimeoutError"),
        ("PermissionError('no key')", "permanent", "Permission denied: no key. Cannot complete this step."),
        ("ValueError('no such\\norder')", "permanent", "no such order"),
        ("KeyError('id')", "permanent", "KeyError: 'id'"),
        ("RuntimeError('\\x1b[31mred')", "permanent", "[31mred"),
        ("ExceptionGroup('g', [ConnectionError('one')])", "transient", "one"),
        ("SystemExit(3)", "permanent", "The function tried to end the program (SystemExit)."),
        ("KeyboardInterrupt()", "permanent", "The function tried to end the program (KeyboardInterrupt)."),
        ("__import__('asyncio').CancelledError()", "permanent", "The function cancelled itself."),
    ],
)
async def test_what_is_raised_is_one_line(function, invocation, kind, raised, error_type, message):
    """D13, D115, B17"""
    found = await function(f"{kind} f() -> None:\n    raise {raised}\n").run(invocation())

    assert (found.status, found.error_type, found.message) == ("error", error_type, message)
    assert "Traceback" not in found.text()


async def test_a_synchronous_function_that_takes_too_long_is_left_behind(function, invocation):
    """B13"""
    tool = function("import time\ndef f(s: float) -> str:\n    time.sleep(s)\n    return 'late'\n")
    started = time.monotonic()
    found = await tool.run(invocation({"s": 1.0}, timeout_s=0.1))

    assert (found.message, found.error_type) == ("Timeout after 0.1s", "transient")
    assert time.monotonic() - started < 0.9
    assert (await tool.run(invocation({"s": 0.0}))).data == "late"


async def test_an_asynchronous_function_that_takes_too_long_is_cancelled(function, invocation, tmp_path):
    """B13"""
    tool = function(
        "import asyncio, pathlib\nasync def f(path: str) -> None:\n"
        "    try:\n        await asyncio.sleep(30)\n"
        "    except asyncio.CancelledError:\n        pathlib.Path(path).touch()\n        raise\n"
    )
    found = await tool.run(invocation({"path": str(tmp_path / "cancelled")}, timeout_s=0.1))

    assert found.message == "Timeout after 0.1s"
    assert (tmp_path / "cancelled").exists()


async def test_a_coroutine_that_refuses_to_end_holds_up_nobody(function, invocation, monkeypatch):
    monkeypatch.setattr("agentctl.tools.function.GRACE_S", 0.1)
    tool = function(
        "import asyncio\nasync def f() -> None:\n"
        "    for _ in range(8):\n        try:\n            await asyncio.sleep(0.2)\n"
        "        except asyncio.CancelledError:\n            pass\n    raise ValueError('late')\n"
    )

    started = time.monotonic()
    assert (await tool.run(invocation(timeout_s=0.1))).message == "Timeout after 0.1s"
    assert time.monotonic() - started < 1.0
    await asyncio.sleep(1.7)


async def test_a_cancelled_call_is_cancelled(function, invocation, tmp_path):
    tool = function(
        "import asyncio, pathlib\nasync def f(path: str) -> None:\n"
        "    try:\n        await asyncio.sleep(30)\n    finally:\n        pathlib.Path(path).touch()\n"
    )
    task = asyncio.create_task(tool.run(invocation({"path": str(tmp_path / "done")})))
    await asyncio.sleep(0.1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "done").exists()


async def test_many_stuck_functions_do_not_stop_others(function, invocation):
    tool = function("import time\ndef f(s: float) -> str:\n    time.sleep(s)\n    return 'done'\n")
    stuck = [asyncio.create_task(tool.run(invocation({"s": 1.5}))) for _ in range(40)]
    await asyncio.sleep(0.1)

    assert (await tool.run(invocation({"s": 0.0}, timeout_s=1.0))).data == "done"
    assert all(found.ok for found in await asyncio.gather(*stuck))


def test_a_stuck_function_does_not_hold_up_the_end_of_the_program(tmp_path):
    (tmp_path / "m.py").write_text("import time\ndef f() -> None:\n    time.sleep(60)\n")
    code = (
        "import asyncio; from pathlib import Path\n"
        "from agentctl.core.policy import Policy; from agentctl.core.task import Task, Tool\n"
        "from agentctl.tools.base import Invocation, open_tools\n"
        "(t,) = open_tools(Task(version=1, name='t', tools=(Tool(use='python:m:f'),)), Path('.'), Policy())\n"
        "print(asyncio.run(t.run(Invocation('r', 'c', 'k', {}, 0.1))).message)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        timeout=30,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        check=True,
    )

    assert (ended.stdout, ended.stderr) == (b"Timeout after 0.1s\n", b"")


async def test_a_plain_function_runs_beside_the_loop(function, invocation):
    tool = function("import threading\ndef f() -> int:\n    return threading.get_ident()\n")

    assert (await tool.run(invocation())).data != threading.get_ident()


async def test_a_plain_function_may_hand_out_a_coroutine(function, invocation):
    source = (
        "import functools\ndef wrapped(g):\n"
        "    @functools.wraps(g)\n    def inner(**k):\n        return g(**k)\n    return inner\n"
    )
    tool = function(source + "@wrapped\nasync def f(x: int) -> int:\n    return x + 1\n")

    assert (await tool.run(invocation({"x": 1}))).data == 2


# --- Results and noise -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "data"),
    [
        ("None", None),
        ("{'a': {1, 2}}", {"a": [1, 2]}),
        ("float('nan')", "nan"),
        ("'\\ud800'", "\\ud800"),
        ("b'abc'", "abc"),
        ("object()", "<object>"),
        ("M(id=1)", {"id": 1}),
        ("[M(id=1)]", [{"id": 1}]),
        ("{'status': 'success'}", None),
        ("{'status': 'open'}", {"status": "open"}),
        ("{'status': 'success', 'id': 1}", {"status": "success", "id": 1}),
        ("{'status': 'success', 'data': 5}", 5),
    ],
)
async def test_results_are_json(function, invocation, result, data):
    """D23, D115"""
    tool = function(
        f"from pydantic import BaseModel\nclass M(BaseModel):\n    id: int\ndef f():\n    return {result}\n"
    )
    found = await tool.run(invocation())

    assert (found.ok, found.data) == (True, data)
    found.text().encode()


async def test_an_envelope_is_taken_as_one(function, invocation):
    """D24, D28"""
    source = (
        "def f():\n    return {'status': 'error', 'error_type': 'transient', 'retry_safe': True, 'message': 'busy'}\n"
    )
    found = await function(source).run(invocation())
    broken = await function(source.replace("True", "'yes'")).run(invocation())

    assert (found.error_type, found.retry_safe, found.message) == ("transient", True, "busy")
    assert "retry_safe" in broken.message


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_what_is_printed_is_seen_nowhere(function, invocation, capfd, kind):
    tool = function(
        "import sys\nprint('while importing')\n"
        f"{kind} f() -> str:\n"
        "    print('noise')\n    sys.stderr.write('noise')\n    sys.stdout.buffer.write(b'noise')\n"
        "    try:\n        return input('a question')\n    except EOFError:\n        return 'nobody there'\n"
    )
    found = await tool.run(invocation())
    print("mine")  # noqa: T201 -- is it still heard?

    assert found.data == "nobody there"
    assert capfd.readouterr() == ("mine\n", "")


async def test_others_are_heard_while_a_function_is_silent(function, invocation, capsys):
    tool = function(
        "import time\ndef f() -> None:\n    for _ in range(20):\n        print('noise')\n        time.sleep(0.01)\n"
    )
    running = asyncio.create_task(tool.run(invocation()))
    for _ in range(5):
        await asyncio.sleep(0.02)
        print("answer")  # noqa: T201 -- see above
    await running

    assert capsys.readouterr().out == "answer\n" * 5
