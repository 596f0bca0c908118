"""No path leads out of the roots: not by `..`, not by a link, not by a race. Both ways of opening."""

import errno
import itertools
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.core.envelope import Envelope
from agentctl.tools import beneath
from agentctl.tools.beneath import best_opener, open_by_walking
from agentctl.tools.confine import Roots

SECRET = "outside secret"


def kernel():
    opener = beneath._kernel_opener()
    if opener is None or best_opener() is open_by_walking:
        pytest.skip("this kernel has no openat2")
    return opener


@pytest.fixture(params=["kernel", "walk"])
def opener(request):
    return kernel() if request.param == "kernel" else open_by_walking


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("inside")
    (root / "sub" / "b.txt").write_text("inside too")
    (tmp_path / "secret.txt").write_text(SECRET)
    return root


@pytest.fixture
def roots(tree, opener) -> Roots:
    return Roots((tree,), tree, opener)


def text(opened: int | Envelope) -> str:
    assert isinstance(opened, int), opened
    with os.fdopen(opened) as file:
        return file.read()


def refusal(opened: int | Envelope) -> str:
    if isinstance(opened, int):
        os.close(opened)
        pytest.fail("it was opened")
    assert opened.error_type == "permanent"
    assert opened.retry_safe is False
    return opened.message


@pytest.fixture(autouse=True)
def no_descriptor_leaks():
    before = len(list(Path("/dev/fd").iterdir()))
    yield
    assert len(list(Path("/dev/fd").iterdir())) <= before


@pytest.mark.parametrize("path", ["a.txt", "./a.txt", "sub/../a.txt", "sub/deep/../../a.txt", ".//a.txt"])
def test_what_is_inside_is_opened(roots, path):
    assert text(roots.open_file(path)) == "inside"


def test_an_absolute_path_is_opened_when_it_is_inside(roots, tree):
    assert text(roots.open_file(str(tree / "a.txt"))) == "inside"


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "sub/../../secret.txt", "..", "../root/a.txt", "sub/deep/../../../secret.txt", "./../secret.txt"],
)
def test_dots_do_not_lead_out(roots, path):
    assert refusal(roots.open_file(path)) == (
        f"Permission denied: '{path}' is outside the allowed folders. Cannot complete this step."
    )


def test_absolute_paths_do_not_lead_out(roots, tree):
    for path in ("/etc/passwd", f"{tree}/../secret.txt", f"{tree}x/a.txt", "/", f"{tree.parent}/secret.txt"):
        assert "is outside the allowed folders" in refusal(roots.open_file(path))


def test_a_link_out_is_refused_wherever_it_stands(roots, tree):
    (tree / "absolute").symlink_to(tree.parent / "secret.txt")
    (tree / "relative").symlink_to("../secret.txt")
    (tree / "folder").symlink_to("..")
    (tree / "twice").symlink_to("relative")

    for path in ("absolute", "relative", "folder/secret.txt", "twice", "folder/root/a.txt"):
        assert "Permission denied" in refusal(roots.open_file(path))


def test_a_link_inside_is_followed_by_the_kernel_and_refused_by_the_walk(roots, tree, opener):
    (tree / "link").symlink_to("sub/b.txt")
    (tree / "folder").symlink_to("sub")

    for path in ("link", "folder/b.txt"):
        if opener is open_by_walking:
            assert "goes through a link" in refusal(roots.open_file(path))
        else:
            assert text(roots.open_file(path)) == "inside too"


def test_links_in_a_circle_end(roots, tree):
    (tree / "one").symlink_to("two")
    (tree / "two").symlink_to("one")

    assert "goes through a link" in refusal(roots.open_file("one"))


def test_magic_links_of_proc_lead_nowhere(opener):
    roots = Roots((Path("/proc/self"),), Path("/proc/self"), opener)

    for path in ("root/etc/passwd", "cwd/pyproject.toml", "fd/0", "exe"):
        assert "Permission denied" in refusal(roots.open_file(path))


def test_the_own_environment_is_not_read_even_from_the_root_of_all(opener, tree):
    roots = Roots((Path("/"),), tree, opener)

    for path in ("/proc/self/environ", "proc/1/environ"):
        message = refusal(roots.open_file(path))
        assert "Permission denied" in message or "not found or access denied" in message


def read_meanwhile(roots: Roots, path: str, turn: Callable[[], None]) -> set[str]:
    """What a file is read as, again and again, while another thread turns the tree over."""
    done = threading.Event()

    def turning() -> None:
        while not done.is_set():
            turn()

    turner = threading.Thread(target=turning)
    turner.start()
    try:
        found = (roots.open_file(path) for _ in range(2_000))
        return {"refused" if isinstance(opened, Envelope) else text(opened) for opened in found}
    finally:
        done.set()
        turner.join()


def test_a_link_that_is_swapped_while_it_is_read_never_shows_the_outside(tree, opener):
    (tree / "folder").mkdir()
    (tree / "folder" / "secret.txt").write_text("inside")
    targets = itertools.cycle(("folder", ".."))

    def flip() -> None:
        (tree / "spare").unlink(missing_ok=True)
        (tree / "spare").symlink_to(next(targets))
        (tree / "spare").rename(tree / "flip")

    seen = read_meanwhile(Roots((tree,), tree, opener), "flip/secret.txt", flip)

    assert SECRET not in seen
    assert "refused" in seen


def test_a_folder_that_is_swapped_for_a_link_while_it_is_read_never_shows_the_outside(tree, opener):
    (tree / "real").mkdir()
    (tree / "real" / "secret.txt").write_text("inside")
    (tree / "evil").symlink_to("..")

    def swap() -> None:
        (tree / "real").rename(tree / "at")
        (tree / "at").rename(tree / "real")
        (tree / "evil").rename(tree / "at")
        (tree / "at").rename(tree / "evil")

    seen = read_meanwhile(Roots((tree,), tree, opener), "at/secret.txt", swap)

    assert SECRET not in seen


def test_a_hard_link_is_the_file_itself_and_can_not_be_told_from_it(roots, tree):
    os.link(tree.parent / "secret.txt", tree / "hard")

    assert text(roots.open_file("hard")) == SECRET


def test_a_fifo_is_refused_at_once(roots, tree):
    os.mkfifo(tree / "pipe")

    assert "is not an ordinary file" in refusal(roots.open_file("pipe"))


def test_a_socket_is_refused(roots, tree):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tree / "sock"))
        assert "is not an ordinary file" in refusal(roots.open_file("sock"))


def test_a_device_is_refused(opener):
    roots = Roots((Path("/dev"),), Path("/dev"), opener)

    for path in ("null", "zero", "tty"):
        if Path("/dev", path).exists():
            assert "Permission denied" in refusal(roots.open_file(path))


def test_a_folder_is_not_read_and_a_file_is_not_listed(roots):
    assert refusal(roots.open_file("sub")) == "'sub' is a folder."
    assert refusal(roots.open_dir("a.txt")) == "'a.txt' is not a folder."


def test_what_is_missing_is_not_found(roots):
    for path in ("none.txt", "none/a.txt", "a.txt/b"):
        assert refusal(roots.open_file(path)) == f"{path} not found or access denied."


@pytest.mark.parametrize("path", ["a\0.txt", "\ud800", "x" * 300, "x/" * 5_000, "\x1b[2Ja", ""])
def test_odd_names_are_answers_of_one_short_line(roots, path):
    message = refusal(roots.open_file(path))

    assert message.isprintable()
    assert len(message) < 400
    message.encode()


def test_names_that_are_not_utf8_can_be_opened_by_their_bytes(roots, tree):
    name = os.fsdecode(b"caf\xe9.txt")
    (tree / name).write_text("old name")

    assert text(roots.open_file(name)) == "old name"


def test_several_roots_are_tried_in_order(tmp_path, tree, opener):
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.txt").write_text("third")
    (other / "a.txt").write_text("shadowed")
    roots = Roots((tree, other), tmp_path, opener)

    assert text(roots.open_file("a.txt")) == "inside"
    assert text(roots.open_file("c.txt")) == "third"
    assert text(roots.open_file(str(other / "a.txt"))) == "shadowed"
    assert refusal(roots.open_file("none")) == "none not found or access denied."
    assert "outside" in refusal(roots.open_file("../secret.txt"))


def test_a_path_may_be_meant_from_the_task(tmp_path, tree, opener):
    roots = Roots((tree / "sub",), tree, opener)

    assert text(roots.open_file("sub/b.txt")) == "inside too"
    assert text(roots.open_file("./sub/b.txt")) == "inside too"
    assert text(roots.open_file("b.txt")) == "inside too"
    assert "outside" in refusal(roots.open_file("sub/../a.txt"))
    refusal(roots.open_file("a.txt"))


def test_a_root_that_is_gone_is_not_found(tree, opener):
    roots = Roots((tree / "gone",), tree, opener)

    assert refusal(roots.open_file("a.txt")) == "a.txt not found or access denied."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_says_so(roots, tree):
    (tree / "a.txt").chmod(0)

    assert "may not be read" in refusal(roots.open_file("a.txt"))


parts = st.sampled_from(["..", ".", "", "sub", "deep", "a.txt", "secret.txt", "root", "link", "up", "\0", "é"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(parts, min_size=1, max_size=8), st.booleans())
def test_no_path_leads_out(tree, opener, names, absolute):
    if not (tree / "link").is_symlink():
        (tree / "link").symlink_to("../secret.txt")
        (tree / "up").symlink_to("..")
    path = "/".join([str(tree), *names] if absolute else names)
    opened = Roots((tree,), tree, opener).open_file(path)

    if isinstance(opened, int):
        assert text(opened).startswith("inside")


# --- The choice between the two -------------------------------------------------------------------


def test_the_kernel_is_asked_where_it_can(monkeypatch):
    assert best_opener() is not open_by_walking or beneath._kernel_opener() is None


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_an_old_kernel_or_filter_falls_back_to_the_walk(monkeypatch, code):
    def refuse(*_args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(beneath, "_kernel_opener", lambda: refuse)
    best_opener.cache_clear()
    try:
        assert best_opener() is open_by_walking
    finally:
        best_opener.cache_clear()


def test_another_system_falls_back_to_the_walk(monkeypatch):
    class Darwin:
        sysname = "Darwin"

    monkeypatch.setattr(os, "uname", Darwin)

    assert beneath._kernel_opener() is None


def test_a_rename_on_the_way_is_tried_again(tree):
    """The kernel answers EAGAIN for `..` beside a rename; a busy tree must not look broken."""
    roots = Roots((tree,), tree, kernel())
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            (tree / "sub" / "deep").rename(tree / "sub" / "moved")
            (tree / "sub" / "moved").rename(tree / "sub" / "deep")

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(500):
            assert text(roots.open_file("sub/../a.txt")) == "inside"
    finally:
        done.set()
        worker.join()


# --- Where a file is written --------------------------------------------------------------------------


def placed(roots, path):
    """The root and the path below it, and what is missing there."""
    place = roots.place(path)
    assert not isinstance(place, Envelope), place
    os.close(place.folder)
    return place.root.name, place.parts, place.missing


def test_a_place_is_in_the_root_that_has_the_file_or_most_of_its_folders(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "both").mkdir(parents=True)
    (two / "both" / "deep").mkdir(parents=True)
    (two / "both" / "a").touch()
    roots = Roots((one, two), tmp_path)

    assert placed(roots, "both/a") == ("two", ("both", "a"), ())
    assert placed(roots, "both/b") == ("one", ("both", "b"), ())
    assert placed(roots, "both/deep/b") == ("two", ("both", "deep", "b"), ())
    assert placed(roots, "new/b") == ("one", ("new", "b"), ("new",))
    assert placed(roots, "two/new/b") == ("two", ("new", "b"), ("new",))
    assert placed(roots, f"{two}/x/../b") == ("two", ("b",), ())


def test_a_place_is_never_reached_through_a_link(tree, roots):
    (tree / "folder").symlink_to("sub")
    (tree / "out").symlink_to("..")

    for path in ("folder/x", "out/x", "../x", "/x", "a.txt/x", "\0", "sub/", "."):
        assert isinstance(roots.place(path), Envelope)
