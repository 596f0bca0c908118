"""What the environment may not decide, what is imported when, and how long a provider may ask to wait."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from agentctl.errors import Invalid
from agentctl.models.base import NO_KEY, is_own, open_model
from agentctl.models.faults import retry_after
from tests.models import wires
from tests.models.wires import APIS, ask_for, provider

each_api = pytest.mark.parametrize("api", APIS)

AMBIENT = {
    "BASE_URL": "http://127.0.0.1:9/evil",
    "CUSTOM_HEADERS": "X-Evil: yes\nAuthorization: Bearer evil",
    "API_KEY": "sk-evil",
    "AUTH_TOKEN": "evil",
    "PROFILE": "evil",
    "ORG_ID": "org-evil",
    "PROJECT_ID": "proj-evil",
    "ADMIN_KEY": "evil",
    "WORKSPACE_ID": "evil",
    "LOG": "debug",
    "OPEN_TELEMETRY": "true",
}


@each_api
async def test_nothing_ambient_reaches_the_wire(api, monkeypatch):
    for name, text in AMBIENT.items():
        monkeypatch.setenv(f"ANTHROPIC_{name}", text)
        monkeypatch.setenv(f"OPENAI_{name}", text)
    seen = []

    def record(request):
        seen.append(request)
        return wires.whole_stream(api, "Hi.")

    await wires.answer(api, record, headers={"X-Mine": "1"})

    (request,) = seen
    assert "evil" not in str(request.url) + str(dict(request.headers)) + request.content.decode()
    assert request.headers["authorization"] == f"Bearer {wires.KEY}"
    assert request.headers["x-mine"] == "1"
    assert not {"openai-organization", "openai-project", "traceparent"} & request.headers.keys()
    own = {"messages": "https://api.anthropic.com/v1/messages", "responses": "https://api.openai.com/v1/responses"}
    assert str(request.url) == own.get(api, "https://api.openai.com/v1/chat/completions")


def test_the_environment_is_as_it_was(monkeypatch):
    import os

    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "A: b")
    before = dict(os.environ)
    wires.open_fake("messages", lambda _: httpx2.Response(200))

    assert dict(os.environ) == before


@each_api
async def test_a_policy_s_base_url_and_headers_hold(api):
    seen = []

    def record(request):
        seen.append(request)
        return wires.whole_stream(api, "Hi.")

    await wires.answer(api, record, base_url="http://127.0.0.1:1/prefix", headers={"anthropic-version": "2023-06-01"})

    assert str(seen[0].url).startswith("http://127.0.0.1:1/prefix/")
    assert seen[0].headers["anthropic-version"] == "2023-06-01"


@each_api
async def test_timeouts_are_explicit(api):
    seen = []

    def record(request):
        seen.append(request.extensions["timeout"])
        return wires.whole_stream(api, "Hi.")

    await wires.answer(api, record, timeout_s=7.0, deadline_s=70.0)

    assert seen == [{"connect": 5.0, "read": 7.0, "write": 70.0, "pool": 70.0}]


@pytest.mark.parametrize("key", [None, "", "  "])
@each_api
async def test_a_server_of_one_s_own_needs_no_key(api, key):
    model = open_model(provider(api, base_url="http://127.0.0.1:1/v1"), key)
    assert model._client.api_key == NO_KEY
    await model.close()

    with pytest.raises(Invalid, match="has no key"):
        open_model(provider(api), key)


@pytest.mark.parametrize("key", ["sk-a\nb", "sk a", "sk-ä", "sk-\x00"])
def test_a_key_that_no_header_can_carry(key):
    with pytest.raises(Invalid, match="characters") as caught:
        open_model(provider("messages"), key)

    assert key not in str(caught.value)


@pytest.mark.parametrize("headers", [{"X": "a\r\nEvil: 1"}, {"X Y": "a"}, {"": "a"}, {"X": "ä"}, {"X:": "a"}])
def test_a_header_that_http_can_t_carry(headers):
    with pytest.raises(Invalid, match="header"):
        open_model(provider("messages", headers=headers), "k")


@each_api
def test_certificates_that_are_not_there(api, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all.pem")
    with pytest.raises(Invalid, match=r"/nowhere/at/all\.pem") as caught:
        open_model(provider(api), "k")

    assert "SSL_CERT_FILE" in caught.value.hint


@each_api
@pytest.mark.parametrize("proxy", ["gopher://x:1", "http://[::1"])
def test_a_proxy_that_is_none(api, proxy, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(Invalid, match="HTTP client"):
        open_model(provider(api), "k")


async def test_a_proxy_of_the_environment_is_used(monkeypatch):
    """Tests hand a client in; the SDK's own must keep what it does for users."""
    heard = asyncio.Event()

    async def proxy(reader, writer):
        if (await reader.readline()).startswith(b"POST http://model.invalid/v1/messages"):
            heard.set()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    model = open_model(provider("messages", base_url="http://model.invalid"), "k")
    failure = await model.ask(ask_for(), lambda _: None)
    await model.close()
    server.close()

    assert heard.is_set()
    assert failure.kind == "connection"


@pytest.mark.parametrize("api", APIS)
async def test_a_connection_serves_the_next_call(api):
    """Over real sockets: a run of many steps opens one connection."""
    body = wires.sse(wires.events(api, "Hi."))
    connections = 0
    gone = asyncio.Event()

    async def serve(reader, writer):
        nonlocal connections
        connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
                writer.write(b"transfer-encoding: chunked\r\n\r\n")
                writer.write(b"%x\r\n%b\r\n" % (len(body), body))
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(b"0\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            gone.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    model = open_model(provider(api, base_url=f"http://127.0.0.1:{port}"), "k")
    replies = [await model.ask(ask_for(), lambda _: None) for _ in range(3)]
    await model.close()
    await gone.wait()
    server.close()

    assert [reply.stop for reply in replies] == ["end_turn"] * 3
    assert connections == 1


@each_api
async def test_the_history_follows_no_redirect(api):
    """The real client, since it is the one that would follow."""
    asked = 0

    async def move(reader, writer):
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 Gone on\r\nlocation: http://127.0.0.1:9/v1\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(move, "127.0.0.1", 0)
    model = open_model(provider(api), None, endpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    failure = await model.ask(ask_for(), lambda _: None)
    await model.close()
    server.close()

    assert (failure.kind, failure.status, asked) == ("invalid", 307, 1)
    assert "http://127.0.0.1:9/v1" in failure.message


def test_what_is_the_provider_s_own():
    assert is_own(provider("messages"))
    assert is_own(provider("chat", base_url="https://api.openai.com/v1/"))
    assert not is_own(provider("chat", base_url="https://api.openai.com.evil.example/v1"))
    assert not is_own(provider("messages", base_url="http://127.0.0.1:1"))


@pytest.mark.parametrize(("sdk", "other"), [("anthropic", "openai"), ("openai", "anthropic")])
def test_one_sdk_is_imported_and_no_sooner_than_needed(sdk, other):
    program = f"""
import sys, json
from agentctl.core.policy import Provider
import agentctl.models.base, agentctl.models.prices, agentctl.models.tokens
before = sorted({{"anthropic", "openai", "httpx2", "genai_prices"}} & sys.modules.keys())
agentctl.models.base.open_model(Provider(name="p", sdk={sdk!r}, model="m"), "k")
print(json.dumps([before, {sdk!r} in sys.modules, {other!r} in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == [[], True, False]


# --- Retry-After ----------------------------------------------------------------------------------

WAITS = [
    ({}, None),
    ({"retry-after": "7"}, 7.0),
    ({"retry-after": " 1.5 "}, 1.5),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ({"retry-after-ms": "nonsense", "retry-after": "9"}, 9.0),
    ({"retry-after": "-1"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "1e300"}, 86_400.0),
    ({"retry-after": "1e999"}, None),
    ({"retry-after": "9" * 5000}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ({"retry-after": "Wed, 21 Oct 9999 07:28:00 GMT"}, 86_400.0),
    ({"retry-after": "Wed, 99 Oct 2015 99:28:00 GMT"}, None),
    ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}, 360.0),
    ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "9"}, None),
    ({"x-ratelimit-reset-requests": "12ms", "x-ratelimit-remaining-requests": "0"}, 0.012),
    ({"x-ratelimit-reset-requests": "1h2m3.5s", "x-ratelimit-remaining-requests": "0"}, 3723.5),
    ({"x-ratelimit-reset-requests": "-1s", "x-ratelimit-remaining-requests": "0"}, None),
    ({"x-ratelimit-reset-requests": "999999999h", "x-ratelimit-remaining-requests": "0"}, 86_400.0),
    ({"x-ratelimit-reset-requests": "9" * 99 + "h", "x-ratelimit-remaining-requests": "0"}, None),
    ({"retry-after": "2", "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}, 2.0),
    ({"anthropic-ratelimit-tokens-reset": "2099-01-01T00:00:00Z"}, None),
]


@pytest.mark.parametrize(("headers", "expected"), WAITS)
def test_how_long_to_wait(headers, expected):
    assert retry_after(headers) == pytest.approx(expected) if expected is not None else retry_after(headers) is None


def test_a_date_to_wait_for():
    at = datetime.now(UTC) + timedelta(seconds=90)

    assert 85 < (retry_after({"retry-after": format_datetime(at, usegmt=True)}) or 0) <= 90


@each_api
async def test_the_wait_crosses(api):
    failure, _ = await wires.answer(api, httpx2.Response(429, json={}, headers={"retry-after": "3600"}))

    assert failure.retry_after_s == 3600.0
