"""Programs as tools: real ones, good and bad. Whatever they do, the answer is an envelope in time."""

import asyncio
import json
import os
import stat
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from agentctl.core.task import Tool
from agentctl.tools import process
from agentctl.tools.command import last_line, result
from agentctl.tools.process import Ended

SLEEPER = "import time; time.sleep(300)"


def marked(run_id: str) -> list[psutil.Process]:
    """The living processes that were started for this run, wherever they went."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.environ().get("AGENTCTL_RUN_ID") == run_id and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except psutil.Error:
            continue
    return found


async def gone(run_id: str) -> bool:
    for _ in range(100):
        if not marked(run_id):
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.fixture(autouse=True)
def nothing_is_left(run_id):
    descriptors = len(list(Path("/dev/fd").iterdir()))
    yield
    assert [] == [each for each in psutil.Process().children() if each.status() == psutil.STATUS_ZOMBIE]
    for _ in range(100):  # killed is not yet gone: nobody waits for a grandchild
        if not marked(run_id):
            break
        time.sleep(0.02)
    assert [] == [each.cmdline() for each in marked(run_id)]
    assert len(list(Path("/dev/fd").iterdir())) <= descriptors


# --- Success --------------------------------------------------------------------------------------


async def test_arguments_go_in_as_json_and_the_result_comes_out_as_data(python_tool, invocation):
    """D23, D27"""
    tool = python_tool("import json, sys; print(json.dumps({'got': json.load(sys.stdin)}))")

    found = await tool.run(invocation({"order": "A-1", "name": "Zoë 😀"}))

    assert found.status == "success"
    assert found.data == {"got": {"order": "A-1", "name": "Zoë 😀"}}


async def test_arguments_arrive_as_utf8(python_tool, invocation):
    tool = python_tool("import sys; print('\"%s\"' % sys.stdin.buffer.read().hex())")

    found = await tool.run(invocation({"a": "é"}))

    assert bytes.fromhex(found.data) == '{"a": "é"}'.encode()


async def test_half_a_surrogate_pair_goes_in_as_an_escape(python_tool, invocation):
    tool = python_tool("import sys; print('\"%s\"' % sys.stdin.buffer.read().hex())")

    found = await tool.run(invocation({"a": "\ud800"}))

    assert bytes.fromhex(found.data) == b'{"a": "\\ud800"}'


async def test_any_json_is_data(python_tool, invocation):
    for value in (None, [1, 2], "text", 5, {"status": "shipped"}, {"status": "success", "more": 1}):
        tool = python_tool(f"print({json.dumps(value)!r})")
        assert (await tool.run(invocation())).data == value


async def test_a_program_runs_in_the_folder_of_its_task(shell_tool, invocation, tmp_path):
    found = await shell_tool('printf \'"%s"\' "$(pwd -P)"').run(invocation())

    assert found.data == str(tmp_path.resolve())


async def test_a_program_of_the_task_is_started_by_its_relative_path(opened, invocation, tmp_path):
    (tmp_path / "tools").mkdir()
    script = tmp_path / "tools" / "hello"
    script.write_text("#!/bin/sh\necho '\"hi\"'\n")
    script.chmod(stat.S_IRWXU)
    (tool,) = opened(Tool(name="t", command=("tools/hello",)))

    assert (await tool.run(invocation())).data == "hi"


async def test_five_megabytes_of_arguments_arrive(python_tool, invocation):
    tool = python_tool("import json, sys; print(len(json.load(sys.stdin)['x']))")

    assert (await tool.run(invocation({"x": "a" * 5_000_000}))).data == 5_000_000


async def test_a_program_need_not_read_its_arguments(shell_tool, invocation):
    for args in ({}, {"x": "a" * 5_000_000}):
        assert (await shell_tool("exec <&-; echo 1").run(invocation(args))).data == 1
        assert (await shell_tool("sleep 0.05; echo 1").run(invocation(args))).data == 1


async def test_a_program_that_answers_before_it_reads_does_not_block(python_tool, invocation):
    tool = python_tool(
        "import sys; sys.stdout.write('\"' + 'x' * 500_000); sys.stdout.flush(); "
        "n = len(sys.stdin.read()); sys.stdout.write('\"')"
    )

    assert len((await tool.run(invocation({"x": "a" * 3_000_000}))).data) == 500_000


async def test_fifty_at_once(python_tool, invocation):
    tool = python_tool("import json, sys; print(json.load(sys.stdin)['n'])")
    calls = [invocation({"n": number}, call_id=f"c1.{number}") for number in range(50)]

    found = await asyncio.gather(*(tool.run(call) for call in calls))

    assert [each.data for each in found] == list(range(50))


# --- The environment ------------------------------------------------------------------------------


async def test_only_what_the_policy_allows_is_in_the_environment(python_tool, invocation, monkeypatch, run_id):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    monkeypatch.setenv("SOME_TOKEN", "not-a-token")
    monkeypatch.setenv("LANG", "C.UTF-8")
    tool = python_tool("import json, os; print(json.dumps(dict(os.environ)))")

    data = (await tool.run(invocation())).data

    # What Python adds by itself when it starts.
    assert data.keys() - {"LC_CTYPE", "PWD"} <= {
        *("PATH", "HOME", "LANG", "AGENTCTL_RUN_ID", "AGENTCTL_CALL_ID", "AGENTCTL_IDEMPOTENCY_KEY")
    }
    assert data["AGENTCTL_RUN_ID"] == run_id
    assert (data["AGENTCTL_CALL_ID"], data["AGENTCTL_IDEMPOTENCY_KEY"]) == ("c1.0", "key-1")


async def test_a_policy_may_pass_on_more(python_tool, invocation, monkeypatch):
    monkeypatch.setenv("ORDERS_URL", "http://127.0.0.1")
    tool = python_tool("import json, os; print(json.dumps(os.environ['ORDERS_URL']))", env=("ORDERS_URL",))

    assert (await tool.run(invocation())).data == "http://127.0.0.1"


async def test_no_descriptor_is_inherited(python_tool, invocation):
    with tempfile.TemporaryFile() as file:
        os.set_inheritable(file.fileno(), True)
        tool = python_tool("import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:4])")
        assert (await tool.run(invocation())).data == [0, 1, 2, 3]  # 3 is the listing itself


# --- The envelope of a program ----------------------------------------------------------------------


async def test_an_envelope_is_taken_as_it_is(python_tool, invocation):
    """D24, D28, D29"""
    said = {"status": "error", "error_type": "rate_limit", "retry_safe": True, "message": "Slow down."}
    tool = python_tool(f"print({json.dumps(said)!r})")

    found = await tool.run(invocation())

    assert (found.status, found.error_type, found.retry_safe, found.message) == (
        *("error", "rate_limit", True),
        "Slow down.",
    )


async def test_an_envelope_has_defaults(python_tool, invocation):
    """D25, D29"""
    tool = python_tool('print(\'{"status": "error"}\')')

    found = await tool.run(invocation())

    assert (found.error_type, found.retry_safe, found.message) == ("permanent", False, "")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("error_type", "weird"),
        ("error_type", None),
        ("error_type", 5),
        ("retry_safe", "yes"),
        ("retry_safe", 1),
        ("message", ["x"]),
        ("hint", None),
        ("code", 7),
    ],
)
async def test_a_wrong_envelope_is_a_permanent_error(python_tool, invocation, key, value):
    tool = python_tool(f"print({json.dumps({'status': 'error', key: value})!r})")

    found = await tool.run(invocation())

    assert found.message == f"The program's result has a '{key}' that no result may have."
    assert (found.status, found.error_type, found.retry_safe) == ("error", "permanent", False)


async def test_a_success_with_an_error_type_is_a_permanent_error(python_tool, invocation):
    tool = python_tool('print(\'{"status": "success", "error_type": "transient"}\')')

    assert (await tool.run(invocation())).error_type == "permanent"


# --- Failures ---------------------------------------------------------------------------------------


async def test_exit_75_is_transient_with_the_last_line_of_stderr(shell_tool, invocation):
    """D24, D26"""
    found = await shell_tool("echo first >&2; echo 'upstream is busy' >&2; exit 75").run(invocation())

    assert found.as_json() == {
        "status": "error",
        "data": None,
        "error_type": "transient",
        "retry_safe": True,
        "code": None,
        "message": "upstream is busy",
        "hint": "",
    }


async def test_any_other_exit_is_permanent_with_the_last_line_of_stderr(shell_tool, invocation):
    """D25, B20, D12"""
    found = await shell_tool("echo 'no such order' >&2; exit 3").run(invocation())

    assert found.message == "no such order (exit 3)"
    assert (found.error_type, found.retry_safe) == ("permanent", False)
    assert (await shell_tool("exit 3").run(invocation())).message == "The program failed: exit 3."


async def test_no_traceback_gets_through(python_tool, invocation):
    """A09, D115"""
    tool = python_tool("def find(): raise ValueError('no order A-1')\nfind()")

    found = await tool.run(invocation())

    assert found.message == "ValueError: no order A-1 (exit 1)"
    assert "Traceback" not in found.text()


@pytest.mark.parametrize("ending", ["exit 137", "kill -9 $$"])
async def test_a_killed_program_says_so(shell_tool, invocation, ending):
    found = await shell_tool(ending).run(invocation())

    assert found.message == "The program failed: killed (signal 9)."


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (b"hello", "Expecting value"),
        (b"", "it is empty"),
        (b"<html>", "Expecting value"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'"\\ud800"', "surrogate"),
        (b"[" * 200_000, "too deeply"),
        (b"{} {}", "Extra data"),
    ],
)
async def test_garbage_is_permanent_and_says_why(shell_tool, invocation, tmp_path, output, reason):
    """D115"""
    (tmp_path / "garbage").write_bytes(output)

    found = await shell_tool("cat garbage; echo 'a word about it' >&2").run(invocation())

    assert found.message.startswith("The program's output is not JSON: ")
    assert reason in found.message
    assert found.message.endswith("a word about it")
    assert found.error_type == "permanent"


async def test_a_program_that_is_not_there(opened, invocation, tmp_path):
    (tmp_path / "here.sh").write_text("echo 1")
    (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
    (tmp_path / "lost").chmod(0o700)
    (tmp_path / "headless").write_text("echo 1")
    (tmp_path / "headless").chmod(0o700)
    said = {}
    for name in ("no-such-program", "here.sh", "./here.sh", "./lost", "./headless", "nul\0"):
        (tool,) = opened(Tool(name="t", command=(name,)))
        said[name] = (await tool.run(invocation())).message

    assert said["no-such-program"] == "The program 'no-such-program' was not found."
    assert "write './here.sh'" in said["here.sh"]
    assert said["./here.sh"].startswith("Permission denied: './here.sh' may not be run")
    assert "`#!` line" in said["./lost"]
    assert "Exec format error" in said["./headless"]
    assert "null byte" in said["nul\0"]


async def test_no_processes_left_to_start_is_transient(python_tool, invocation, monkeypatch):
    def full(*_args):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(process, "start", full)

    found = await python_tool("").run(invocation())

    assert (found.error_type, found.retry_safe) == ("transient", True)


async def test_arguments_that_are_no_json_are_an_answer(python_tool, invocation):
    circle: dict[str, object] = {}
    circle["x"] = circle
    for args in ({"x": float("nan")}, circle, {"x": object()}):
        assert (await python_tool("").run(invocation(args))).message.startswith("The arguments can't be written")


def test_of_stderr_the_last_words_are_kept_without_what_a_terminal_obeys():
    assert last_line(b"one\ntwo\n\n  \n") == "two"
    assert last_line(b"\x1b[31mred\x1b[0m\rover\x07\x00\n") == "[31mred [0m over"
    assert last_line("bidi \u202e zero \u200b".encode()) == "bidi zero"
    assert last_line(b"x" * 5_000) == "x" * 300
    assert last_line(b"\xff") == "\ufffd"
    assert result(Ended("exited", 1, b"", b"")).message == "The program failed: exit 1."


# --- Limits -----------------------------------------------------------------------------------------


async def test_a_program_that_hangs_is_a_timeout(python_tool, invocation, run_id):
    """B13, D34"""
    start = time.monotonic()

    found = await python_tool(SLEEPER).run(invocation(timeout_s=0.3))

    assert found.message == "Timeout after 0.3s"
    assert (found.error_type, found.retry_safe) == ("transient", True)
    assert time.monotonic() - start < 3
    assert await gone(run_id)


async def test_a_program_that_ignores_every_polite_signal_is_killed(python_tool, invocation, run_id):
    tool = python_tool(
        "import signal\nfor n in set(signal.Signals) - {9, 19}: signal.signal(n, signal.SIG_IGN)\n"
        "import time; time.sleep(300)"
    )

    assert (await tool.run(invocation(timeout_s=0.5))).message == "Timeout after 0.5s"
    assert await gone(run_id)


async def test_a_hundred_megabytes_are_cut_off_early(shell_tool, invocation, run_id):
    start = time.monotonic()
    before = psutil.Process().memory_info().rss

    found = await shell_tool("head -c 100000000 /dev/zero | tr '\\0' 'x'; sleep 300").run(invocation())

    assert found.message == "The program wrote more than 1 MB of output and was stopped."
    assert found.error_type == "permanent"
    assert time.monotonic() - start < 5
    assert psutil.Process().memory_info().rss - before < 20_000_000
    assert await gone(run_id)


async def test_a_megabyte_is_still_taken(python_tool, invocation):
    assert len((await python_tool("print('\"' + 'x' * 999_000 + '\"')").run(invocation())).data) == 999_000


async def test_a_flood_on_stderr_is_read_away(python_tool, invocation):
    tool = python_tool("import sys; sys.stderr.write('noise\\n' * 2_000_000); sys.stderr.write('last'); print(1)")

    assert (await tool.run(invocation())).data == 1


# --- The whole tree ---------------------------------------------------------------------------------


async def test_children_and_grandchildren_die_with_a_late_program(shell_tool, invocation, run_id):
    tool = shell_tool("sleep 300 & (sleep 300 & sleep 300) & wait")
    running = asyncio.ensure_future(tool.run(invocation(timeout_s=0.5)))
    await asyncio.sleep(0.3)
    assert len(marked(run_id)) >= 4

    assert (await running).message == "Timeout after 0.5s"
    assert await gone(run_id)


async def test_who_left_the_group_dies_too(python_tool, invocation, run_id):
    """A daemon: its own session, its parents gone, so that only its environment tells whose it is."""
    tool = python_tool(
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: time.sleep(300)\n"
        "    os._exit(0)\n"
        "time.sleep(300)"
    )

    assert (await tool.run(invocation(timeout_s=0.5))).message == "Timeout after 0.5s"
    assert await gone(run_id)


async def test_a_program_that_forks_and_forks_is_ended(python_tool, invocation, run_id):
    tool = python_tool(
        "import os, time\nfor n in range(5):\n    if os.fork() == 0 and n % 2: os.setsid()\ntime.sleep(300)"
    )

    assert (await tool.run(invocation(timeout_s=1.0))).message == "Timeout after 1s"
    assert await gone(run_id)


async def test_a_grandchild_that_holds_the_pipe_does_not_hold_up_the_answer(shell_tool, invocation, run_id):
    start = time.monotonic()

    found = await shell_tool("echo 5; sleep 300 &").run(invocation())

    assert found.data == 5
    assert time.monotonic() - start < 3
    assert await gone(run_id)


async def test_a_grandchild_in_its_own_session_that_holds_the_pipe_does_not_hold_up_the_answer(
    python_tool, invocation, run_id
):
    tool = python_tool(
        "import os, time\nprint(5, flush=True)\nif os.fork() == 0:\n    os.setsid(); time.sleep(300)\nos._exit(0)"
    )
    start = time.monotonic()

    assert (await tool.run(invocation())).data == 5
    assert time.monotonic() - start < 3
    for each in marked(run_id):  # a program may leave a service behind, if it takes the trouble
        each.kill()
    assert await gone(run_id)


async def test_what_a_program_leaves_in_its_group_ends_with_it(shell_tool, invocation, run_id):
    assert (await shell_tool("sleep 300 >/dev/null 2>&1 </dev/null & echo 1").run(invocation())).data == 1
    assert await gone(run_id)


async def test_a_cancelled_call_leaves_nothing_behind(shell_tool, invocation, run_id):
    running = asyncio.ensure_future(shell_tool("sleep 300 & sleep 300").run(invocation()))
    await asyncio.sleep(0.2)
    assert marked(run_id)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await gone(run_id)


@pytest.mark.parametrize("delay_s", [0.0, 0.001, 0.003, 0.01])
async def test_a_call_that_is_cancelled_at_once_or_twice_leaves_nothing_behind(
    python_tool, invocation, run_id, delay_s
):
    tool = python_tool(SLEEPER)
    running = [asyncio.ensure_future(tool.run(invocation(call_id=f"c1.{n}"))) for n in range(5)]
    await asyncio.sleep(delay_s)
    for _ in range(2):
        for each in running:
            each.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*running, return_exceptions=True)

    assert await gone(run_id)


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_cancelled_call_that_is_cancelled_again_still_reaps_its_program(python_tool, invocation, turns):
    running = asyncio.ensure_future(python_tool(SLEEPER).run(invocation()))
    await asyncio.sleep(0.05)
    for _ in range(turns):
        running.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()  # that no zombie is left is looked at after every test here


async def test_another_call_of_the_same_run_is_left_alone(python_tool, invocation):
    patient = python_tool("import time; time.sleep(1); print(1)")
    late = python_tool(SLEEPER)

    first, second = await asyncio.gather(
        patient.run(invocation(call_id="c1.0")), late.run(invocation(call_id="c1.1", timeout_s=0.3))
    )

    assert first.data == 1
    assert second.error_type == "transient"


async def test_without_pidfd_all_of_this_works_too(shell_tool, invocation, run_id, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open", raising=False)

    assert (await shell_tool("cat").run(invocation({"a": 1}))).data == {"a": 1}
    assert (await shell_tool("sleep 300 & sleep 300").run(invocation(timeout_s=0.3))).error_type == "transient"
    assert await gone(run_id)


async def test_without_proc_the_group_still_dies(shell_tool, invocation, run_id, monkeypatch):
    from agentctl.tools import killing

    monkeypatch.setattr(killing, "_PROC", Path("/nowhere"))

    assert (await shell_tool("sleep 300 & sleep 300").run(invocation(timeout_s=0.3))).error_type == "transient"
    assert await gone(run_id)


async def test_of_stderr_only_the_last_8_kilobytes_are_kept(tmp_path):
    command = ["/bin/sh", "-c", "head -c 5000000 /dev/zero >&2; echo last >&2"]

    ended = await process.run_program(command, folder=tmp_path, env={}, stdin=b"", timeout_s=30)

    assert len(ended.stderr) == 8_192
    assert ended.stderr.endswith(b"last\n")
