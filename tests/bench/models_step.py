"""What one model call costs here, against a bare loop over the same SDK: `python tests/bench/models_step.py`.

An instant server in another process answers each request with a tool call. The history has N turns (a call and its
answer each) before the measured ones; every measured request is one turn longer than the one before. Medians in
milliseconds.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from agentctl.core.messages import History, Message, Request, Text, ToolAnswer, ToolSchema, ToolUse
from agentctl.core.policy import Provider
from agentctl.models.base import open_model

TURNS = (10, 50, 200, 480)
WORDS = "The quick brown fox jumps over the lazy dog. " * 6
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = tuple(ToolSchema(f"tool_{i}", "Looks something up. " * 4, SCHEMA) for i in range(6))
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


# --- The instant server ---------------------------------------------------------------------------


def replies() -> dict[str, bytes]:
    from tests.models.wires import events, sse

    call = (("id_1", "tool_1", '{"query": "what is it?"}'),)
    bodies = {api: sse(events(api, WORDS[:120], call)) for api in ("messages", "responses", "chat")}
    return {api: b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) for api, body in bodies.items()}


def serve(port: Any) -> None:
    prepared = replies()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                path = head.split(b" ")[1].decode()
                kind = path.rsplit("/", 1)[-1].replace("completions", "chat")
                writer.write(HEAD + prepared[kind])
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(client, "127.0.0.1", 0, limit=2**26)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


# --- The loops ------------------------------------------------------------------------------------


def turn(number: int) -> list[Message]:
    use = ToolUse(f"c{number}.0", f"id_{number}", "tool_1", {"query": f"what is {number}?"})
    answer = ToolAnswer(use.call_id, use.wire_id, WORDS + str(number), is_error=False)
    return [Message("assistant", (Text(WORDS[:120]), use)), Message("user", (answer,))]


def history(turns: int) -> History:
    return History([Message("user", (Text(WORDS),))] + [m for n in range(turns) for m in turn(n)])


def request(held: History) -> Request:
    return Request(WORDS * 8, TOOLS, held, 1000)


def provider(api: str, port: int) -> Provider:
    if api == "messages":
        return Provider("p", "anthropic", "claude-sonnet-4-6", base_url=f"http://127.0.0.1:{port}")
    return Provider("p", "openai", "gpt-5.4", base_url=f"http://127.0.0.1:{port}/v1", api=api)  # type: ignore[arg-type]


async def ours(api: str, port: int, turns: int, rounds: int) -> list[float]:
    model = open_model(provider(api, port), "k")
    held = history(turns)
    await model.ask(request(held), lambda _: None)
    spans: list[float] = []
    for number in range(rounds):
        held.messages += turn(turns + number)
        asked = request(held)
        begun = time.perf_counter()
        outcome = await model.ask(asked, lambda _: None)
        spans.append(time.perf_counter() - begun)
        assert outcome.stop == "tool_use", outcome  # type: ignore[union-attr]
    await model.close()
    return spans


def bodies(api: str, turns: int, rounds: int) -> list[dict[str, Any]]:
    """The requests as a bare loop would have them: plain parameters."""
    from tests.models.test_translation import dialect

    held = dialect(api, base_url="http://x")
    return [json.loads(held.body(request(history(turns + number)))) for number in range(1, rounds + 1)]


async def bare_sdk(api: str, port: int, turns: int, rounds: int) -> list[float]:
    entry = provider(api, port)
    client: Any
    if api == "messages":
        import anthropic

        client = anthropic.AsyncAnthropic(api_key="k", base_url=entry.base_url, max_retries=0)
        create = client.messages.create
    else:
        import openai

        client = openai.AsyncOpenAI(api_key="k", base_url=entry.base_url, max_retries=0)
        create = client.responses.create if api == "responses" else client.chat.completions.create

    async def once(body: dict[str, Any]) -> None:
        async for _ in await create(**body):
            pass

    return await timed(once, bodies(api, turns, rounds), client.close)


async def bare_http(api: str, port: int, turns: int, rounds: int) -> list[float]:
    client = httpx2.AsyncClient(timeout=60)
    path = {"messages": "v1/messages", "responses": "v1/responses", "chat": "v1/chat/completions"}[api]

    async def once(body: dict[str, Any]) -> None:
        url = f"http://127.0.0.1:{port}/{path}"
        async with client.stream("POST", url, json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    json.loads(line[6:])

    return await timed(once, bodies(api, turns, rounds), client.aclose)


async def timed(
    once: Callable[[dict[str, Any]], Awaitable[None]], asked: list[dict[str, Any]], close: Callable[[], Awaitable[None]]
) -> list[float]:
    await once(asked[0])
    spans: list[float] = []
    for body in asked:
        begun = time.perf_counter()
        await once(body)
        spans.append(time.perf_counter() - begun)
    await close()
    return spans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    port_of: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(port_of,), daemon=True)
    server.start()
    port = port_of.get(timeout=30)
    say = sys.stdout.write
    say(f"{'API':<10}{'turn':>5}{'http':>9}{'SDK':>9}{'ours':>9}{'ours/SDK':>10}{'ours/http':>10}\n")
    for api in ("messages", "responses", "chat"):
        for turns in TURNS:
            few = min(rounds, 5) if api != "messages" and turns > 100 else rounds
            spans = [
                statistics.median(asyncio.run(loop(api, port, turns, count))) * 1000
                for loop, count in ((bare_http, rounds), (bare_sdk, few), (ours, rounds))
            ]
            http, sdk, own = spans
            say(f"{api:<10}{turns:>5}{http:>9.2f}{sdk:>9.2f}{own:>9.2f}{own / sdk:>10.3f}{own / http:>10.2f}\n")
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
