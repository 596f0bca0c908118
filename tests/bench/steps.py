"""Cost of a step: a run with journal and all guards on, against a bare loop over the same SDK.

    .venv/bin/python -m tests.bench.steps [--steps 490] [--api messages] [--readme]

Both sides ask the same stand-in model in a process of its own, read the same small file at each step, and are timed
in one run, in turns, twice each or for 1,000 steps; of each step the fastest counts. Printed per API: milliseconds
between two requests around steps 10, 50, 200 and 480, ours and bare, and the ratio of the medians. `--readme` writes
the table into the README.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from openai import AsyncOpenAI

from tests.bench.disk import flush_ms

README = Path(__file__).parents[2] / "README.md"
MARKS = ("<!-- bench -->", "<!-- /bench -->")
MOST = {"responses": 220}
"""Steps of an API whose bare loop takes half a second a step after that."""
TURNS = 1_000
"""Steps per side: a short run is repeated, since a machine that others use is fast and slow by turns."""
APIS = ("messages", "chat", "responses")
NOTE = "The quick brown fox jumps over the lazy dog. " * 4


def script(steps: int) -> str:
    """`steps` replies that each read another part of the file, then an answer."""
    parts = [
        f'[[reply]]\ntext = "Step {n}."\nusage = {{ input = 900, output = 20 }}\n'
        f'calls = [{{ tool = "read_file", args = {{ path = "note.txt", offset = {n}, limit = 1 }} }}]\n'
        for n in range(steps)
    ]
    return "".join(parts) + '[[reply]]\ntext = "Done."\nusage = { input = 900, output = 20 }\n'


def lay_out(folder: Path, steps: int, port: int, api: str) -> Path:
    """The task, the policy and the file of one measured run."""
    (folder / "note.txt").write_text("\n".join(f"{n}: {NOTE}" for n in range(steps + 1)))
    sdk = "anthropic" if api == "messages" else "openai"
    tail = "" if sdk == "anthropic" else "/v1"
    more = "" if sdk == "anthropic" else f'api = "{api}"\n'
    (folder / f"{api}.toml").write_text(
        f'version = 1\n[[providers]]\nname = "p"\nsdk = "{sdk}"\nmodel = "bench"\n{more}'
        f'base_url = "http://127.0.0.1:{port}/p/{api}/r/ours{time.time_ns()}{tail}"\n'
        "context_tokens = 10_000_000\nprice = { input = 0.01, output = 0.01 }\n"
        "[budget]\nrun_usd = 100.0\nmax_steps = 100_000\nmax_tool_calls = 100_000\n"
        "[tokens]\ntotal = 1_000_000_000\n"
        "[pace]\ntokens_per_minute = 1_000_000_000_000\nusd_per_minute = 1_000_000.0\n"
        "[context]\nmax_tokens = 9_000_000\nhard_limit_tokens = 9_500_000\n"
    )
    (folder / "task.toml").write_text(
        'version = 1\nname = "bench"\nsystem = "You read notes."\ngoal = "Read the notes."\n'
        '[[tools]]\nuse = "builtin:read_file"\n'
    )
    return folder / "task.toml"


class Clocked:
    """A listener that notes when each request was recorded."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def event(self, stamped: object, state: object) -> None:
        """Note the time of each model call."""
        if type(stamped.event).__name__ == "ModelAsked":  # type: ignore[attr-defined]
            self.at.append(time.perf_counter())

    def delta(self, delta: object) -> None:
        """Nothing to see."""

    def progress(self, at: object) -> None:
        """Nothing to wait for."""

    def note(self, text: str) -> None:
        """Nothing to hear."""


async def ours(task: Path, api: str) -> list[float]:
    """When our run made its requests."""
    from agentctl.runner.api import run
    from agentctl.runner.order import Order

    clocked = Clocked()
    store = f"sqlite:///{task.parent / 'bench.db'}"
    order = Order(task, policy=str(task.parent / f"{api}.toml"))
    result = await run(order, store=store, listener=clocked, approver=None)
    if result.exit_code:
        raise SystemExit(f"the run ended with {result.exit_code}: {result.message}")
    return clocked.at


def read(folder: Path, args: dict[str, int]) -> str:
    """The bare loop's tool: one line of the file."""
    lines = (folder / "note.txt").read_text().splitlines()
    return json.dumps({"status": "success", "data": {"text": lines[args["offset"]]}})


async def bare_messages(port: int, folder: Path) -> list[float]:
    """The loop of the SDK's own documentation, streamed."""
    from anthropic import AsyncAnthropic

    url = f"http://127.0.0.1:{port}/p/messages/r/bare{time.time_ns()}"
    async with AsyncAnthropic(api_key="k", base_url=url, max_retries=0) as client:
        return await talk_messages(client, folder)


async def talk_messages(client: AsyncAnthropic, folder: Path) -> list[float]:
    """When each request was made."""
    tools = [{"name": "read_file", "description": "Read.", "input_schema": {"type": "object", "properties": {}}}]
    messages: list[dict[str, object]] = [{"role": "user", "content": "Read the notes."}]
    at: list[float] = []
    while True:
        at.append(time.perf_counter())
        async with client.messages.stream(model="bench", max_tokens=8192, messages=messages, tools=tools) as stream:
            async for _ in stream:
                pass
            reply = await stream.get_final_message()
        if reply.stop_reason != "tool_use":
            return at
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": read(folder, block.input)}
            for block in reply.content
            if block.type == "tool_use"
        ]
        messages += [{"role": "assistant", "content": reply.content}, {"role": "user", "content": results}]


async def bare_chat(port: int, folder: Path) -> list[float]:
    """The same over Chat Completions, the history as a parameter."""
    from openai import AsyncOpenAI

    url = f"http://127.0.0.1:{port}/p/chat/r/bare{time.time_ns()}/v1"
    async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as client:
        return await talk_chat(client, folder)


async def talk_chat(client: AsyncOpenAI, folder: Path) -> list[float]:
    """When each request was made."""
    tools = [
        {"type": "function", "function": {"name": "read_file", "parameters": {"type": "object", "properties": {}}}}
    ]
    messages: list[dict[str, object]] = [{"role": "user", "content": "Read the notes."}]
    at: list[float] = []
    while True:
        at.append(time.perf_counter())
        calls: dict[int, list[str]] = {}
        text = ""
        stream = await client.chat.completions.create(model="bench", messages=messages, tools=tools, stream=True)
        async for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or []:
                    kept = calls.setdefault(call.index, ["", "", ""])
                    kept[0] += call.id or ""
                    kept[1] += call.function.name or ""
                    kept[2] += call.function.arguments or ""
        if not calls:
            return at
        asked = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls.values()]
        messages.append({"role": "assistant", "content": text, "tool_calls": asked})
        messages += [
            {"role": "tool", "tool_call_id": i, "content": read(folder, json.loads(a))} for i, _, a in calls.values()
        ]


async def bare_responses(port: int, folder: Path) -> list[float]:
    """The same over Responses, the history as a parameter."""
    from openai import AsyncOpenAI

    url = f"http://127.0.0.1:{port}/p/responses/r/bare{time.time_ns()}/v1"
    async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as client:
        return await talk_responses(client, folder)


async def talk_responses(client: AsyncOpenAI, folder: Path) -> list[float]:
    """When each request was made."""
    tools = [
        {"type": "function", "name": "read_file", "strict": False, "parameters": {"type": "object", "properties": {}}}
    ]
    items: list[object] = [{"role": "user", "content": "Read the notes."}]
    at: list[float] = []
    while True:
        at.append(time.perf_counter())
        stream = await client.responses.create(model="bench", input=items, tools=tools, store=False, stream=True)
        async for event in stream:
            last = event
        output = last.response.output
        calls = [item for item in output if item.type == "function_call"]
        if not calls:
            return at
        items += output
        items += [
            {"type": "function_call_output", "call_id": c.call_id, "output": read(folder, json.loads(c.arguments))}
            for c in calls
        ]


BARE = {"messages": bare_messages, "chat": bare_chat, "responses": bare_responses}


def gaps(at: list[float]) -> list[float]:
    """Milliseconds between requests."""
    return [(b - a) * 1000 for a, b in itertools.pairwise(at)]


def near(values: list[float], step: int) -> float:
    """The median of the ten gaps around a step."""
    return statistics.median(values[max(0, step - 5) : step + 5] or values[-5:])


async def measure(port: int, folder: Path, api: str, steps: int) -> dict[str, object]:
    """Both sides in turns; of each step the fastest."""
    mine: list[list[float]] = []
    theirs: list[list[float]] = []
    for _ in range(1 if api == "responses" else max(2, TURNS // steps)):
        theirs.append(gaps(await BARE[api](port, folder)))
        mine.append(gaps(await ours(lay_out(folder, steps, port, api), api)))
    a = [min(values) for values in zip(*mine, strict=True)]
    b = [min(values) for values in zip(*theirs, strict=True)]
    return {"api": api, "ours": a, "bare": b}


def played(folder: Path, api: str, steps: int) -> dict[str, object]:
    """One API, against a stand-in of its own."""
    (folder / "script.toml").write_text(script(steps))
    lay_out(folder, steps, 0, "messages")
    command = [sys.executable, "-m", "agentctl.rehearsal.server", str(folder / "script.toml")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = json.loads(server.stdout.readline())["port"]
        return asyncio.run(measure(port, folder, api, steps))
    finally:
        server.terminate()
        server.wait()


def written(rows: list[dict[str, object]]) -> str:
    """The rows as a Markdown table."""
    marks = (10, 50, 200, 480)
    lines = [
        "| API | ms per step, agentctl / bare SDK, at step " + " | ".join(str(mark) for mark in marks) + " | ratio |",
        "| --- |" + " --- |" * (len(marks) + 1),
    ]
    for row in rows:
        ours, bare = row["ours"], row["bare"]
        cells = [f"{near(ours, mark):.1f} / {near(bare, mark):.1f}" if mark < len(bare) else "-" for mark in marks]
        ratio = statistics.median(ours) / statistics.median(bare)
        lines.append(f"| {row['api']} | " + " | ".join(cells) + f" | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print a line per API."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=490)
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--api", choices=APIS, action="append")
    given = parser.parse_args()
    os.environ["ANTHROPIC_API_KEY"] = os.environ["OPENAI_API_KEY"] = "bench-key"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["AGENTCTL_HOME"] = name
        rows = [played(folder, api, min(given.steps, MOST.get(api, given.steps))) for api in given.api or APIS]
        flush = flush_ms(folder)
    table = f"{written(rows)}\nIn each of agentctl's steps there is one flush to the disk: {flush:.1f} ms here.\n"
    sys.stdout.write(table)
    if given.readme:
        before, rest = README.read_text().split(MARKS[0])
        README.write_text(f"{before}{MARKS[0]}\n{table}{MARKS[1]}{rest.split(MARKS[1])[1]}")


if __name__ == "__main__":
    main()
