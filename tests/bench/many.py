"""Many runs side by side in one process: turns per second and memory per run, against bare loops over the same SDK.

    .venv/bin/python tests/bench/many.py [--runs 100] [--turns 10] [--rounds 3]

Both sides ask the same stand-in model, which has a process of its own, from one event loop each, in a process each;
they take turns, and of each side the best round counts. A turn is one streamed request and one small tool call. Ours
has the journal and all guards on. Memory is the resident size at its highest less that of a process that has made one
run, divided by the runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NOTE = "The quick brown fox jumps over the lazy dog. " * 4
PLAYED = "agentctl.rehearsal.server"


def script(turns: int) -> str:
    """Replies that each read another line of a file, then an answer."""
    parts = [
        f'[[reply]]\ntext = "Turn {n}."\nusage = {{ input = 900, output = 20 }}\n'
        f'calls = [{{ tool = "read_file", args = {{ path = "note.txt", offset = {n}, limit = 1 }} }}]\n'
        for n in range(turns - 1)
    ]
    return "".join(parts) + '[[reply]]\ntext = "Done."\nusage = { input = 900, output = 20 }\n'


def lay_out(folder: Path, turns: int) -> None:
    """Task, script and notes."""
    (folder / "note.txt").write_text("\n".join(f"{n}: {NOTE}" for n in range(turns + 1)))
    (folder / "script.toml").write_text(script(turns))
    (folder / "task.toml").write_text(
        'version = 1\nname = "bench"\nsystem = "You read notes."\ngoal = "Read the notes."\n'
        '[[tools]]\nuse = "builtin:read_file"\n'
    )


def policy(folder: Path, port: int, number: int) -> str:
    """One policy per run: the path of its base URL tells the stand-in whose turn it is."""
    path = folder / f"policy{number}.toml"
    path.write_text(
        'version = 1\n[[providers]]\nname = "p"\nsdk = "anthropic"\nmodel = "bench"\n'
        f'base_url = "http://127.0.0.1:{port}/p/p/r/{number}x{time.time_ns()}"\n'
        "price = { input = 0.01, output = 0.01 }\ncontext_tokens = 1_000_000\n"
        "[budget]\nrun_usd = 100.0\nmax_steps = 10_000\n[tokens]\ntotal = 100_000_000\n"
        "[pace]\ntokens_per_minute = 1_000_000_000_000\nusd_per_minute = 1_000_000.0\n"
    )
    return str(path)


class Quiet:
    """Watches nothing."""

    def begun(self, job: object) -> Quiet:
        """Listen."""
        return self

    def ended(self, outcome: Any) -> None:
        """A run that failed spoils the figure."""
        if outcome.exit_code:
            raise SystemExit(f"a run ended with {outcome.exit_code}: {outcome.error or outcome.result.message}")

    def event(self, stamped: object, state: object) -> None:
        """Nothing to see."""

    def delta(self, delta: object) -> None:
        """Nothing to read."""

    def progress(self, at: object) -> None:
        """Nothing to wait for."""

    def note(self, text: str) -> None:
        """Nothing to hear."""


def ours(folder: Path, port: int, runs: int) -> dict[str, float]:
    """All of them through the scheduler of `run --lines`."""
    from agentctl.runner import many
    from agentctl.runner.order import Order

    os.environ["AGENTCTL_HOME"] = str(folder / "home")
    store = f"sqlite:///{folder / 'bench.db'}"

    def go(count: int) -> float:
        jobs = [many.Job(Order(folder / "task.toml", policy=policy(folder, port, n)), "bench") for n in range(count)]
        began = time.perf_counter()
        asyncio.run(many.run_all(jobs, Quiet(), store=store, parallel=count))
        return time.perf_counter() - began

    go(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = go(runs)
    return {"took": took, "kb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / runs}


def read(folder: Path, args: Any) -> str:
    """The bare loop's tool: one line of the file."""
    lines = (folder / "note.txt").read_text().splitlines()
    return json.dumps({"status": "success", "data": {"text": lines[args["offset"]]}})


async def talk(client: Any, folder: Path) -> None:
    """The loop of the SDK's own documentation, streamed."""
    tools = [{"name": "read_file", "description": "Read.", "input_schema": {"type": "object", "properties": {}}}]
    messages: list[Any] = [{"role": "user", "content": "Read the notes."}]
    while True:
        async with client.messages.stream(model="bench", max_tokens=8192, messages=messages, tools=tools) as stream:
            async for _ in stream:
                pass
            reply = await stream.get_final_message()
        if reply.stop_reason != "tool_use":
            return
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": read(folder, block.input)}
            for block in reply.content
            if block.type == "tool_use"
        ]
        messages += [{"role": "assistant", "content": reply.content}, {"role": "user", "content": results}]


def bare(folder: Path, port: int, runs: int) -> dict[str, float]:
    """As many loops, with a client each as our runs have."""
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

    async def one(number: int, context: Any) -> None:
        url = f"http://127.0.0.1:{port}/p/p/r/{number}b{time.time_ns()}"
        http = DefaultAsyncHttpxClient(verify=context)
        async with AsyncAnthropic(api_key="k", base_url=url, max_retries=0, http_client=http) as client:
            await talk(client, folder)

    async def all_of_them(count: int) -> float:
        import httpx2

        context = httpx2.create_ssl_context()
        began = time.perf_counter()
        await asyncio.gather(*(one(number, context) for number in range(count)))
        return time.perf_counter() - began

    asyncio.run(all_of_them(1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = asyncio.run(all_of_them(runs))
    return {"took": took, "kb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / runs}


def measured(side: str, folder: Path, port: int, runs: int) -> dict[str, float]:
    """One side, in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder), "--port", str(port)]
    env = {**os.environ, "ANTHROPIC_API_KEY": "bench"}
    done = subprocess.run([*command, "--runs", str(runs)], env=env, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print turns per second, the ratio, and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("runs", 100), ("turns", 10), ("rounds", 3), ("port", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--side")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.side:
        side = {"ours": ours, "bare": bare}[given.side]
        sys.stdout.write(json.dumps(side(given.folder, given.port, given.runs)) + "\n")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, given.turns)
        command = [sys.executable, "-m", PLAYED, str(folder / "script.toml")]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = json.loads(server.stdout.readline())["port"]
            sides: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
            for _ in range(given.rounds):
                for side, found in sides.items():
                    found.append(measured(side, folder, port, given.runs))
        finally:
            server.terminate()
            server.wait()
    turns = given.runs * given.turns
    best = {side: turns / min(each["took"] for each in found) for side, found in sides.items()}
    for side, found in sides.items():
        kilobytes = min(each["kb"] for each in found)
        sys.stdout.write(f"{side}: {best[side]:,.0f} turns/s, {kilobytes:,.0f} KB per run\n")
    sys.stdout.write(f"ratio: {best['ours'] / best['bare']:.2f} at {given.runs} runs of {given.turns} turns\n")


if __name__ == "__main__":
    main()
