"""The server: one function for every request, the door first."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from socket import socket
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from agentctl.tui.serving import wire
from agentctl.tui.serving.child import LEAVE_S, TERM_S, Child, Launch
from agentctl.tui.serving.door import UNKNOWN, Door, Refusal
from agentctl.tui.serving.pages import File, Pages

MOST: Final = 8
"""Sessions at once; each is a process."""
FULL: Final = Refusal(503, f"{MOST} sessions are open: close one")
BEAT_S: Final = 15.0
"""Between two looks whether the browser is still there."""
SHUT_S: Final = LEAVE_S + TERM_S + 1.0


def headers(door: Door) -> dict[str, str]:
    """Those of every answer. The terminal in the page writes style sheets of its own, hence the one `unsafe`."""
    sockets = " ".join(f"ws://{host}" for host in door.hosts)  # not every browser counts them to 'self'
    return {
        "Server": "agentctl",
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:;"
            f" connect-src {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


class Served:
    """What one server serves: a monitor for each session."""

    def __init__(self, door: Door, launch: Launch, pages: Pages, say: Callable[[str], None]) -> None:
        """`say`: where a line goes about what went wrong."""
        self._door, self._launch, self._pages, self._say = door, launch, pages, say
        self._headers = headers(door)
        self._sessions: set[web.WebSocketResponse] = set()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Never raises, but where the connection is gone."""
        refused = self._refused(request)
        if refused is not None:
            return self._text(refused)
        tokens = request.query.getall("token", ()) if request.path == "/" else ()
        if tokens:
            return self._welcomed(tuple(tokens))
        if not self._door.knows_badge(request.cookies.get(self._door.cookie)):
            return self._text(UNKNOWN)
        if request.method != "GET":
            return self._text(Refusal(405, "only GET"))
        if request.path == "/ws":
            return await self._session(request)
        found = self._pages.index(request.host) if request.path == "/" else self._pages.files.get(request.path)
        return self._file(found) if found is not None else self._text(Refusal(404, "nothing here"))

    def _refused(self, request: web.BaseRequest) -> Refusal | None:
        hosts, origins = request.headers.getall("Host", []), request.headers.getall("Origin", [])
        return self._door.elsewhere(hosts, origins, socket=request.path == "/ws")

    def _welcomed(self, tokens: tuple[str, ...]) -> web.StreamResponse:
        if not self._door.knows_token(tokens):
            return self._text(UNKNOWN)
        response = web.Response(status=303, headers={**self._headers, "Location": "/"})
        response.set_cookie(self._door.cookie, self._door.badge, path="/", httponly=True, samesite="Strict")
        return response

    async def _session(self, request: web.BaseRequest) -> web.StreamResponse:
        if len(self._sessions) >= MOST:
            return self._text(FULL)
        browser = web.WebSocketResponse(heartbeat=BEAT_S, max_msg_size=wire.LONGEST, compress=False)
        browser.headers.update(self._headers)
        if not browser.can_prepare(request):
            return self._text(Refusal(400, "a WebSocket was expected"))
        self._sessions.add(browser)
        try:
            await browser.prepare(request)
            query = request.query
            await self._play(browser, wire.first(query.get("width"), query.get("height")))
        except ConnectionError:  # the browser is gone
            pass
        except Exception as error:  # noqa: BLE001  # a defect ends one session, in one line
            self._say(f"session ended: {type(error).__name__}: {error}")
        finally:
            self._sessions.discard(browser)
        return browser

    async def _play(self, browser: web.WebSocketResponse, size: wire.Size) -> None:
        """A monitor for this browser, until one of them leaves."""
        try:
            child = await Child.start(self._launch, size)
        except OSError as error:
            self._say(f"no monitor can be started: {error.strerror}")
            return
        shown = asyncio.create_task(_show(child, browser))
        why = ""
        try:
            why = await _listen(child, browser)
        finally:
            shown.cancel()
            await asyncio.gather(shown, return_exceptions=True)
            complaint = await child.end()
            with contextlib.suppress(ConnectionError):
                await browser.close(code=WSCloseCode.POLICY_VIOLATION if why else WSCloseCode.OK)
        if why or complaint:
            self._say(f"session ended: {why or complaint}")

    def _text(self, refusal: Refusal) -> web.Response:
        return web.Response(status=refusal.status, text=f"{refusal.text}\n", headers=self._headers)

    def _file(self, file: File) -> web.Response:
        return web.Response(body=file.body, headers={**self._headers, "Content-Type": file.kind})

    async def end(self) -> None:
        """End every session."""
        await asyncio.gather(*(each.close(code=WSCloseCode.GOING_AWAY) for each in self._sessions))


async def _show(child: Child, browser: web.WebSocketResponse) -> None:
    """Screens to the browser; it is told when there will be no more."""
    with contextlib.suppress(ConnectionError):
        async for screen in child.screens():
            await browser.send_bytes(screen)
        await browser.close()


async def _listen(child: Child, browser: web.WebSocketResponse) -> str:
    """What the browser says, to the monitor; why it is heard no more, empty where it left."""
    async for message in browser:
        if message.type is not WSMsgType.TEXT:
            return "not a text, or too long a one"
        match wire.understood(message.data):
            case wire.Keys(data):
                await child.keys(data)
            case wire.Size(width, height):
                await child.tell("resize", width=width, height=height)
            case wire.Focus(kind):
                await child.tell(kind)
            case wire.Ping(data):
                await browser.send_json(["pong", data])
            case wire.Garbage(why):
                return why
    return ""


async def serve(listener: socket, served: Served) -> None:
    """Serve until this process is told to end."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is not signal.SIG_IGN:  # as nohup has it
            loop.add_signal_handler(each, over.set)
    quiet = logging.getLogger("agentctl.serving")  # what is said to the person goes through `say`
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())
    runner = web.ServerRunner(web.Server(served.answer, access_log=None, logger=quiet), shutdown_timeout=SHUT_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        await over.wait()
        await served.end()
    finally:
        await runner.cleanup()
