"""`list_files` lists a folder the same way every time."""

import os

import pytest

from agentctl.core.task import Tool


@pytest.fixture
def listing(opened, ask):
    (tool,) = opened(Tool(use="builtin:list_files"))

    async def call(**args):
        return await ask(tool, args)

    return call


async def test_names_kinds_and_sizes_in_order(listing, tmp_path):
    (tmp_path / "b.txt").write_text("12345")
    (tmp_path / "a").mkdir()
    (tmp_path / "c").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "d")

    found = await listing()

    assert found.data == {
        "path": ".",
        "entries": [
            {"name": "a", "kind": "folder"},
            {"name": "b.txt", "kind": "file", "size": 5},
            {"name": "c", "kind": "link"},
            {"name": "d", "kind": "other"},
        ],
        "truncated": False,
    }


async def test_a_long_list_is_cut_at_a_thousand_visibly_and_always_the_same(listing, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(1_005):
        (tmp_path / "many" / f"{number:04}").touch()

    found = await listing(path="many")

    assert [each["name"] for each in found.data["entries"]] == [f"{number:04}" for number in range(1_000)]
    assert found.data["truncated"] is True


async def test_names_that_are_not_utf8_are_shown_with_escapes(listing, tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9")).touch()

    assert (await listing()).data["entries"][0]["name"] == "caf\\udce9"


async def test_what_is_outside_missing_or_a_file_is_refused(listing, tmp_path):
    (tmp_path / "a.txt").touch()
    (tmp_path / "up").symlink_to("..")

    assert "outside the allowed folders" in (await listing(path="..")).message
    assert "Permission denied" in (await listing(path="up")).message
    assert (await listing(path="none")).message == "none not found or access denied."
    assert (await listing(path="a.txt")).message == "'a.txt' is not a folder."


async def test_unchecked_arguments_are_an_answer_too(opened, invocation):
    (tool,) = opened(Tool(use="builtin:list_files"))

    assert (await tool.run(invocation({"path": None}))).code == "INVALID_ARGS"
