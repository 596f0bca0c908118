"""The server as a server: connections, processes, addresses."""

import asyncio
import json
import signal
import sys

import httpx2
import pytest

from agentctl.rehearsal.script import Reply, Script
from agentctl.rehearsal.server import StandIn

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
HEADERS = {"x-api-key": "k", "anthropic-version": "2026-10-21"}


@pytest.mark.parametrize(
    ("provider", "sdk", "run", "path"),
    [
        ("", "anthropic", "", ""),
        ("", "openai", "", "/v1"),
        ("main", "anthropic", "", "/p/main"),
        ("main", "openai", "", "/p/main/v1"),
        ("main", "openai", "r_1", "/p/main/r/r_1/v1"),
        ("a/b c", "anthropic", "r?", "/p/a%2Fb%20c/r/r%3F"),
    ],
)
async def test_the_address_says_who_is_asked_and_for_whom(provider, sdk, run, path):
    async with StandIn(Script()) as standin:
        assert f"http://127.0.0.1:{standin.port}{path}" == standin.base_url(provider, sdk, run)


async def test_names_in_an_address_come_back_as_they_were(start, raw):
    standin = await start()

    await raw(standin).post("/v1/messages", BODY, provider="a/b c", run="r?é")

    assert ("a/b c", "r?é") == (standin.requests[0].provider, standin.requests[0].run)


async def test_a_connection_is_kept_for_the_next_request(start):
    standin = await start()
    opened = []
    accept = standin._accept
    standin._accept = accept
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=1)) as client:
        for _ in range(5):
            await client.post(standin.base_url("p", "anthropic") + "/v1/messages", json=BODY, headers=HEADERS)
            opened.append(len(standin._peers))

    assert [1] * 5 == opened


async def test_many_clients_at_once_each_hear_another_reply():
    script = Script(reply=tuple(Reply(text=str(n)) for n in range(100)))
    async with StandIn(script) as standin, httpx2.AsyncClient() as client:
        url = standin.base_url("p", "anthropic") + "/v1/messages"

        async def hear():
            reply = (await client.post(url, json=BODY, headers=HEADERS)).json()
            return reply["content"][0]["text"], reply["id"]

        heard = await asyncio.gather(*(hear() for _ in range(100)))

    assert {str(n) for n in range(100)} == {text for text, _ in heard}
    assert 100 == len({ident for _, ident in heard})


async def test_leaving_hangs_up_on_clients_that_still_wait(read_script):
    async with StandIn(read_script("[[fault]]\nkind = 'hang'")) as standin, httpx2.AsyncClient(timeout=5) as client:
        url = standin.base_url("p", "anthropic") + "/v1/messages"
        waiting = asyncio.create_task(client.post(url, json=BODY, headers=HEADERS))
        await asyncio.sleep(0.1)
        await standin.__aexit__(None, None, None)
        with pytest.raises(httpx2.HTTPError):
            await waiting


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc",
    ],
)
async def test_nonsense_ends_the_connection_and_not_the_server(start, raw, nonsense):
    standin = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", standin.port)

    writer.write(nonsense)
    writer.write_eof()
    await asyncio.wait_for(reader.read(), 2)
    writer.close()

    assert 200 == (await raw(standin).post("/v1/messages", BODY)).status_code


async def test_the_list_of_requests_is_bounded(start):
    standin = await start()

    assert 10_000 == standin.requests.maxlen


async def test_a_process_of_its_own_serves_until_it_is_told_to_stop(tmp_path):
    script = tmp_path / "script.toml"
    script.write_text('[[reply]]\ntext = "Hello."')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "agentctl.rehearsal.server", str(script)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        port = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))["port"]
        async with httpx2.AsyncClient() as client:
            url = f"http://127.0.0.1:{port}/v1/messages"
            reply = await client.post(url, json=BODY, headers=HEADERS)
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 5)
    finally:
        if process.returncode is None:
            process.kill()

    assert "Hello." == reply.json()["content"][0]["text"]
    assert 0 == code


async def test_the_room_imports_no_sdk():
    code = "import agentctl.rehearsal.server, sys; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(*(sys.executable, "-c", code), stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()

    assert not {b"anthropic", b"openai", b"pydantic", b"httpx2"} & set(out.split())
