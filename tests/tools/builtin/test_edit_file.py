"""`edit_file` changes one exact piece of a text file and nothing else of it."""

import os
import stat
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.core.task import Tool
from agentctl.core.tiers import Tier
from agentctl.tools.builtin import edit_file

pytestmark = pytest.mark.usefixtures("nothing_is_left")


@pytest.fixture
def tool(opened, root):
    return opened(Tool(use="builtin:edit_file", roots=("root",)))[0]


@pytest.fixture
def edit(tool, ask):
    async def call(path, old, new):
        return await ask(tool, {"path": path, "old": old, "new": new})

    return call


def test_editing_is_low_local_and_not_repeated(tool):
    found = tool.contract

    assert (found.base_tier, found.side_effects, found.idempotent) == (Tier.LOW, "local", False)
    assert (found.retry_policy, found.recovery) == ("none", "ask")


async def test_one_piece_is_replaced(edit, root):
    (root / "a.py").write_text("one\ntwo\nthree\n")
    found = await edit("a.py", "two\n", "zwei\ndrei\n")

    assert found.data == {"path": "a.py", "line": 2, "bytes": 20}
    assert (root / "a.py").read_text() == "one\nzwei\ndrei\nthree\n"


async def test_a_piece_that_is_there_more_than_once_is_refused_with_its_lines(edit, root):
    (root / "a").write_text("x = 1\ny = 2\nx = 1\n")
    found = await edit("a", "x = 1", "x = 3")

    assert found.error_type == "permanent"
    assert found.message == "`old` is in 'a' 2 times; it must be there once."
    assert "line 1, 3." in found.hint
    assert (root / "a").read_text() == "x = 1\ny = 2\nx = 1\n"


@pytest.mark.parametrize(("text", "old", "times"), [("aaa", "aa", "2"), ("a" * 5000, "a", "at least 1000")])
async def test_pieces_that_overlap_are_counted(edit, root, text, old, times):
    (root / "a").write_text(text)

    assert f" {times} times" in (await edit("a", old, "b")).message


async def test_a_piece_that_is_not_there_is_refused(edit, root):
    (root / "a").write_text("one\n")
    found = await edit("a", "One", "two")

    assert (found.message, found.error_type) == ("`old` is not in 'a'.", "permanent")
    assert found.hint.startswith("Read the file again")


async def test_a_change_that_is_none_is_refused(edit, root):
    (root / "a").write_text("one")

    assert "nothing would change" in (await edit("a", "one", "one")).message


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\n", "a\nb", "c\nd\ne", b"c\r\nd\r\ne\r\n"),
        (b"a\r\nb\r\n", "a\r\nb", "c\r\nd", b"c\r\nd\r\n"),
        (b"a\nb", "a\r\nb", "c\r\nd", b"c\nd"),
        (b"a\nb", "b", "c", b"a\nc"),
        (b"a\nb\n", "b\n", "", b"a\n"),
        (b"a\nb\r\nc", "b\r\nc", "x\ny", b"a\nx\ny"),
        (b"a", "a", "b\r\nc", b"b\r\nc"),
        (b"\xef\xbb\xbfa\n", "a", "b", b"\xef\xbb\xbfb\n"),
        ("\x0bä\u2028\n".encode(), "ä", "ö", "\x0bö\u2028\n".encode()),
    ],
)
async def test_line_ends_stay_what_they_were(edit, root, before, old, new, after):
    (root / "a").write_bytes(before)
    found = await edit("a", old, new)

    assert found.ok, found.message
    assert (root / "a").read_bytes() == after


async def test_the_mode_is_kept(edit, root):
    (root / "a").write_text("one")
    (root / "a").chmod(0o750)
    await edit("a", "one", "two")

    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o750


@pytest.mark.parametrize(("data", "words"), [(b"caf\xe9 one", "is not UTF-8 (byte 3)"), (b"one\0", "is a binary file")])
async def test_what_is_no_text_is_left_alone(edit, root, data, words):
    (root / "a").write_bytes(data)

    assert words in (await edit("a", "one", "two")).message
    assert (root / "a").read_bytes() == data


async def test_what_is_too_large_is_left_alone(edit, root, monkeypatch):
    monkeypatch.setattr(edit_file, "MOST", 10)
    (root / "a").write_text("one" + "x" * 10)
    (root / "b").write_text("one")

    assert "is larger than 10 bytes" in (await edit("a", "one", "two")).message
    assert "would become larger" in (await edit("b", "one", "x" * 11)).message


async def test_half_a_surrogate_is_refused(edit, root):
    (root / "a").write_text("one")

    assert (await edit("a", "one", "\ud800")).code == "INVALID_ARGS"
    assert "not in" in (await edit("a", "\ud800", "x")).message


# --- Ways out ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["../secret.txt", "/etc/hostname", "link", "folder/secret.txt", "hole/../../secret.txt"]
)
async def test_nothing_outside_is_read_or_written(edit, root, path):
    (root / "link").symlink_to("../secret.txt")
    (root / "folder").symlink_to("..")
    found = await edit(path, "outside", "inside")

    assert found.message.startswith("Permission denied: ")


async def test_a_file_that_is_not_there_is_told(edit):
    assert (await edit("no/a", "x", "y")).message == "no/a not found or access denied."
    assert (await edit("a", "x", "y")).message == "a not found or access denied."


async def test_what_is_no_ordinary_file_is_not_opened(edit, root):
    os.mkfifo(root / "fifo")
    (root / "folder").mkdir()

    assert "not an ordinary file" in (await edit("fifo", "x", "y")).message
    assert "is a folder" in (await edit("folder", "x", "y")).message


async def test_the_own_environment_is_not_searched_even_from_the_root_of_all(opened, invocation):
    (tool,) = opened(Tool(use="builtin:edit_file", roots=("/",)))
    found = await tool.run(invocation({"path": "/proc/self/environ", "old": "PATH=", "new": "X="}))

    assert found.message.startswith("Permission denied: ")


async def test_instructions_are_left_alone_and_nothing_is_said_of_their_content(edit, root):
    (root / "AGENTS.md").write_text("one")
    (root / "t.toml").write_text('version = 1\ngoal = "one"\n')

    for old in ("one", "two"):
        assert "a person has to write it" in (await edit("AGENTS.md", old, "x")).message
    assert "a task or policy" in (await edit("t.toml", "one", "x")).message
    assert (root / "AGENTS.md").read_text() == "one"


async def test_a_read_only_file_is_left_alone(edit, root):
    (root / "a").write_text("one")
    (root / "a").chmod(0o400)

    assert "is read-only" in (await edit("a", "one", "two")).message


async def test_a_hard_link_is_replaced_and_not_written_through(edit, root):
    os.link(root.parent / "secret.txt", root / "a")

    assert (await edit("a", "outside", "inside")).ok
    assert (root / "a").read_text() == "inside"


async def test_someone_elses_change_is_not_lost(edit, root, monkeypatch):
    (root / "a").write_text("one")
    real = os.fsync

    def meanwhile(descriptor):
        (root / "a").write_text("theirs")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    found = await edit("a", "one", "two")

    assert (found.error_type, found.message) == (
        "transient",
        "'a' was changed by someone else meanwhile. Read it again.",
    )
    assert (root / "a").read_text() == "theirs"


async def test_a_file_that_is_swapped_for_a_link_is_never_followed(edit, root):
    ended = threading.Event()

    def swap():
        while not ended.is_set():
            (root / "temporary").symlink_to("../secret.txt")
            (root / "temporary").replace(root / "a")
            (root / "temporary").write_text("inside")
            (root / "temporary").replace(root / "a")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        found = [await edit("a", "outside", "x") for _ in range(200)]
    finally:
        ended.set()
        thread.join()

    assert not any(each.ok for each in found)


# --- For any text -------------------------------------------------------------------------------------

texts = st.lists(st.sampled_from(["a", "b", " ", "\n", "\r\n", "é", "😀", "\ufeff"]), max_size=20).map("".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=texts, old=texts.filter(bool), tail=texts, new=texts)
async def test_an_edit_replaces_exactly_what_it_says_or_nothing(edit, root, head, old, tail, new):
    before = head + old + tail
    (root / "a").write_bytes(before.encode())
    found = await edit("a", old, new)
    after = (root / "a").read_bytes().decode()
    windows, unix = before.count("\r\n"), before.count("\n") - before.count("\r\n")

    if not found.ok:
        assert after == before
    elif (windows and unix) or not windows + unix:
        assert after == before.replace(old, new, 1)
    else:
        assert flat(after) == flat(before).replace(flat(old), flat(new), 1)
        assert after.count("\r\n") == (after.count("\n") if windows else 0)


def flat(text):
    return text.replace("\r\n", "\n")
