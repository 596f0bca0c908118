"""What a program can't do from its box: real attacks, in real bubblewrap and real Landlock. security.md, section 3."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from agentctl.core.policy import Sandbox
from agentctl.errors import Invalid
from agentctl.tools.command import result
from agentctl.tools.sandbox import launch
from agentctl.tools.sandbox.box import UNBOXED, Box, run_boxed
from agentctl.tools.sandbox.opening import open_box
from agentctl.tools.sandbox.probe import Found, probe
from tests.bench.sandbox import ALL, SYSTEM, as_user
from tests.tools.sandbox.range import NAMES, PYTHON, attacked, harm, laid_out, targets_of, typed

LANDLOCK = Found("landlock", "", "forced")


def needed(backend):
    found = probe() if backend == "bubblewrap" else LANDLOCK
    there = found.backend == backend if backend == "bubblewrap" else launch.supported()
    if not there:
        if os.environ.get("AGENTCTL_REQUIRE_REAL") == "1":
            pytest.fail(f"needs {backend}, and AGENTCTL_REQUIRE_REAL=1 allows no skip")
        pytest.skip(f"needs {backend}")
    return found


@pytest.fixture(params=["bubblewrap", "landlock"])
def found(request):
    return needed(request.param)


@pytest.fixture
def folder(tmp_path):
    return laid_out(tmp_path)


@pytest.fixture
def targets(folder):
    with targets_of(folder) as found:
        yield found


def box(folder, found, **rules):
    return open_box(Sandbox(**rules), folder, (folder / "policy.toml",), found=found)


@pytest.mark.parametrize("name", NAMES)
async def test_an_attack_is_contained(found, folder, targets, name, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-fake-1234")
    ended = await attacked(box(folder, found), name, targets)
    if name == "stays":
        await asyncio.sleep(2)

    assert b'"won": true' not in ended.stdout
    assert [] == harm(targets)
    bombs = name in {"bomb", "threads"}
    assert not bombs or ended.how == "processes"
    assert bombs or b"won" in ended.stdout, (ended.how, ended.code, ended.stderr)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"environment", "descriptors"}))
async def test_without_a_box_the_same_attacks_win(folder, targets, name):
    """Attacks that nothing could win would show nothing. Two are lost to the way that every program is started."""
    if name in {"shadow", "kernel"} and os.getuid() != 0:
        pytest.skip("needs root")
    ended = await attacked(Box(UNBOXED, folder), name, targets)
    if name == "stays":
        await asyncio.sleep(2)

    assert b'"won": true' in ended.stdout or harm(targets)


async def test_what_a_program_changed_and_may_not_is_put_back_and_said(found, folder, targets):
    ended = await attacked(box(folder, found), "new_hooks", targets)

    assert any(path.endswith(".envrc") for path in ended.changed)
    assert "put back" in str(result(ended).message)


async def test_what_one_call_plants_is_not_what_the_call_beside_it_puts_back(found, folder):
    env = {"PATH": "/usr/bin:/bin"}
    boxed = box(folder, found)
    plant = (
        "echo evil > .envrc; mkdir -p sub/.git; echo evil > sub/.git/config; touch go; while [ ! -e end ]; do :; done"
    )
    first = asyncio.create_task(run_boxed(boxed, ["sh", "-c", plant], env, b"", 20))
    while not (folder / "go").exists():  # noqa: ASYNC110 -- another process sets no event
        await asyncio.sleep(0.01)
    second = asyncio.create_task(run_boxed(boxed, ["sh", "-c", "touch end; sleep 1"], env, b"", 20))
    ended = await asyncio.gather(first, second)

    assert not (folder / ".envrc").exists()
    assert not (folder / "sub" / ".git" / "config").exists()
    assert [("exited", ()), ("exited", ())] == [(each.how, each.left) for each in ended]


async def test_a_program_reads_and_writes_its_tree_and_a_temporary_folder_of_its_own(found, folder):
    code = (
        "import os, pathlib, tempfile; t = tempfile.mkdtemp(); pathlib.Path(t, 'x').write_text('1');"
        "pathlib.Path('made').write_text(pathlib.Path('other').read_text()); print('\"done\"')"
    )
    ended = await run_boxed(box(folder, found), [PYTHON, "-c", code], {"PATH": os.environ["PATH"]}, b"", 10)

    assert result(ended).data == "done"
    assert (folder / "made").read_text() == "loose"


async def test_the_private_tmp_lasts_for_the_run_and_is_gone_with_it(found, folder):
    boxed = box(folder, found)
    code = 'f="${TMPDIR:-/tmp}/mark"; test -f "$f" && echo \'"there"\' || { touch "$f"; echo \'"new"\'; }'
    said = [result(await run_boxed(boxed, ["sh", "-c", code], {"PATH": "/usr/bin:/bin"}, b"", 10)) for _ in range(2)]
    private = boxed.private.path
    del boxed

    assert ["new", "there"] == [each.data for each in said]
    assert not private.exists()


async def test_only_what_the_policy_lets_be_written_is(found, folder):
    (folder / "out").mkdir()
    code = "echo 1 > out/a; echo 2 > b; echo '\"done\"'"
    boxed = box(folder, found, write=("out",))
    await run_boxed(boxed, ["sh", "-c", code], {"PATH": "/usr/bin:/bin"}, b"", 10)

    assert (folder / "out" / "a").exists()
    assert not (folder / "b").exists()


async def test_with_network_a_program_reaches_it(found, folder, targets):
    ended = await attacked(box(folder, found, network=True), "loopback", targets)

    assert b'"won": true' in ended.stdout


async def test_with_network_a_program_reaches_no_socket_of_the_session(found, folder, targets):
    """The session's bus, a display, a container's shim: sockets without a path are in every network namespace."""
    ended = await attacked(box(folder, found, network=True), "abstract", targets)

    assert b'"won": false' in ended.stdout


async def test_where_memory_runs_out_the_program_goes_first(found, folder):
    code = "print(int(open('/proc/self/oom_score_adj').read()))"
    ended = await run_boxed(box(folder, found), [PYTHON, "-c", code], {"PATH": "/usr/bin:/bin"}, b"", 10)

    assert b"1000\n" == ended.stdout


@pytest.mark.skipif("localhost" not in Path("/etc/hosts").read_text(), reason="it has no such name here")
async def test_a_program_finds_this_machine_by_its_name(found, folder):
    code = "import socket; print(socket.gethostbyname('localhost'))"
    ended = await run_boxed(box(folder, found), [PYTHON, "-c", code], {"PATH": "/usr/bin:/bin"}, b"", 10)

    assert b"127.0.0.1\n" == ended.stdout


async def test_a_program_with_settings_at_home_runs_without_them(found, folder, tmp_path):
    (tmp_path / "home" / ".gitconfig").write_text("[user]\nname = Ada\n")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home")}
    ended = await run_boxed(box(folder, found), ["git", "init", "-q", "sub"], env, b"", 10)

    assert (0, b"") == (ended.code, ended.stderr)


async def test_a_folder_of_programs_that_is_not_seen_is_passed_over(found, folder, tmp_path):
    hidden = tmp_path / "shims"
    hidden.mkdir()
    (hidden / "cat").write_text("#!/bin/sh\n")
    (hidden / "cat").chmod(0o755)
    env = {"PATH": f"{hidden}:/usr/bin:/bin"}
    ended = await run_boxed(box(folder, found), ["/bin/bash", "-c", "cat other"], env, b"", 10)

    assert (0, b"loose") == (ended.code, ended.stdout)


async def test_a_program_that_is_killed_says_so(found, folder):
    ended = await run_boxed(box(folder, found), ["sh", "-c", "kill -9 $$"], {"PATH": "/usr/bin:/bin"}, b"", 10)

    assert 128 + signal.SIGKILL == ended.code


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_the_attacks_are_contained_for_an_ordinary_user_too():
    """The system's Python, because a user can't read root's."""
    if not Path(SYSTEM).exists():
        pytest.skip(f"needs {SYSTEM}")
    rows = as_user("--starts", "1")

    assert len(rows) > 1
    assert {} == {name: row["lost"] for name, row in rows.items() if name != "none" and row["lost"]}
    assert len(rows["none"]["lost"]) > len(ALL) / 2, "attacks that nothing could win would show nothing"


def test_a_program_in_a_box_types_into_no_terminal(found, folder):
    """In the terminal's own session, with the terminal as its stdin: worse than agentctl starts anything."""
    assert not typed(box(folder, found))


@pytest.mark.skipif(Path("/proc/sys/dev/tty/legacy_tiocsti").read_text().strip() == "0", reason="the kernel forbids it")
def test_without_a_box_it_does(folder):
    assert typed(Box(UNBOXED, folder))


async def test_a_store_beside_the_program_is_hidden_or_nothing_is_started(found, folder, tmp_path):
    (tmp_path / "tool" / "bin").mkdir(parents=True)
    (tmp_path / "tool" / "agentctl.db").write_text("hearth")
    program = tmp_path / "tool" / "bin" / "look"
    program.write_text('#!/bin/sh\ncat "${0%/bin/look}/agentctl.db"; echo \'"ran"\'\n')
    program.chmod(0o755)
    boxed = open_box(Sandbox(), folder, (), (tmp_path / "tool" / "agentctl.db",), found=found)
    started = run_boxed(boxed, [str(program)], {"PATH": "/usr/bin:/bin"}, b"", 10)
    if found.backend == "landlock":
        with pytest.raises(ValueError, match="agentctl's own"):
            await started
        return

    assert b'"ran"\n' == (await started).stdout


async def test_the_store_in_the_work_tree_is_not_seen(folder):
    found = needed("bubblewrap")
    (folder / "data").mkdir()
    (folder / "data" / "agentctl.db").write_text("hearth")
    (folder / "a.db").write_text("hearth")
    boxed = open_box(Sandbox(), folder, (), (folder / "data", folder / "a.db"), found=found)
    ended = await run_boxed(boxed, ["sh", "-c", "cat data/* a.db"], {"PATH": "/usr/bin:/bin"}, b"", 10)

    assert b"hearth" not in ended.stdout
    with pytest.raises(Invalid, match="agentctl's own"):
        open_box(Sandbox(), folder, (), (folder / "data",), found=LANDLOCK)
