"""agentctl's own keys reach nothing that it runs, writes, shows or sends: whole programs, every byte searched.

Keys are planted in every way that a person may give them; tools of every kind, a check, a counter and a server write
down all that they can see; providers send the keys back in bodies and headers; SDKs are told to log; a drive crashes.
"""

import asyncio
import base64
import http.server
import json
import os
import secrets
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.runner.stage import Reply, calls

REPO = Path(__file__).parents[2]
LOOK = "{ env; tr '\\0' '\\n' < /proc/$PPID/environ; tr '\\0' ' ' < /proc/$PPID/cmdline; } > %s 2>&1"
PEEK = """
import json, os, pathlib, sys
HERE = pathlib.Path(__file__).parent

def seen(name):
    whole = dict(os.environ)
    try:
        block = pathlib.Path("/proc/self/environ").read_bytes().decode(errors="replace")
    except PermissionError as error:
        block = str(error)
    (HERE / f"{name}.seen").write_text(json.dumps([whole, block, sys.argv, sys.orig_argv]))
    return whole

seen("imported")

def peek() -> dict:
    "All that a function sees."
    return seen("function")

def count(text: str) -> int:
    seen("counter")
    return len(text) // 4
"""
SERVER = """
import os, runpy, sys
seen = repr(dict(os.environ))
try:
    seen += open(f"/proc/{os.getppid()}/environ").read()
except PermissionError as error:
    seen += str(error)
open("server.seen", "w").write(seen)
sys.stderr.write(repr(dict(os.environ)))
sys.stderr.flush()
sys.path.insert(0, %r)
runpy.run_module("tests.tools.mcp_server", run_name="__main__")
"""
CRASH = """
import sys
if "agentctl" in " ".join(sys.orig_argv) and "run" in sys.orig_argv:
    import agentctl.runner.ask as ask
    async def _granted(world, provider, *rest, **more):
        key = world.open_model(provider)
        raise RuntimeError(f"sent authorization: Bearer {KEYS[0]} x-api-key={KEYS[1]} {KEYS[2]!r} {key!r}")
    ask._granted = _granted
"""


RING = """
import os, pathlib
from keyring.backend import KeyringBackend
class Ring(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        return pathlib.Path(os.environ["RING"]).read_text()
    def set_password(self, service, username, password): ...
    def delete_password(self, service, username): ...
"""
BARE = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
HEARD: list[str] = []


class Echo(http.server.BaseHTTPRequestHandler):
    """A provider that sends back what it was sent, in every spelling."""

    def do_POST(self) -> None:
        HEARD.append(self.path)
        self.rfile.read(int(self.headers.get("content-length", 0)))
        sent = " ".join(self.headers.get(name, "") for name in ("authorization", "x-api-key"))
        key = sent.removeprefix("Bearer ").strip()
        raw = key.encode()
        said = f"{sent} is wrong: {raw.hex()} {base64.b64encode(raw).decode()} {quote(key, safe='')} {raw!r}"
        body = json.dumps({"type": "error", "error": {"type": "authentication_error", "message": said}}).encode()
        self.send_response(401)
        for name, value in (("content-type", "application/json"), ("request-id", key), ("x-seen", sent)):
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def echo():
    HEARD.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def keys():
    """As providers make them, never twice the same."""
    return {
        "ANTHROPIC_API_KEY": f"sk-ant-api03-{secrets.token_urlsafe(40)}",
        "OPENAI_API_KEY": f"sk-proj-{secrets.token_urlsafe(40)}",
        "TEAM_KEY": f"team/{secrets.token_hex(12)}+=",
        "AGENTCTL_SEAL_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def spellings(key: str) -> set[bytes]:
    raw = key.encode()
    aligned = (base64.b64encode(b"\0" * before + raw)[4:-4] for before in range(3))
    return {raw, raw.hex().encode(), raw.hex().upper().encode(), quote(key, safe="").encode(), *aligned, raw[8:-4]}


def leaks(keys: dict[str, str], *folders: Path, said: bytes = b"") -> list[tuple[str, str]]:
    """Where one of the keys stands, in any spelling."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    found = [("said", name) for name, key in keys.items() for each in spellings(key) if each in said]
    for path in files:
        data = path.read_bytes()
        found += [(path.name, name) for name, key in keys.items() for each in spellings(key) if each in data]
    return found


async def program(stage, isolated, keys, *arguments: str, before: Sequence[str] = (), **env: str) -> tuple[int, bytes]:
    """The program itself, with all keys in its environment, told to say as much as it can."""
    temporary = stage.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    given = {**os.environ, **keys, "TMPDIR": str(temporary), "ANTHROPIC_LOG": "debug", "OPENAI_LOG": "debug", **env}
    child = await asyncio.create_subprocess_exec(
        *before, sys.executable, "-m", "agentctl", *arguments, cwd=stage.folder, env=given,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate()
    return child.returncode or 0, out + b"\n" + err


@pytest.fixture
def curious(stages, echo):
    """A task all of whose tools look around, behind two providers that tell everything."""
    stage = stages("chat")
    stage.providers = [
        {"name": "first", "api": "messages", "base_url": echo, "key_env": "ANTHROPIC_API_KEY"},
        {"name": "second", "api": "responses", "base_url": f"{echo}/v1", "key_env": "OPENAI_API_KEY"},
        {"name": "main", "api": "chat", "key_env": "TEAM_KEY"},
    ]
    stage.policy(
        sandbox={"mode": "off", "env": ["PATH", "HOME", "LANG", "TMPDIR"]},
        risk={"auto_approve": "high"},
        trust={"enabled": False},
        context={"counter": "python:peek:count"},
    )
    stage.folder.mkdir(parents=True)
    (stage.folder / "peek.py").write_text(PEEK)
    (stage.folder / "server.py").write_text(SERVER % str(REPO))
    stage.tool("look", f"{LOOK % 'program.seen'}; cat program.seen >&2; echo '{{}}'", parameters={"type": "object"})
    stage.tools += [
        {"use": "python:peek:peek", "name": "peek", "side_effects": "none"},
        {"use": "builtin:shell"},
        {"use": "mcp", "name": "srv", "command": [sys.executable, "server.py"]},
    ]
    stage.task["check"] = {"command": ["sh", "-c", f"{LOOK % 'check.seen'}; cat check.seen"]}
    return stage


async def test_no_tool_child_log_or_file_sees_a_key(isolated, curious, keys):
    """C08 A85: a run of every kind of tool through the real program."""
    shell = {"command": f"{LOOK % 'shell.seen'}; cat shell.seen"}
    curious.replies = [
        calls(("look", {}), ("peek", {}), ("shell", shell), ("srv__echo", {"text": "hi"})),
        Reply(text=f"Done with {keys['TEAM_KEY']}."),
    ]
    task = await curious.lay_out()

    code, said = await program(
        curious, isolated, keys, "run", str(task), "--json", "--log-json", str(curious.folder / "log.jsonl")
    )

    assert 0 == code, said[-2000:]
    seen = {path.stem for path in curious.folder.glob("*.seen")}
    assert {"program", "shell", "imported", "function", "counter", "server", "check"} == seen
    assert {"/v1/messages", "/v1/responses"} == set(HEARD)
    assert b"Done with [REDACTED]." in said
    assert [] == leaks(keys, isolated, curious.folder, said=said)
    for command in (("runs",), ("doctor", "--json"), ("policy", "show", "policy.toml"), ("auth", "list")):
        _, told = await program(curious, isolated, keys, *command)
        assert [] == leaks(keys, isolated, curious.folder, said=told), command
    curious.run_id = json.loads(said.splitlines()[0])["run_id"]
    for command in ("show", "trace", "events", "status"):
        _, told = await program(curious, isolated, keys, command, curious.run_id)
        assert [] == leaks(keys, said=told), command


async def test_a_crash_tells_no_key(isolated, curious, keys):
    """C08: the report, the journal and the line."""
    task = await curious.lay_out()
    hook = curious.folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        f"import os\nKEYS = {list(keys)}\nKEYS = [os.environ[k] for k in KEYS]\n{CRASH}"
    )

    code, said = await program(curious, isolated, keys, "run", str(task), PYTHONPATH=f"{hook}:{REPO}")

    assert 1 == code, said[-2000:]
    assert b"a defect in agentctl: " in said
    assert list(isolated.rglob("crash-*.txt"))
    assert [] == leaks(keys, isolated, curious.folder, said=said)


async def test_tools_called_by_hand_see_no_key(isolated, curious, keys):
    task = await curious.lay_out()

    code, said = await program(curious, isolated, keys, "tools", "try", str(task), "peek", "{}", "--yes")

    assert 0 == code, said[-2000:]
    assert (curious.folder / "function.seen").exists()
    assert [] == leaks(keys, isolated, curious.folder, said=said)


async def test_a_process_of_the_same_user_can_not_look_into_ours(isolated, curious, keys):
    """Neither its environment nor its memory, and so nobody can dump it; root is left without what root may do."""
    body = (
        "for each in environ mem maps; do head -c 9 /proc/$PPID/$each >> pry.seen 2>&1 && echo READ >> pry.seen; done"
    )
    curious.tool("pry", f"{body}; echo '{{}}'")
    curious.replies = [calls(("pry", {}), ("look", {})), Reply(text="Done.")]
    task = await curious.lay_out()

    code, said = await program(curious, isolated, keys, "run", str(task), before=BARE)

    assert 0 == code, said[-2000:]
    told = (curious.folder / "pry.seen").read_text()
    assert (3, 0) == (told.count("Permission denied"), told.count("READ")), told
    assert [] == leaks(keys, isolated, curious.folder, said=said)


async def test_a_detached_run_has_its_keys_and_tells_none(isolated, curious, keys):
    curious.replies = [calls(("look", {})), Reply(text="Done.")]
    task = await curious.lay_out()

    code, said = await program(curious, isolated, keys, "run", str(task), "--detach")
    run_id = said.split()[0].decode()
    for _ in range(600):
        _, told = await program(curious, isolated, keys, "show", run_id, "--json")
        if b'"completed"' in told:
            break
        await asyncio.sleep(0.1)

    assert 0 == code, said
    assert b'"completed"' in told, told
    assert [] == leaks(keys, isolated, curious.folder, said=said + told)


@pytest.mark.parametrize(("table", "place"), [("sandbox", "sandbox.env[0]"), ("tool", "tools[0].env[0]")])
async def test_a_key_that_is_to_be_handed_on_is_refused_by_its_name(isolated, curious, keys, table, place):
    if table == "sandbox":
        curious.policy(sandbox={"env": ["TEAM_KEY"]})
    else:
        curious.tools = [{"use": "mcp", "name": "srv", "command": ["true"], "env": ["TEAM_KEY"]}]
    task = await curious.lay_out()

    code, said = await program(curious, isolated, keys, "run", str(task))

    assert 3 == code
    assert f"{place}: TEAM_KEY holds a key of agentctl's own".encode() in said
    assert [] == leaks(keys, isolated, curious.folder, said=said)


async def test_a_key_of_the_keyring_is_kept_as_well(isolated, curious, keys):
    """Nothing in the environment says what it is: it is known because it was loaded."""
    task = await curious.lay_out()
    policy = curious.folder / "policy.toml"
    policy.write_text(policy.read_text().replace('key_env = "ANTHROPIC_API_KEY"\n', ""))
    ring = curious.folder / "hook"
    ring.mkdir()
    (ring / "ring.py").write_text(RING)
    hidden = isolated / "ring"
    hidden.write_text(keys["ANTHROPIC_API_KEY"])
    curious.replies = [calls(("look", {}), ("peek", {})), Reply(text="Done.")]
    env = {"PYTHON_KEYRING_BACKEND": "ring.Ring", "PYTHONPATH": f"{ring}:{REPO}", "RING": str(hidden)}
    rest = {name: key for name, key in keys.items() if name != "ANTHROPIC_API_KEY"}

    code, said = await program(curious, isolated, rest, "run", str(task), **env)

    hidden.unlink()
    assert 0 == code, said[-2000:]
    assert "/v1/messages" in HEARD
    assert [] == leaks(keys, isolated, curious.folder, said=said)
