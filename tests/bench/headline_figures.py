"""Each headline figure, measured: what requirements.md asks for, and what came of it."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from agentctl.core import timeline
from agentctl.core.events import CircuitMoved
from agentctl.rehearsal.drills.scene import Act, Scene
from agentctl.rehearsal.drills.slow_tool import never
from agentctl.rehearsal.script import Fault, Reply, ScriptUsage
from agentctl.runner.drills.figures import peak, recovery, stability, tolerance
from agentctl.runner.drills.figures.column import Column, searched
from agentctl.runner.drills.skipping import Skipping
from tests.bench import headline_cache, outage, steps
from tests.bench.headline_task import column
from tests.core.test_timeline import sample

NIGHT, CALLS = 60, 50
TOKENS = ScriptUsage(9_000, 400)
"""Of each reply in the night."""
USUAL, CUSTOMERS = "standard", "customer-facing"


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    name: str
    target: str
    measured: str
    holds: bool

    @property
    def line(self) -> str:
        """As it stands in the README."""
        return f"| {self.name} | {self.target} | {self.measured} |"


async def error_recovery(at: Column, each: int = recovery.EACH) -> Figure:
    """C09"""
    found = await recovery.measured(at, each)
    share = sum(one.recovered for one in found) / sum(one.runs for one in found)
    return Figure("Error recovery", "94 % or more", f"{share * 100:.0f} %", share >= 0.94)


async def cost_variance(at: Column) -> Figure:
    """C10"""
    ratio = (await peak.measured(at)).ratio
    return Figure("Cost variance at peak", "1.2x or less", f"{ratio:.2f}x", ratio <= 1.2)


async def context_stability(at: Column, turns: int = stability.TURNS) -> Figure:
    """C11"""
    target = searched(at.ground)
    assert target is not None
    found = await stability.measured(at, target, turns)
    measured = f"{found.turns} turns, the largest request {found.largest:,} tokens"
    holds = not found.why and found.turns == turns and found.largest < 75_000
    return Figure("Context stability", "no end, 75,000 tokens or less", measured, holds)


async def outage_failures(at: Column) -> Figure:
    """C12"""
    found = await tolerance.measured(at)
    return Figure("Outage, failures", "0", f"{found.failed} of {found.clients}", found.failed == 0)


def outage_latency(folder: Path, runs: int = 20, reply_s: float = 0.25) -> Figure:
    """C12: real time, with the circuit open over the fallback alone."""
    taken = outage.played(folder, reply_s, runs)
    slower = statistics.median(taken["open"]) / statistics.median(taken["alone"]) - 1.0
    return Figure("Outage, added latency", "less than 5 %", f"{slower * 100 + 0.0:.1f} %", slower < 0.05)


async def cold_cache(folder: Path, loop: Skipping, requests: int = 100) -> Figure:
    """A46 C07"""
    for part in ("warm", "cold"):
        (folder / part).mkdir()
    ratio, cheaper = await headline_cache.measured(folder, requests, loop)
    measured = f"hit ratio {ratio:.2f}, prefix cost 1/{cheaper:.1f}"
    return Figure("Cold cache", "hit ratio 0.9, prefix cost 1/8", measured, ratio >= 0.9 and cheaper >= 8)


def overhead(folder: Path, count: int = 60, rounds: int = 9) -> Figure:
    """Time between two requests of a run less what the stand-in takes for one: the fastest of each step, by turns."""
    (folder / "script.toml").write_text(steps.script(count))
    steps.lay_out(folder, count, 0, "messages")
    command = [sys.executable, "-m", "agentctl.rehearsal.server", str(folder / "script.toml")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        asyncio.run(_turn(folder, count, port))  # the SDK is imported
        ours, own = zip(*(asyncio.run(_turn(folder, count, port)) for _ in range(rounds)), strict=True)
        fastest = [[min(values) for values in zip(*turns, strict=True)] for turns in (ours, own)]
        added = statistics.median(fastest[0]) - statistics.median(fastest[1])
    finally:
        server.terminate()
        server.wait()
    return Figure("Overhead", "less than 5 ms a call", f"{added:.1f} ms", added < 5)


async def _turn(folder: Path, count: int, port: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each step of a run, and of the server for as many requests as large."""
    own = [_served_ms(port, number) for number in range(count)]
    return steps.gaps(await steps.ours(steps.lay_out(folder, count, port, "messages"), "messages")), own


def _served_ms(port: int, step: int) -> float:
    """What the server takes for a request with as many steps behind it."""
    text = steps.NOTE
    turns = [
        turn
        for number in range(step)
        for turn in (
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": f"toolu_{number}", "name": "read_file", "input": {"path": "a.txt"}}
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": text}]},
        )
    ]
    tools = [
        {
            "name": "read_file",
            "description": "Reads a file.",
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
        }
    ]
    first = {"role": "user", "content": "Read."}
    body = {"model": "bench", "max_tokens": 9, "stream": True, "tools": tools, "messages": [first, *turns]}
    connection = HTTPConnection("127.0.0.1", port)
    connection.connect()
    began = time.perf_counter()
    headers = {"content-type": "application/json", "x-api-key": "k", "anthropic-version": "2023-06-01"}
    connection.request("POST", f"/p/raw/r/{time.time_ns()}/v1/messages", json.dumps(body), headers)
    connection.getresponse().read()
    taken = (time.perf_counter() - began) * 1e3
    connection.close()
    return taken


async def night(at: Column) -> Figure:
    """D01 E34: a tool that never answers, a model that calls it again each time."""
    target = searched(at.ground)
    assert target is not None
    again = [Reply(text=f"Attempt {n}.", calls=(target.call(n),), usage=TOKENS) for n in range(NIGHT)]
    seen = await at.play(Scene((Act(at.ground.script(*again), {target.name: never}),)), "night")
    steps_, cost = seen.clients[0].steps, seen.clients[0].cost_usd
    holds = steps_ <= 20 and cost <= 0.50 and seen.clients[0].exit_code != 0
    return Figure("The $847 night", "20 steps and $0.50 or less", f"{steps_} steps, ${cost:.2f}", holds)


async def five_errors(at: Column) -> Figure:
    """E09: what fails at the first provider before its circuit opens, of fifty calls."""
    first = at.ground.answering[0].name
    script = at.ground.script(fault=(Fault("status", first, status=503),))
    seen = await at.play(Scene((Act(script, clients=CALLS, every_s=1.0, shared=False),)), "five")
    opened = min(
        stamped.ts for one in seen.clients for stamped in one.events if isinstance(stamped.event, CircuitMoved)
    )
    failures = sum(request.provider == first and request.at <= opened for request in seen.requests)
    return Figure("5 errors, not 50", "exactly 5", f"{failures}", failures == 5)


def trace_totals() -> Figure:
    """D63: of the contract's sample trace."""
    last = [text for text, _ in timeline.tree(timeline.rows(sample()))][-1]
    measured = last.partition("[")[2].rstrip("]").replace(" total", "")
    return Figure("Trace totals", "2,471 tokens, $0.0246", measured, measured == "2,471 tokens, $0.0246")


async def played(folder: Path, loop: Skipping, *, quick: bool = False) -> list[Figure]:
    """Those that do not depend on the machine's speed."""
    async with column(USUAL, folder, loop) as usual, column(CUSTOMERS, folder, loop) as customers:
        return [
            await error_recovery(usual, 1 if quick else recovery.EACH),
            await cost_variance(usual),
            await context_stability(usual, 40 if quick else stability.TURNS),
            await outage_failures(usual),
            await cold_cache(folder, loop, 20 if quick else 100),
            await night(customers),
            await five_errors(usual),
            trace_totals(),
        ]
