"""MCP servers over streamable HTTP: both handshakes, refusals, restarts, no server at all."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentctl import errors
from agentctl.core.policy import Policy
from agentctl.core.task import Task, Tool
from agentctl.tools import mcp
from agentctl.tools.base import Invocation

HERE = Path(__file__).parent


class Web:
    """A server of the tests on a port of its own, and ours for it."""

    def __init__(self, base: Path, script: str) -> None:
        self.base = base
        self.script = script
        self.opened: list[mcp.Server] = []
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(HERE / self.script), "--http", str(self.port)]
        with (self.base / "out").open("ab") as out:
            self.process = subprocess.Popen(command, cwd=self.base, stdout=out, stderr=out)
        end = time.monotonic() + 30
        while True:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < end, (self.base / "out").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    async def tools(self, path: str = "/mcp", **entry: Any) -> dict[str, mcp.McpTool]:
        given = Tool(use="mcp", name="s", url=f"http://127.0.0.1:{self.port}{path}", timeout_seconds=20.0, **entry)
        task = Task(version=1, name="t", tools=(given,))
        (server,) = await mcp.open_servers(task, self.base, Policy(), log_dir=self.base / "log", pins={})
        self.opened.append(server)
        return {tool.remote: tool for tool in await server.tools()}

    def fault(self, **faults: Any) -> None:
        named = {key.replace("_", "/"): value for key, value in faults.items()}
        (self.base / "faults.json").write_text(json.dumps(named))


@pytest.fixture
async def web(tmp_path):
    made: list[Web] = []

    def start(script: str) -> Web:
        tools = [{"name": name, "description": "", "inputSchema": {"type": "object"}} for name in ("look", "other")]
        (tmp_path / "tools.json").write_text(json.dumps(tools))
        made.append(Web(tmp_path, script))
        return made[-1]

    yield start
    for each in made:
        for server in each.opened:
            await server.close()
        each.stop()
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert [] == left


def invocation(timeout_s: float = 20.0, **args: Any) -> Invocation:
    return Invocation("r_1", "c1.0", "key-1", args, timeout_s)


async def test_the_current_protocol(web):
    tools = await web("mcp_server.py").tools()
    answers = await asyncio.gather(*(tools["add"].run(invocation(a=n, b=n)) for n in range(10)))
    meta = await tools["meta"].run(invocation())

    assert [{"result": 2 * n} for n in range(10)] == [answer.data for answer in answers]
    assert "key-1" == meta.data["agentctl/idempotency_key"]
    assert all(tool.contract.remote for tool in tools.values())  # nobody here can end what it does


async def test_late_and_cancelled_calls(web):
    at = web("mcp_server.py")
    tools = await at.tools()
    late = await tools["sleep"].run(invocation(0.3, seconds=20))
    gone = asyncio.create_task(tools["sleep"].run(invocation(seconds=20)))
    await asyncio.sleep(0.3)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone

    assert "Timeout after 0.3s" == late.message
    assert (at.base / "cancelled").exists()
    assert {"result": 4} == (await tools["add"].run(invocation(a=2, b=2))).data


async def test_killed_in_the_middle_and_started_again(web):
    at = web("mcp_server.py")
    tools = await at.tools()
    running = asyncio.create_task(tools["sleep"].run(invocation(seconds=20)))
    await asyncio.sleep(0.5)
    at.stop()
    answer = await running
    down = await tools["add"].run(invocation(a=1, b=1))
    at.start()
    up = await tools["add"].run(invocation(a=1, b=1))

    assert "the outcome of s.sleep is unknown" in answer.message
    assert ("transient", True) == (down.error_type, down.retry_safe)
    assert {"result": 2} == up.data


async def test_changes_are_noticed(web):
    tools = await web("mcp_server.py").tools()
    assert (await tools["learn"].run(invocation())).ok
    end = time.monotonic() + 10
    while (answer := await tools["words"].run(invocation())).code is None:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)

    assert "DEFINITION_CHANGED" == answer.code


async def test_the_older_handshake_with_sessions(web):
    at = web("mcp_old.py")
    tools = await at.tools()

    assert "done" == (await tools["look"].run(invocation())).data
    await at.opened[0].close()
    assert (at.base / "deleted").exists()


async def test_a_session_that_the_server_forgot_is_begun_anew_within_the_call(web):
    at = web("mcp_old.py")
    tools = await at.tools()
    at.stop()
    at.start()

    assert "done" == (await tools["look"].run(invocation())).data


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ([429, {"Retry-After": "7"}], "rate_limit", "Rate limit hit. Retry after 7s."),
        ([429, {}], "rate_limit", "Rate limit hit. Retry after 30s."),
        ([503, {}], "transient", "Server error: 503"),
        ([403, {}], "permanent", "Permission denied: the MCP server answered HTTP 403"),
        ([400, {}], "permanent", "The MCP server answered HTTP 400"),
    ],
)
async def test_refusals(web, fault, kind, words):
    at = web("mcp_old.py")
    tools = await at.tools()
    at.fault(tools_call=fault)
    answer = await tools["look"].run(invocation())
    at.fault()

    assert kind == answer.error_type
    assert answer.message.startswith(words)
    assert "done" == (await tools["look"].run(invocation())).data


async def test_a_connection_cut_in_the_middle(web):
    at = web("mcp_old.py")
    tools = await at.tools()
    at.fault(tools_call=[0, {}])
    answer = await tools["look"].run(invocation())
    at.fault()

    assert "the outcome of s.look is unknown" in answer.message
    assert "done" == (await tools["look"].run(invocation())).data


async def test_servers_that_can_not_be_used(web):
    at = web("mcp_old.py")
    at.fault(initialize=[401, {}], server_discover=[401, {}])
    with pytest.raises(errors.Invalid, match="'s' can't be used: HTTP 401"):
        await at.tools()
    at.stop()
    with pytest.raises(errors.Invalid, match=r"'s' can't be used: .*connect") as raised:
        await at.tools()

    assert "\n" not in raised.value.message
    at.start()
