"""A real server with real clients; in the monitor's place a program that repeats what is typed."""

import asyncio
import sys
from contextlib import asynccontextmanager
from socket import create_server

import aiohttp
import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from agentctl.tui.serving import pages, server
from agentctl.tui.serving.child import Launch
from agentctl.tui.serving.door import Door
from agentctl.tui.serving.server import MOST, Served, headers, serve

ECHO = r"""
import sys
into, out = sys.stdin.buffer, sys.stdout.buffer
out.write(b"__GANGLION__\n"); out.flush()
while head := into.read(5):
    said = into.read(int.from_bytes(head[1:], "big"))
    if b'"quit"' in said or said == b"die":
        break
    out.write(b"M\0\0\0\x19" + b'{"type": "open_url", "u"}' + b"P\0\0\0\x01x")
    out.write(b"D" + len(said).to_bytes(4, "big") + said); out.flush()
"""
SILENT = "import sys; sys.exit('error: there is no store')"
PATHS = ("/", "/ws", "/page.css", "/static/js/textual.js", "/download/k", "/nothing", "/static/")

OUTSIDE = (
    *(
        "/static/",
        "/static",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/page.html",
    ),
    *("/static//etc/passwd", "/..%2f..%2fetc%2fpasswd", "/download/k", "/static/js/textual.js/", "/page.css%00"),
)
RAW = (
    b"\x16\x03\x01\x00\xff\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: evil.example\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
)


class Client:
    """A browser, but for its manners."""

    def __init__(self, session, door):
        self.session, self.door, self.said = session, door, []
        self.heard = asyncio.Event()
        self.at = f"http://127.0.0.1:{door.port}"
        self.badge = {"Cookie": f"{door.cookie}={door.badge}"}
        self.origin = {"Origin": self.at}

    def say(self, line):
        self.said.append(line)
        self.heard.set()

    async def get(self, path, headers=None, method="GET"):
        url = self.at + path
        async with self.session.request(method, url, headers=headers or {}, allow_redirects=False) as got:
            return got.status, (await got.read()).decode(errors="replace"), got.headers

    def socket(self, path="/ws", **headers):
        return self.session.ws_connect(self.at + path, headers={**self.badge, **self.origin, **headers})

    async def refused(self, **headers):
        """The status of a handshake with these and no other headers."""
        with pytest.raises(WSServerHandshakeError) as raised:
            await self.session.ws_connect(self.at + "/ws", headers=headers)
        return raised.value.status


@asynccontextmanager
async def opened(program=ECHO):
    listener = create_server(("127.0.0.1", 0))
    door = Door(listener.getsockname()[1])
    launch = Launch((sys.executable, "-S", "-E", "-c", program), {})
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        client = Client(session, door)
        served = Served(door, launch, pages.read("agentctl <monitor>"), client.say)
        work = asyncio.create_task(serve(listener, served))
        try:
            yield client
        finally:
            work.cancel()
            await asyncio.wait((work,))
            listener.close()


async def test_without_the_token_there_is_nothing_but_a_refusal():
    """Neither the page, nor a file of it, nor what the server is made of."""
    async with opened() as client:
        for path in PATHS:
            for badge in (
                {},
                {"Cookie": f"{client.door.cookie}=wrong"},
                {"Cookie": "agentctl_1=" + client.door.badge},
            ):
                status, text, seen = await client.get(path, {**client.origin, **badge})

                assert (403, "open the address that agentctl monitor printed\n") == (status, text), path
                assert seen["Server"] == "agentctl"
                assert "Set-Cookie" not in seen
        for query in ("?token=", "?token=wrong", f"?token={client.door.badge}", f"?token={client.door.token}&token=x"):
            assert 403 == (await client.get("/" + query, client.badge))[0]
        assert 403 == (await client.get(f"/page.css?token={client.door.token}"))[0]


async def test_the_token_becomes_a_cookie_and_leaves_the_address():
    async with opened() as client:
        status, text, seen = await client.get(f"/?token={client.door.token}")
        cookie = seen["Set-Cookie"]

        assert (303, "", "/") == (status, text, seen["Location"])
        assert cookie == f"{client.door.cookie}={client.door.badge}; HttpOnly; Path=/; SameSite=Strict"
        assert client.door.token not in str(seen)

        status, text, seen = await client.get("/", client.badge)

        assert status == 200
        assert "<title>agentctl &lt;monitor&gt;</title>" in text
        assert f'"ws://127.0.0.1:{client.door.port}/ws"' in text
        assert client.door.token not in text
        assert client.door.badge not in text


async def test_what_was_sent_to_another_name_or_by_another_site_stays_outside():
    """DNS rebinding, and requests from a page of another site."""
    async with opened() as client:
        address = f"/?token={client.door.token}"
        for path in (*PATHS, address):
            assert 421 == (await client.get(path, {**client.badge, "Host": "evil.example"}))[0], path
            assert 421 == (await client.get(path, {**client.badge, "Host": "127.0.0.1:1"}))[0], path
            for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
                assert 403 == (await client.get(path, {**client.badge, "Origin": origin}))[0], path


async def test_a_socket_needs_a_badge_and_an_origin():
    async with opened() as client:
        assert 403 == await client.refused(**client.badge)
        assert 403 == await client.refused(**client.origin)
        assert 403 == await client.refused(**client.badge, Origin="null")
        assert 403 == await client.refused(**client.badge, Origin="http://evil.example")
        assert 421 == await client.refused(**client.badge, **client.origin, Host="evil.example")


async def test_all_answers_carry_the_headers_that_keep_them_here():
    async with opened() as client:
        wanted = headers(client.door)
        for path in PATHS:
            for badge in ({}, client.badge):
                seen = (await client.get(path, {**client.origin, **badge}))[2]

                assert wanted.items() <= dict(seen).items(), path
    policy = wanted["Content-Security-Policy"]
    assert "http" not in policy
    assert "*" not in policy


async def test_only_the_files_of_the_page_are_served():
    async with opened() as client:
        found = {path: (await client.get(path, client.badge))[0] for path in pages.read("").files}

        assert {200} == set(found.values())
        for path in OUTSIDE:
            assert (404, "nothing here\n") == (await client.get(path, client.badge))[:2], path
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
            assert 405 == (await client.get("/", client.badge, method))[0]
        assert 400 == (await client.get("/ws", {**client.badge, **client.origin}))[0]


async def test_garbage_of_a_protocol_gets_no_traceback_and_no_secret(capfd):
    async with opened() as client:
        for raw in RAW:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.door.port)
            writer.write(raw)
            writer.write_eof()
            got = (await reader.read()).decode()
            writer.close()

            assert got.startswith(("HTTP/1.1 4", "HTTP/1.0 4")) or not got, got
            assert "Traceback" not in got
            assert client.door.token not in got
        assert ("", "") == tuple(capfd.readouterr())


async def test_keys_and_sizes_reach_the_monitor_and_its_screens_come_back():
    """And nothing else of what it sends: no file, no address to open."""
    async with opened() as client, client.socket() as socket:
        await socket.send_json(["stdin", "abc"])
        assert b"abc" == (await socket.receive()).data
        await socket.send_json(["resize", {"width": 5_000, "height": 50}])
        assert b'{"type": "resize", "width": 400, "height": 50}' == (await socket.receive()).data
        await socket.send_json(["focus"])
        assert b'{"type": "focus"}' == (await socket.receive()).data
        await socket.send_json(["ping", "1"])
        assert '["pong", "1"]' == (await socket.receive()).data


@pytest.mark.parametrize(
    "message",
    ['{"a": 1}', "[[[", '["quit"]', '["resize", {"width": 1e12, "height": 1}]', b"\x00\xff", "x" * 70_000],
    ids=["object", "cut", "unknown", "huge", "binary", "long"],
)
async def test_garbage_ends_its_session_in_one_line(message, capfd):
    async with opened() as client, client.socket() as other:
        async with client.socket() as socket:
            await (socket.send_bytes if isinstance(message, bytes) else socket.send_str)(message)
            assert (await socket.receive()).type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}
        await other.send_json(["stdin", "still here"])

        assert b"still here" == (await other.receive()).data
        await asyncio.wait_for(client.heard.wait(), 30)
        assert 1 == len(client.said)
        assert client.said[0].startswith("session ended: not ")
        assert "\n" not in client.said[0]
    assert ("", "") == tuple(capfd.readouterr())


async def test_a_monitor_that_ends_ends_its_session():
    async with opened() as client, client.socket() as socket:
        await socket.send_json(["stdin", "die"])

        assert WSMsgType.CLOSE == (await socket.receive()).type
        assert [] == client.said


async def test_what_a_monitor_complained_of_is_said():
    async with opened(SILENT) as client, client.socket() as socket:
        assert WSMsgType.CLOSE == (await socket.receive()).type
    assert ["session ended: error: there is no store"] == client.said


async def test_a_monitor_that_can_not_be_started_is_said(monkeypatch):
    def full(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(server.Child, "start", full)
    async with opened() as client, client.socket() as socket:
        assert WSMsgType.CLOSE == (await socket.receive()).type
        assert ["no monitor can be started: Resource temporarily unavailable"] == client.said


async def test_a_defect_ends_one_session_in_one_line(monkeypatch, capfd):
    def broken(*_):
        raise KeyError("cell")

    async with opened() as client, client.socket() as other:
        monkeypatch.setattr(server.wire, "first", broken)
        async with client.socket() as socket:
            assert (await socket.receive()).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
        await other.send_json(["ping", "1"])

        assert '["pong", "1"]' == (await other.receive()).data
        assert ["session ended: KeyError: 'cell'"] == client.said
    assert ("", "") == tuple(capfd.readouterr())


async def test_so_many_sessions_and_one_more_when_one_ends():
    async with opened() as client:
        sockets = [await client.socket() for _ in range(MOST)]
        assert 503 == await client.refused(**client.badge, **client.origin)
        await sockets.pop().close()
        while len(sockets) < MOST:
            try:
                sockets.append(await client.socket())
            except WSServerHandshakeError:
                await asyncio.sleep(0.02)  # its monitor is still leaving
        for socket in sockets:
            await socket.close()
