"""A run whose process is killed by SIGKILL where something is under way, and gone on with by another one. E19, E30"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from agentctl import ownkeys
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.errors import Defect
from agentctl.records import dataclass
from agentctl.rehearsal.drills.scene import Use
from agentctl.rehearsal.server import StandIn
from agentctl.runner.drills.errand import Errand, packed, use_of

T = TypeVar("T")
POLL_S = 0.005
MOST_S = 60.0
"""Of real time, for one process to get where it is killed."""
MOST_KILLS = 4


@dataclass(frozen=True, slots=True)
class Came:
    """What came of it."""

    run_id: str
    kills: int
    uses: tuple[Use, ...]
    said: JsonObject
    """What the last process said of its end."""


async def played(errand: Errand, standin: StandIn, act: int) -> Came:
    """Drive the run in one process after the other until one comes to its end.

    Raises:
        Defect: a process that neither ended nor got anywhere.
    """
    kills = 0
    async with _maker(errand.policy) as maker:
        while True:
            before = _under_way(errand, standin, act)
            pid = await maker.begin(errand)
            until = time.monotonic() + MOST_S
            while not errand.ended.exists() and _under_way(errand, standin, act) == before:
                if time.monotonic() > until or maker.gone():
                    raise Defect("Killing", "the process that was to be killed got nowhere")
                await asyncio.sleep(POLL_S)
            if errand.ended.exists():
                break
            os.kill(pid, signal.SIGKILL)
            kills += 1
            await maker.buried()
            if kills > MOST_KILLS:
                raise Defect("Killing", f"it was killed {kills} times, and was never done")
            errand = _next(errand, standin)
        await maker.buried()
    return Came(_run_of(standin), kills, tuple(_uses(errand, act)), json.loads(errand.ended.read_text()))


def _next(errand: Errand, standin: StandIn) -> Errand:
    """The run, gone on with. Once a tool was killed nobody is there to say what became of it."""
    killed = any(not use.answered for use in _uses(errand, 0))
    script = replace(errand.script, person=()) if killed else errand.script
    return replace(errand, run_id=_run_of(standin, errand), script=script)


def _run_of(standin: StandIn, errand: Errand | None = None) -> str:
    """The one run that there is."""
    known = [seen.run for seen in standin.requests]
    known += [use.run_id for use in _uses(errand, 0)] if errand else []
    return known[0] if known else ""


def _under_way(errand: Errand, standin: StandIn, act: int) -> tuple[int, int]:
    """Model calls and tools that have no end."""
    calls = sum(seen.status == 0 for seen in standin.requests)
    return calls, sum(not use.answered for use in _uses(errand, act))


def _uses(errand: Errand, act: int) -> Sequence[Use]:
    if not errand.receipts.exists():
        return ()
    whole, _, _ = errand.receipts.read_text().rpartition("\n")
    return [use_of(line, act) for line in whole.splitlines()]


@dataclass(slots=True)
class Maker:
    """The process that makes those that are killed."""

    process: asyncio.subprocess.Process
    last: int = 0

    async def begin(self, errand: Errand) -> int:
        """The id of a new process that is on this errand."""
        assert self.process.stdin is not None  # noqa: S101 -- a pipe
        self.process.stdin.write(packed(errand))
        await self.process.stdin.drain()
        self.last = await self._number()
        return self.last

    async def buried(self) -> None:
        """The last process is no more."""
        await self._number()
        self.last = 0

    def gone(self) -> bool:
        """It died itself."""
        return self.process.returncode is not None

    async def _number(self) -> int:
        assert self.process.stdout is not None  # noqa: S101 -- a pipe
        line = await _in_real_time(self.process.stdout.readline())
        if not line.strip().isdigit():
            raise Defect("Killing", "the process that makes processes died")
        return int(line)


@asynccontextmanager
async def _maker(policy: Policy) -> AsyncGenerator[Maker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agentctl.runner.drills.victim",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=ownkeys.environment(),
        start_new_session=True,
    )
    maker = Maker(process)
    try:
        assert process.stdin is not None  # noqa: S101 -- a pipe
        first = min((one for one in policy.providers if "answer" in one.roles), key=lambda one: one.priority)
        process.stdin.write(json.dumps([first.sdk]).encode() + b"\n")
        yield maker
    finally:
        for pid in filter(None, (maker.last, process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()


async def _in_real_time(work: Awaitable[T]) -> T:
    """No timer is skipped to while it lasts, and it lasts no longer than MOST_S."""
    task, until = asyncio.ensure_future(work), time.monotonic() + MOST_S
    while not task.done() and time.monotonic() < until:  # noqa: ASYNC110 -- the timer keeps time from jumping
        await asyncio.sleep(POLL_S)
    if not task.done():
        task.cancel()
        raise Defect("Killing", "the process that was to be killed did not begin")
    return task.result()
