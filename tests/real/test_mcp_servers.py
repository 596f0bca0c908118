"""Public MCP servers, pinned: five of npm and PyPI, over stdio and streamable HTTP, one killed in the middle.

They are installed once per machine, into a folder of the system's temporary one that is named by their pins.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agentctl.core.policy import Policy
from agentctl.core.task import Task, Tool
from agentctl.tools import mcp
from agentctl.tools.base import Invocation

NPM = (
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
)
PYPI = ("mcp-server-fetch==2026.10.24", "mcp-server-time==2026.10.19", "mcp==2.3.0")
INSTALL_S = 300

pytestmark = [pytest.mark.needs("node", "npm"), pytest.mark.slow, pytest.mark.timeout(INSTALL_S + 60)]


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder in which the servers' programs are."""
    pins = hashlib.sha256("\n".join((*NPM, *PYPI, sys.version)).encode()).hexdigest()[:12]
    # Of this user alone: what lies there is run.
    cache = Path(tempfile.gettempdir()) / f"agentctl-mcp-servers-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    if cache.stat().st_uid != os.getuid() or cache.stat().st_mode & 0o077:
        pytest.fail(f"{cache} is somebody else's")
    made, done = cache / pins, cache / pins / "done"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            install(made)
            done.write_text("")
    return made


def install(folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}')
    venv.create(folder / "venv", with_pip=True)
    npm = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", *NPM)
    pip = (str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", *PYPI)
    for command in (npm, pip):
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{command[0]} took more than {INSTALL_S} s")
        if done.returncode:
            told = done.stderr.strip().splitlines()[-1:]
            if os.environ.get("AGENTCTL_REQUIRE_REAL") == "1":
                pytest.fail(f"{command[0]}: {told}")
            pytest.skip(f"the servers can't be installed here: {told}")


@pytest.fixture
async def offered(tmp_path):
    """The tools of a server, and the server."""
    opened: list[mcp.Server] = []

    async def make(**entry: Any) -> tuple[mcp.Server, dict[str, mcp.McpTool]]:
        task = Task(version=1, name="t", tools=(Tool(use="mcp", timeout_seconds=30.0, **entry),))
        (server,) = await mcp.open_servers(task, tmp_path, Policy(), log_dir=tmp_path / "log", pins={})
        opened.append(server)
        return server, {tool.remote: tool for tool in await server.tools()}

    yield make
    for server in opened:
        await server.close()


def invocation(**args: Any) -> Invocation:
    return Invocation("r_1", "c1.0", "key-1", args, 30.0)


def filesystem(programs: Path, folder: Path) -> tuple[str, ...]:
    return (str(programs / "node_modules/.bin/mcp-server-filesystem"), str(folder))


async def test_filesystem_of_npm(programs, offered, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.txt").write_text("hello")
    server, tools = await offered(name="fs", command=filesystem(programs, files), trusted=True)
    read = await tools["read_text_file"].run(invocation(path=str(files / "a.txt")))
    outside = await tools["read_text_file"].run(invocation(path="/etc/hostname"))
    wrong = await tools["read_text_file"].run(invocation(path=5))

    assert len(tools) >= 14
    assert () == server.notes
    assert {"content": "hello"} == read.data
    assert ("permanent", None) == (outside.error_type, outside.code)
    assert "INVALID_ARGS" == wrong.code
    assert "none" == tools["read_text_file"].contract.side_effects
    assert "irreversible" == tools["write_file"].contract.side_effects
    assert tools["read_text_file"].contract.check({"path": 5}) is not None
    assert tools["read_text_file"].contract.check({"path": "x"}) is None


async def test_filesystem_killed_in_the_middle(programs, offered, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "large").write_text("x" * 5_000_000)
    server, tools = await offered(name="fs", command=filesystem(programs, files))
    first = server._link.child._process.pid
    running = [
        asyncio.create_task(tools["read_text_file"].run(invocation(path=str(files / "large")))) for _ in range(10)
    ]
    await asyncio.sleep(0.01)
    os.kill(first, signal.SIGKILL)
    cut = await asyncio.gather(*running)
    after = await tools["list_directory"].run(invocation(path=str(files)))

    assert any("ended in the middle of the call" in answer.message for answer in cut)
    assert {"content": "[FILE] large"} == after.data
    assert first != server._link.child._process.pid


async def test_memory_of_npm(programs, offered, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMORY_FILE_PATH", str(tmp_path / "memory.jsonl"))
    command = (str(programs / "node_modules/.bin/mcp-server-memory"),)
    _, tools = await offered(name="memory", command=command, env=("MEMORY_FILE_PATH",))
    ada = {"name": "Ada", "entityType": "person", "observations": ["wrote the first program"]}
    made = await tools["create_entities"].run(invocation(entities=[ada]))
    graph = await tools["read_graph"].run(invocation())

    assert len(tools) >= 9
    assert made.ok
    assert [ada] == [{key: each[key] for key in ada} for each in graph.data["entities"]]
    assert "wrote" in (tmp_path / "memory.jsonl").read_text()


async def test_time_of_pypi(programs, offered):
    command = (str(programs / "venv/bin/mcp-server-time"), "--local-timezone", "UTC")
    _, tools = await offered(name="time", command=command)
    told = await tools["get_current_time"].run(invocation(timezone="Asia/Tokyo"))
    wrong = await tools["get_current_time"].run(invocation(timezone="Nowhere/Here"))

    assert told.ok
    assert "Asia/Tokyo" in str(told.data)
    assert "permanent" == wrong.error_type


class Site(BaseHTTPRequestHandler):
    """Two pages; robots may not go everywhere."""

    pages: ClassVar = {
        "/robots.txt": ("text/plain", "User-agent: *\nDisallow: /private\n"),
        "/page": ("text/html", "<html><body><article><h1>Lost</h1><p>It is in <b>Leipzig</b>.</p></article></body>"),
        "/private": ("text/html", "<html><body>secret</body></html>"),
    }

    def do_GET(self) -> None:
        kind, text = self.pages.get(self.path, ("text/plain", ""))
        self.send_response(200 if text else 404)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_fetch_of_pypi(programs, offered, site):
    command = (str(programs / "venv/bin/mcp-server-fetch"),)
    _, careful = await offered(name="careful", command=command)
    _, tools = await offered(name="web", command=(*command, "--allow-private-ips"))
    refused = await careful["fetch"].run(invocation(url=f"{site}/page"))
    page = await tools["fetch"].run(invocation(url=f"{site}/page"))
    raw = await tools["fetch"].run(invocation(url=f"{site}/page", raw=True))
    private = await tools["fetch"].run(invocation(url=f"{site}/private"))
    missing = await tools["fetch"].run(invocation(url=f"{site}/missing"))
    wrong = await tools["fetch"].run(invocation(url="no address"))

    assert "--allow-private-ips" in refused.message
    assert page.ok
    assert "It is in **Leipzig**." in page.data
    assert "<b>Leipzig</b>" in raw.data
    assert ["permanent"] * 3 == [each.error_type for each in (private, missing, wrong)]
    assert "robots.txt" in private.message


@pytest.fixture
def everything_url(programs, tmp_path):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [str(programs / "node_modules/.bin/mcp-server-everything"), "streamableHttp"]
    with (tmp_path / "out").open("wb") as out:
        web = subprocess.Popen(command, env={**os.environ, "PORT": str(port)}, stdout=out, stderr=out)
    end = time.monotonic() + 30
    try:
        while True:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < end, (tmp_path / "out").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        web.kill()
        web.wait()


async def test_everything_of_npm_over_both_transports(programs, everything_url, offered):
    _, over_http = await offered(name="far", url=everything_url)
    _, over_stdio = await offered(name="near", command=(str(programs / "node_modules/.bin/mcp-server-everything"),))
    for tools in (over_http, over_stdio):
        echo = await tools["echo"].run(invocation(message="hi"))
        image = await tools["get-tiny-image"].run(invocation())

        assert "Echo: hi" == echo.data
        assert "left out, since only text is handed on: an image" in image.data
    assert set(over_http) == set(over_stdio)


# --- Through the program --------------------------------------------------------------------------

OPERATION = "everything__trigger-long-running-operation"
SAID = re.compile(r"everything\.trigger-long-running-operation (\d+) %")


@pytest.fixture
def operation(programs, tmp_path) -> list[str]:
    """The command that rehearses a task whose one call of a real server takes two seconds and ten steps."""
    command = json.dumps([str(programs / "node_modules/.bin/mcp-server-everything")])
    (tmp_path / "task.toml").write_text(
        'version = 1\nname = "t"\ngoal = "Go."\npolicy = "policy.toml"\nrehearsal = "script.toml"\n'
        f'[[tools]]\nuse = "mcp"\nname = "everything"\ncommand = {command}\ninclude = ["trigger-long*"]\n'
    )
    (tmp_path / "policy.toml").write_text('extends = "standard"\n[risk]\nauto_approve = "high"\n')
    (tmp_path / "script.toml").write_text(
        f'[[reply]]\ncalls = [{{ tool = "{OPERATION}", args = {{ duration = 2, steps = 10 }} }}]\n'
        '[[reply]]\ntext = "Done."\n'
    )
    agentctl = str(Path(sys.executable).parent / "agentctl")
    return [agentctl, "run", str(tmp_path / "task.toml"), "--rehearse", "--real-tools"]


def test_progress_is_a_line_now_and_then_where_nobody_watches(operation):
    done = subprocess.run([*operation, "--json"], capture_output=True, text=True, timeout=60, check=False)

    assert 0 == done.returncode, done.stderr
    assert "completed" == json.loads(done.stdout)["status"]
    assert 1 == len(SAID.findall(done.stderr)), done.stderr


def test_progress_is_in_the_status_line_of_a_terminal(operation):
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(operation, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # nobody is at the other end any more
        while more := os.read(terminal, 65_536):
            seen += more
    os.close(terminal)
    shown = [int(share) for share in SAID.findall(seen.decode())]

    assert 0 == process.wait(10), seen.decode()
    assert len(set(shown)) >= 3
    assert sorted(shown) == shown
    assert SAID.search([line for line in re.split(r"[\r\n]+", seen.decode()) if " · step " in line][-1]) is None
