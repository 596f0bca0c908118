"""`monitor --serve` as a person starts it: real runs, real monitors, real browsers."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.browser import chromium, watched

__all__ = ["chromium"]
ESCAPES = re.compile(r"\x1b(\[[0-9;?<>=$]*[a-zA-Z]|\][^\x07]*\x07|.)")
KEY = "sk-ant-" + "x" * 24


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A home with a rehearsed run that waits for a person: its folder, the run's id."""
    folder = tmp_path_factory.mktemp("recorded")
    env = {**os.environ, "AGENTCTL_HOME": str(folder / "home")}

    def agentctl(*words):
        done = subprocess.run(
            [sys.executable, "-m", "agentctl", *words], cwd=folder, env=env, check=False, capture_output=True
        )
        return done.returncode, done.stdout

    assert agentctl("init", "demo")[0] == 0
    script = folder / "demo" / "rehearsal.toml"
    script.write_text(script.read_text().partition("[[person]]")[0].replace('"0.4"', '"0.01"'))
    code, out = agentctl("run", "demo/task.toml", "--rehearse", "--var", "order=A-1001", "--json")
    assert code == 12
    return folder / "home", json.loads(out)["run_id"]


@pytest.fixture
def parked(recorded, isolated):
    """The run, in a home of the test's own."""
    shutil.copytree(recorded[0], isolated, dirs_exist_ok=True)
    return recorded[1]


@contextmanager
def serving(*arguments, **env):
    """The program, its address, and the process."""
    command = [sys.executable, "-m", "agentctl", "monitor", "--serve", "--json", *arguments]
    env = {**os.environ, **env}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def left(process, number=signal.SIGINT):
    """End it as a person does; its code, and all that it said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


class Page:
    """A page without a browser: what was drawn, as words."""

    def __init__(self, socket):
        self.socket, self.drawn = socket, b""

    async def until(self, *words):
        while any(word not in self.text for word in words):
            message = await self.socket.receive()
            assert message.type is aiohttp.WSMsgType.BINARY, f"{message}: {self.text[-2000:]}"
            self.drawn += message.data

    @property
    def text(self):
        return ESCAPES.sub("", self.drawn.decode(errors="replace"))

    async def press(self, *keys):
        self.drawn = b""
        for key in keys:
            await self.socket.send_json(["stdin", key])

    async def over(self):
        while (await self.socket.receive()).type is aiohttp.WSMsgType.BINARY:
            pass


def visited(address, visit):
    """What somebody does who came in through the address that was printed."""

    async def work():
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            async with session.get(address["url"]) as got:
                assert (200, f"http://127.0.0.1:{address['port']}/") == (got.status, str(got.url))
            at = f"http://127.0.0.1:{address['port']}"
            async with session.ws_connect(f"{at}/ws?width=100&height=30", headers={"Origin": at}) as socket:
                return await visit(Page(socket))

    return asyncio.run(work())


def children(process):
    return psutil.Process(process.pid).children()


def test_who_only_looks_changes_nothing(agentctl, parked):
    """Every key that decides, pauses, cancels or resumes, and the command that writes a file."""
    before = agentctl("events", parked).out

    async def look(page):
        await page.until("order-triage", "needs you")
        await page.press("\r")
        await page.until("send_refund waits for you")
        await page.press("p", "r", "c", "y")
        await page.until("this screen only shows")
        await page.press("d")
        await page.until("this screen only shows: answer it in a terminal")
        await page.press(*"yaensh\x10")
        await page.until("Search for commands")
        await page.press(*"picture")
        await page.until("No matches found")
        await page.press("\x11")
        await page.over()

    with serving() as (process, address):
        assert address["answers"] is False
        visited(address, look)
        code, out, err = left(process)

    assert (0, "", "") == (code, out, err)
    assert before == agentctl("events", parked).out
    assert [parked] == [each["run_id"] for each in agentctl("approvals", "--json").json["items"]]
    assert agentctl("runs", "--json").json["items"][0]["status"] == "parked"
    assert [] == list(Path.cwd().glob("*.svg"))


def test_with_serve_approve_a_call_is_approved(agentctl, parked):
    async def decide(page):
        await page.until("send_refund waits for you")
        await page.press("d")
        await page.until("y approve once")
        while "approved: send_refund" not in page.text:  # a key that comes too soon is taken for a typed-ahead one
            await page.press("y")
            with suppress(TimeoutError):
                await asyncio.wait_for(page.until("approved: send_refund"), 1.0)

    with serving(parked, "--serve-approve") as (_, address):
        assert address["answers"] is True
        visited(address, decide)

    assert [] == agentctl("approvals", "--json").json["items"]


def test_neither_ps_nor_a_monitor_learns_a_secret(parked, isolated):
    """Of a monitor that only shows: not the token, no key of a provider, and the store's URL in no argument."""
    url = f"sqlite:///{isolated}/data/agentctl.db"

    async def look(page):
        await page.until("needs you")
        (child,) = children(process)
        return child.cmdline(), child.environ()

    with serving("--store", url, ANTHROPIC_API_KEY=KEY, AGENTCTL_SEAL_KEY="c2VhbA==", PGPASSWORD="p") as found:
        process, address = found
        words, env = visited(address, look)
        token = address["url"].partition("token=")[2]

        assert ["-m", "agentctl", "monitor", "--user"] == words[1:5]
        assert "--read-only" in words
        assert url not in words
        assert url == env["AGENTCTL_STORE"]
        assert {"AGENTCTL_SEAL_KEY": "c2VhbA==", "PGPASSWORD": "p"}.items() <= env.items()
        assert "ANTHROPIC_API_KEY" not in env
        assert not any(token in value for value in (*words, *env.values(), *psutil.Process(process.pid).cmdline()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda each: each.name)
def test_when_it_ends_its_monitors_end(parked, number):
    async def end(page):
        await page.until("needs you")
        monitors = children(process)
        said = await asyncio.to_thread(left, process, number)
        psutil.wait_procs(monitors, timeout=30)
        return said, [each for each in monitors if each.is_running()]

    with serving() as (process, address):
        said, alive = visited(address, end)

    assert (-9 if number is signal.SIGKILL else 0, "", "") == said
    assert [] == alive


def test_one_line_says_where_and_what_is_allowed(parked):
    for flags, allowed in (((), "read-only"), (("--serve-approve",), "answers allowed")):
        command = [sys.executable, "-m", "agentctl", "monitor", "--serve", *flags]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline()

            assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/\?token=[\w-]{{43}}  {allowed}, ctrl-c ends it\n", line)
            assert {"127.0.0.1"} == {each.laddr.ip for each in psutil.Process(process.pid).net_connections()}
            assert (0, "", "") == left(process)


def test_what_can_not_be_served_is_said_in_a_line(agentctl, parked, monkeypatch):
    for arguments, code, said in (
        (("--port", "80"), 2, "--port: expected with --serve"),
        (("--serve-approve",), 2, "--serve-approve: expected with --serve"),
        (("--json",), 2, "--json: expected with --serve"),
        (("--serve", "--serve-approve", "--read-only"), 2, "contradicts --read-only"),
        (("--serve", "--port", "70000"), 2, "--port"),
        (("--serve", "r_nope"), 20, "there is no run r_nope"),
        (("--serve", "--store", "sqlite:////nowhere/x.db"), 3, "/nowhere"),
    ):
        called = agentctl("monitor", *arguments)

        assert code == called.code, arguments
        assert said in called.err
    with serving() as (_, address):
        called = agentctl("monitor", "--serve", "--port", address["port"])
        assert (2, True) == (
            called.code,
            f"--port: {address['port']} can't be used: Address already in use" in called.err,
        )
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for module in ("agentctl.tui.serving.pages", "agentctl.tui.serving"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    called = agentctl("monitor", "--serve")

    assert called.code == 2
    assert "--serve needs an extra: textual-serve is not here" in called.err
    assert "pip install 'agentctl[serve]'" in called.err


@pytest.mark.needs("chromium")
def test_a_real_browser_shows_the_runs_and_asks_nobody_else(chromium, parked):
    """No complaint in its console, and keys work without a click."""
    with serving() as (process, address), watched(chromium, viewport={"width": 1200, "height": 760}) as (page, seen):
        drawn = []
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: drawn.extend([frame])))
        page.goto(address["url"])
        page.wait_for_selector("body.-first-byte")
        shown(page, drawn, "needs you", "order-triage")
        page.keyboard.press("Enter")
        shown(page, drawn, "send_refund waits for you")
        here = page.url
        assert page.evaluate("window.open('http://evil.example/')") is None
        page.keyboard.press("q")
        page.get_by_text("This session has ended").wait_for()
        page.get_by_role("button").click()
        page.wait_for_selector("body.-first-byte")
        assert (0, "", "") == left(process)

    at = f"http://127.0.0.1:{address['port']}/"
    assert at == here
    assert [] == [each for each in seen.over_the_network if not each.startswith(at)]
    assert [] == [each for each in seen.complaints if not re.fullmatch(r"ping=\d+ms|CLOSED", each)]


def shown(page, drawn, *words):
    """Wait until these were drawn."""
    for _ in range(300):
        text = ESCAPES.sub("", b"".join(each for each in drawn if isinstance(each, bytes)).decode(errors="replace"))
        if all(word in text for word in words):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"no {words} in {text[-2000:]!r}")
