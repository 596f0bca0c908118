"""Whatever a tool answers, the model gets data or one clear error, and the run goes on. D115, E33"""

import json
import os
import re
import sys
from pathlib import Path

from tests.runner.stage import Reply, calls, sent

ODD = '''
import dataclasses, datetime, decimal, enum, math, uuid
from collections import UserDict
from pydantic import BaseModel


class Mute:
    def __repr__(self):
        raise RuntimeError("no words")
    __str__ = __repr__


class Slippery(UserDict):
    def items(self):
        raise KeyError("gone")


class Word(str):
    def __str__(self):
        raise ValueError("not a word")


class Model(BaseModel):
    n: float = math.nan
    raw: bytes = b"\\xff\\xfe"


@dataclasses.dataclass
class Lazy:
    at: datetime.datetime

    @property
    def more(self):
        raise RuntimeError("never asked")


class Colour(enum.Enum):
    RED = object()


def circle():
    made = {"name": "ring"}
    made["self"] = [made]
    return made


def deep():
    made = "bottom"
    for _ in range(5_000):
        made = [made]
    return made


MADE = {
    "bytes": lambda: b"\\x00\\xff\\xfe",
    "nan": lambda: math.nan,
    "infinities": lambda: [math.inf, -math.inf, {"x": math.nan}],
    "circle": circle,
    "surrogates": lambda: {"a\\ud800": "b\\udfff"},
    "huge": lambda: 10**6_000,
    "set": lambda: {3, 1, 2},
    "mixed set": lambda: {1, "a", (2, 3)},
    "frozen": lambda: frozenset({frozenset({1})}),
    "dataclass": lambda: Lazy(datetime.datetime(2026, 5, 1, tzinfo=datetime.timezone.utc)),
    "dates": lambda: [datetime.date(2026, 5, 1), datetime.timedelta(1), decimal.Decimal("1.10"), uuid.UUID(int=1)],
    "deep": deep,
    "mute": Mute,
    "mute key": lambda: {Mute(): 1},
    "slippery": lambda: Slippery(a=1),
    "word": lambda: Word("x"),
    "model": Model,
    "enum": lambda: Colour.RED,
    "function": lambda: deep,
    "class": lambda: Model,
    "iterator": lambda: iter([1]),
    "complex": lambda: 1j,
    "exception": lambda: ValueError("as a value"),
    "nothing": lambda: None,
    "raises mute": lambda: (_ for _ in ()).throw(type("Odd", (Exception,), {"__str__": Mute.__repr__})()),
    "group": lambda: (_ for _ in ()).throw(ExceptionGroup("several", [ValueError("a\\ud800"), OSError(5, "io")])),
    "exit": lambda: (_ for _ in ()).throw(SystemExit(3)),
    "recursion": lambda: (_ for _ in ()).throw(RecursionError("too deep")),
}


def make(kind: str) -> object:
    """Make something odd."""
    return MADE[kind]()
'''
KINDS = re.findall(r'^    "([a-z ]+)": ', ODD, re.MULTILINE)


def check(stage, done):
    """Every answer is one of the two, and everything that was sent and written is plain JSON."""
    assert ("completed", 0) == (done.status, done.exit_code)
    for result in stage.results().values():
        assert result["status"] == "success" or (result["error_type"], result["retry_safe"]) == ("permanent", False)
        assert result["status"] == "success" or result["message"].strip()
        json.dumps(result, allow_nan=False, ensure_ascii=False).encode()
    sent(stage.asked()[-1]).encode()


async def test_whatever_a_function_returns_or_raises_is_an_answer(stage):
    """D115, D13, D23"""
    stage.folder.mkdir(parents=True)
    (stage.folder / "odd.py").write_text(ODD)
    stage.tools.append({"use": "python:odd:make", "name": "make", "side_effects": "none"})
    stage.policy(budget={"max_tool_errors": 99}, circuit={"tools": {"failure_threshold": 99}})
    stage.replies = [calls(*(("make", {"kind": kind}) for kind in KINDS)), Reply(text="done")]

    check(stage, await stage.run())

    said = dict(zip(KINDS, (result for _, result in sorted(stage.results().items(), key=_place)), strict=True))
    assert "nan" == said["nan"]["data"]
    assert [1, 2, 3] == said["set"]["data"]
    assert {"name": "ring", "self": ["<circular>"]} == said["circle"]["data"]
    assert {"at": "2026-05-01 00:00:00+00:00"} == said["dataclass"]["data"]
    assert "<Mute>" == said["mute"]["data"]
    assert {"slippery", "word", "raises mute", "group", "exit", "recursion"} == {
        kind for kind, result in said.items() if result["status"] == "error"
    }
    assert "0x" not in json.dumps([said["function"], said["iterator"], said["enum"]]), "an address differs every time"


def _place(item):
    step, _, number = item[0][1:].partition(".")
    return int(step), int(number)


WRITTEN = {
    "bytes": b"\x00\xff\xfe",
    "nan": b"NaN",
    "infinity": b'{"a": -Infinity}',
    "surrogate": b'"\\ud800"',
    "raw surrogate": b'"\xed\xa0\x80"',
    "huge": b"9" * 6_000,
    "too large": b"1e999",
    "deep": b"[" * 5_000 + b"]" * 5_000,
    "twice": b'{"a": 1, "a": 2}',
    "nothing": b"",
    "null": b"null",
    "control": b'"\x1b[31m\\u0000"',
    "bom": b"\xef\xbb\xbf{}",
    "envelope": b'{"status": "success", "retry_safe": "maybe"}',
    "odd envelope": b'{"status": "error", "error_type": "sideways"}',
}


async def test_whatever_a_program_writes_is_an_answer(stage):
    """D115, B01"""
    stage.folder.mkdir(parents=True)
    for name, raw in WRITTEN.items():
        (stage.folder / f"{name}.out").write_bytes(raw)
    read = "import json, sys; sys.stdout.buffer.write(open(json.load(sys.stdin)['id'] + '.out', 'rb').read())"
    (stage.folder / "tell.py").write_text(read)
    stage.tool("tell", f"{sys.executable} tell.py")
    stage.policy(budget={"max_tool_errors": 99}, results={"timeout_s": 30.0})
    stage.replies = [calls(*(("tell", {"id": name}) for name in WRITTEN)), Reply(text="done")]

    check(stage, await stage.run())

    said = dict(zip(WRITTEN, (result for _, result in sorted(stage.results().items(), key=_place)), strict=True))
    assert {"null"} == {name for name, result in said.items() if result["status"] == "success"}


def fill(held: Path) -> None:
    held.mkdir(parents=True)
    for name in (b"plain.txt", b"\xff\xfe.bin", "b\u0131di\u202e.txt".encode(), b"line\nbreak"):
        path = Path(os.fsdecode(os.fsencode(held) + b"/" + name))
        path.write_bytes(b"\x00\xff\xed\xa0\x80 \x1b[31m\xe2\x80\xae end")
    (held / "huge.txt").write_bytes(b"word " * 200_000)


async def test_whatever_a_file_holds_or_is_called_is_an_answer(stage):
    """D115, E33"""
    fill(stage.folder / "held")
    stage.tools += [
        {"use": f"builtin:{name}", "roots": ["held"]} for name in ("read_file", "list_files", "search_files")
    ]
    stage.replies = [
        calls(
            ("read_file", {"path": "held/plain.txt"}),
            ("read_file", {"path": "held/huge.txt"}),
            ("read_file", {"path": "held/\\udcff\\udcfe.bin"}),
            ("list_files", {"path": "held"}),
            ("search_files", {"path": "held", "pattern": "end"}),
        ),
        Reply(text="done"),
    ]

    check(stage, await stage.run())
