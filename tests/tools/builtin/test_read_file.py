"""`read_file` answers with text, by lines, and with a reason where there is none."""

import asyncio
import json
import os
import threading

import pytest

from agentctl.core.task import Tool
from agentctl.tools.builtin.read_file import READ_LIMIT


@pytest.fixture
def read(opened, ask):
    (tool,) = opened(Tool(use="builtin:read_file", roots=(".",)))

    async def call(path, **args):
        return await ask(tool, {"path": path, **args})

    return call


async def test_a_file_is_read(read, tmp_path):
    """D23"""
    (tmp_path / "a.txt").write_text("one\ntwo\n")

    found = await read("a.txt")

    assert found.status == "success"
    assert found.data == {"path": "a.txt", "text": "one\ntwo\n", "lines": 2, "truncated": False}


async def test_a_file_is_read_by_pieces(read, tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"line {n}\n" for n in range(10)) + "end")

    first = await read("a.txt", limit=4)
    middle = await read("a.txt", offset=4, limit=6)
    last = await read("a.txt", offset=10, limit=5)

    assert first.data["text"] == "line 0\nline 1\nline 2\nline 3\n"
    assert (first.data["lines"], first.data["truncated"]) == (4, True)
    assert middle.data["text"].startswith("line 4\n")
    assert middle.data["truncated"] is True
    assert last.data == {"path": "a.txt", "text": "end", "lines": 1, "truncated": False}


async def test_pieces_put_together_are_the_file(read, tmp_path):
    whole = "".join(f"{'é' * (n % 70)}\r\n" for n in range(40_000))
    (tmp_path / "big.txt").write_bytes(whole.encode())
    text, offset, more = "", 0, True
    while more:
        data = (await read("big.txt", offset=offset)).data
        assert len(data["text"].encode()) <= READ_LIMIT
        text, offset, more = text + data["text"], offset + data["lines"], data["truncated"]

    assert text == whole


async def test_a_carriage_return_is_no_line(read, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\rb\nc\nd\n")

    found = await read("a.txt", limit=2)

    assert (found.data["text"], found.data["lines"]) == ("a\rb\nc\n", 2)


async def test_past_the_end_there_is_nothing(read, tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "empty").write_text("")

    assert (await read("a.txt", offset=5)).data["text"] == ""
    assert (await read("empty")).data == {"path": "empty", "text": "", "lines": 0, "truncated": False}


async def test_one_endless_line_is_cut_between_characters(read, tmp_path):
    (tmp_path / "a.txt").write_text("é" * READ_LIMIT)

    found = await read("a.txt")

    assert found.data["truncated"] is True
    assert set(found.data["text"]) == {"é"}
    assert "note" not in found.data


async def test_a_binary_file_is_refused_in_words(read, tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\0\0")

    found = await read("a.png")

    assert found.message == "'a.png' is a binary file; only text can be read."
    assert found.retry_safe is False


async def test_bytes_that_are_not_utf8_are_replaced_with_a_note(read, tmp_path):
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    (tmp_path / "honest.txt").write_text("\ufffd")

    assert (await read("latin.txt")).data["note"] == "Bytes that are not UTF-8 were replaced."
    assert "note" not in (await read("honest.txt")).data


async def test_a_file_outside_is_refused_in_the_words_of_a_permission(read):
    """B17"""
    assert (await read("../x")).message == (
        "Permission denied: '../x' is outside the allowed folders. Cannot complete this step."
    )


async def test_a_fifo_does_not_hang(read, tmp_path):
    os.mkfifo(tmp_path / "pipe")

    found = await asyncio.wait_for(read("pipe"), 2)

    assert "is not an ordinary file" in found.message


async def test_the_loop_goes_on_while_a_large_file_is_read(read, tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 200_000)
    seen = []

    async def tick():
        seen.append(threading.get_ident())

    found, _ = await asyncio.gather(read("big"), tick())

    assert found.ok
    assert seen


async def test_a_file_that_comes_too_slowly_is_a_timeout(opened, invocation, tmp_path, monkeypatch):
    import agentctl.tools.builtin.read_file as module

    (tool,) = opened(Tool(use="builtin:read_file"))
    (tmp_path / "big").write_bytes(b"x" * 200_000)
    release = threading.Event()
    real = module._read
    monkeypatch.setattr(module, "_read", lambda *args: (release.wait(5), real(*args))[1])
    try:
        found = await tool.run(invocation({"path": "big"}, timeout_s=0.05))
    finally:
        release.set()

    assert found.message == "Timeout after 0.05s"
    assert found.error_type == "transient"


async def test_unchecked_arguments_are_an_answer_too(opened, invocation):
    (tool,) = opened(Tool(use="builtin:read_file"))

    assert (await tool.run(invocation({"path": 5}))).code == "INVALID_ARGS"
    assert (await tool.run(invocation({}))).code == "INVALID_ARGS"


def test_its_parameters_refuse_what_makes_no_sense(opened):
    (tool,) = opened(Tool(use="builtin:read_file"))

    for args in ({}, {"path": ""}, {"path": "x", "offset": -1}, {"path": "x", "limit": 0}, {"path": "x", "o": 1}):
        assert tool.contract.check(args) is not None
    json.dumps(tool.contract.parameters)


def test_a_rule_sees_its_path_from_every_folder_that_it_may_begin_in(opened, tmp_path):
    (tmp_path / "root").mkdir(exist_ok=True)
    (tool,) = opened(Tool(use="builtin:read_file", roots=("root",)))

    assert {str(tmp_path), str(tmp_path / "root")} == set(tool.contract.folders)
