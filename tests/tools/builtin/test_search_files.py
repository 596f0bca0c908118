"""`search_files` finds lines in the same order every time and looks at nothing outside its roots."""

import os
import stat
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.task import Tool
from agentctl.core.tiers import Tier
from agentctl.tools import linear, walking
from agentctl.tools.builtin import search_files
from agentctl.tools.walking import fits

pytestmark = pytest.mark.usefixtures("no_descriptor_leaks")


@pytest.fixture
def search(opened, ask):
    (tool,) = opened(Tool(use="builtin:search_files"))

    async def call(pattern, timeout_s=30.0, **args):
        return await ask(tool, {"pattern": pattern, **args}, timeout_s=timeout_s)

    return call


def places(found):
    return [(each["file"], each["line"]) for each in found.data["matches"]]


def test_searching_is_safe_and_free_of_effects(opened):
    found = opened(Tool(use="builtin:search_files"))[0].contract

    assert (found.base_tier, found.read_only, found.recovery) == (Tier.SAFE, True, "rerun")
    assert (found.untrusted, found.private, found.egress) == (False, True, False)


async def test_matches_come_with_file_line_and_text_in_order(search, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "z.py").write_text("import os\r\n\r\n  import sys\r\n")
    (tmp_path / "a.py").write_text("import re")
    (tmp_path / "b.py").write_text("nothing\n")
    found = await search(r"^\s*import")

    assert found.data == {
        "path": ".",
        "matches": [
            {"file": "a.py", "line": 1, "text": "import re"},
            {"file": "b/z.py", "line": 1, "text": "import os"},
            {"file": "b/z.py", "line": 3, "text": "  import sys"},
        ],
        "files_searched": 3,
        "files_skipped": 0,
        "truncated": False,
    }


async def test_what_is_found_can_be_read_by_its_name(search, opened, invocation, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("needle")
    (read,) = opened(Tool(use="builtin:read_file"))

    for path in ("sub", "sub/", "sub/a.txt", str(tmp_path / "sub")):
        (match,) = (await search("needle", path=path)).data["matches"]
        assert (await read.run(invocation({"path": match["file"]}))).data["text"] == "needle"


async def test_the_limit_is_told(search, tmp_path):
    (tmp_path / "a").write_text("x\n" * 5)

    assert (await search("x", limit=5)).data["truncated"] is False
    found = await search("x", limit=4)
    assert (len(found.data["matches"]), found.data["truncated"]) == (4, True)


async def test_long_lines_are_cut_around_the_match(search, tmp_path):
    (tmp_path / "a").write_text("a" * 5000 + "needle" + "b" * 5000 + "\n" + "needle" + "c" * 1000)
    first, second = (await search("needle")).data["matches"]

    assert first["text"].startswith("…aaa")
    assert first["text"].endswith("b…")
    assert "needle" in first["text"]
    assert second["text"].startswith("needle")
    assert max(len(first["text"]), len(second["text"])) <= 302


async def test_binary_large_and_git_files_are_passed_over(search, tmp_path, monkeypatch):
    monkeypatch.setattr(walking, "LARGEST", 1000)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a").write_text("needle")
    (tmp_path / "binary").write_bytes(b"needle\0")
    (tmp_path / "large").write_text("needle" * 1000)
    (tmp_path / "latin").write_bytes(b"caf\xe9 needle")
    found = await search("needle")

    assert places(found) == [("latin", 1)]
    assert found.data["files_skipped"] == 2
    assert places(await search("needle", path=".git")) == [(".git/a", 1)]


@pytest.mark.parametrize(
    ("glob", "hits"),
    [
        ("*.py", ["a.py", "src/b.py", "src/deep/c.py"]),
        ("src/*.py", ["src/b.py"]),
        ("src/**/*.py", ["src/b.py", "src/deep/c.py"]),
        ("**/c.*", ["src/deep/c.py"]),
        ("./a.py", ["a.py"]),
        ("[!a].py", ["src/b.py", "src/deep/c.py"]),
        ("nothing", []),
    ],
)
async def test_globs(search, tmp_path, glob, hits):
    (tmp_path / "src" / "deep").mkdir(parents=True)
    for name in ("a.py", "src/b.py", "src/deep/c.py", "src/d.txt"):
        (tmp_path / name).write_text("x")

    assert [file for file, _ in places(await search("x", glob=glob))] == hits


@given(st.lists(st.sampled_from(["a", "b", "**", "*", "a*b"]), min_size=1, max_size=30))
def test_no_glob_takes_long(parts):
    started = time.monotonic()
    fits(("a",) * 60, "/".join(parts))
    fits(("a" * 200,), "*a" * 60 + "b")

    assert time.monotonic() - started < 2.0


# --- Patterns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["(", "a{2", "[", "(?=a)", r"(a)\1", "a{5000}", "*", "\ud800"])
async def test_what_is_no_pattern_is_explained(search, pattern):
    found = await search(pattern)
    if found.ok:
        assert pattern == "a{2"  # RE2 takes it to the letter
        return

    assert found.code == "INVALID_ARGS"
    assert found.message.startswith("Bad tool arguments: 'pattern' is no regular expression: ")


async def test_no_pattern_blows_up(search, tmp_path):
    (tmp_path / "a").write_text("a" * 30_000 + "!")
    started = time.monotonic()

    assert (await search(r"(a+)+$")).data["matches"] == []
    assert time.monotonic() - started < 5.0


@pytest.fixture
def without_re2(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    linear.searcher.cache_clear()
    yield
    linear.searcher.cache_clear()


async def test_without_re2_simple_patterns_still_work(without_re2, search, tmp_path):
    (tmp_path / "a").write_text("def find(x):\n    pass\n")

    assert places(await search(r"def \w+\(")) == [("a", 1)]
    assert places(await search(r"(def|pass)")) == [("a", 1), ("a", 2)]
    assert places(await search(r"(?:ab)?d")) == [("a", 1)]


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+$", r"(a|a)*$", r"(?=a)", r"(a)\1", "(", r"a*a*a*a*b", r"((a?)*)*", r"(.*)*x", r"(?:a{1,9}){1,9}"],
)
async def test_without_re2_what_multiplies_is_refused(without_re2, search, tmp_path, pattern):
    (tmp_path / "a").write_text("a" * 40 + "!")
    started = time.monotonic()
    found = await search(pattern)

    assert found.code == "INVALID_ARGS"
    assert time.monotonic() - started < 1.0


async def test_without_re2_the_worst_that_is_allowed_ends(without_re2, search, tmp_path):
    (tmp_path / "a").write_text(("a" * 2000 + "!\n") * 3)
    started = time.monotonic()
    await search(r"a*a*b", timeout_s=5)

    assert time.monotonic() - started < 10.0


# --- Limits and ways out -----------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "value"), [("MOST_FILES", 2), ("MOST_BYTES", 3)])
async def test_it_stops_at_its_limits_and_says_so(search, tmp_path, monkeypatch, limit, value):
    monkeypatch.setattr(search_files, limit, value)
    for name in "abcd":
        (tmp_path / name).write_text("xx")
    found = await search("x")

    assert (len(found.data["matches"]), found.data["truncated"]) == (2, True)


async def test_what_was_found_in_time_is_answered(search, tmp_path, monkeypatch):
    monkeypatch.setattr(search_files, "SHARE_OF_TIME", 0.0)
    (tmp_path / "a").write_text("x")
    found = await search("x")

    assert (found.ok, found.data["truncated"]) == (True, True)


async def test_folders_that_are_too_deep_are_counted(search, tmp_path, monkeypatch):
    monkeypatch.setattr(walking, "DEEPEST", 2)
    (tmp_path / "1" / "2" / "3").mkdir(parents=True)
    (tmp_path / "1" / "2" / "a").write_text("x")
    (tmp_path / "1" / "2" / "3" / "a").write_text("x")
    found = await search("x")

    assert places(found) == [("1/2/a", 1)]
    assert found.data["files_skipped"] == 1


async def test_no_link_is_followed(search, tmp_path, opened, invocation):
    (tmp_path / "secret").write_text("needle")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to("../secret")
    (root / "folder").symlink_to("..")
    (root / "circle").symlink_to(".")
    (tool,) = opened(Tool(use="builtin:search_files", roots=("root",)))

    assert (await tool.run(invocation({"pattern": "needle"}))).data["matches"] == []
    for path in ("link", "folder", "../secret", "..", "/etc", str(tmp_path), "no"):
        found = await tool.run(invocation({"pattern": "needle", "path": path}))
        assert found.error_type == "permanent"
        assert "Permission denied" in found.message or "not found or access denied" in found.message


async def test_nothing_but_files_and_folders_is_opened(search, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    if os.geteuid() == 0:
        os.mknod(tmp_path / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    (tmp_path / "z").write_text("x")
    found = await search("x", timeout_s=5)

    assert places(found) == [("z", 1)]
    assert not (await search("x", path="fifo")).ok


async def test_the_own_environment_is_not_found_from_the_root_of_all(opened, invocation, monkeypatch):
    monkeypatch.setenv("AGENTCTL_NEEDLE", "in-the-environment")
    (tool,) = opened(Tool(use="builtin:search_files", roots=("/",)))

    for path in ("/proc/self", "/proc/self/environ"):
        found = await tool.run(invocation({"pattern": "in-the-environment", "path": path}))
        assert not found.ok or found.data["matches"] == []


async def test_a_folder_that_is_swapped_for_a_link_never_leads_out(search, tmp_path, opened, invocation):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("needle")
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a").write_text("hay")
    (tool,) = opened(Tool(use="builtin:search_files", roots=("root",)))
    ended = threading.Event()

    def swap():
        while not ended.is_set():
            (root / "sub").rename(tmp_path / "kept")
            (root / "sub").symlink_to("../out")
            (root / "sub").unlink()
            (tmp_path / "kept").rename(root / "sub")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        found = [await tool.run(invocation({"pattern": "needle"})) for _ in range(200)]
    finally:
        ended.set()
        thread.join()

    assert all(each.data["matches"] == [] for each in found)


async def test_strange_names_are_words(search, tmp_path):
    (tmp_path / "ä\n😀").write_text("x")
    (tmp_path / os.fsdecode(b"\xff")).write_text("x")
    found = await search("x")

    assert [file for file, _ in places(found)] == ["ä\n😀", "\\udcff"]
