"""One run of a program: fed, read, bounded, and gone when it is over, with all that it started.

Own pipes and `pidfd` instead of asyncio's subprocesses: the program is started without an await in
between, so that no cancellation can lose it; and it is reaped only after its group was killed, so
that no number can have been given to somebody else by then.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from agentctl.records import dataclass
from agentctl.tools.killing import kill_group, kill_tree
from agentctl.tools.pipes import Pipes
from agentctl.tools.sandbox.crowd import crowded

DRAIN_S = 0.5
"""For what a program that has ended left in its pipes, or somebody who still holds them."""
REAP_S = 2.0
"""For a killed program to be gone; the kernel may have to finish with a disk first."""

How = Literal["exited", "timeout", "output", "processes"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended and what it had said by then."""

    how: How
    """`output`: it was killed because it said too much; `processes`: because there were too many of it."""
    code: int
    """The exit code; negative for a signal. Means something only where it exited by itself."""
    stdout: bytes
    stderr: bytes
    """The last 8 KB."""
    changed: tuple[str, ...] = ()
    """Files that no program may change, that this one changed, and that were put back."""
    left: tuple[str, ...] = ()
    """Those that could not be put back."""


async def run_program(
    command: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    stdin: bytes,
    timeout_s: float,
    descriptors: tuple[int, ...] = (),
    processes: int = 0,
) -> Ended:
    """Run a program to its end, whichever way that comes. OSError or ValueError: it did not start.

    `descriptors` are handed on; with more than `processes` at a time it is stopped (0: nobody counts).
    """
    child = start(command, folder, env, descriptors)
    try:
        pipes = Pipes(child, stdin)
        exited = _exit_of(child)
    except BaseException:  # whatever it was, the program must not outlive it
        kill_tree(child.pid, env)
        child.wait()
        raise
    alone = False
    watched: list[asyncio.Future[Any]] = [exited, pipes.too_much]
    crowd: asyncio.Future[None] | None = None
    if processes:
        watched.append(crowd := asyncio.ensure_future(crowded(child.pid, processes)))
    try:
        await asyncio.wait(watched, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if exited.done():
            await asyncio.wait(
                (pipes.drained, pipes.too_much),
                timeout=DRAIN_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            alone = True
    finally:
        many = crowd is not None and not crowd.cancel() and not crowd.cancelled()
        if alone and not pipes.too_much.done():
            kill_group(child.pid)
        else:
            kill_tree(child.pid, env)
        await _reap(child, exited, pipes)
    how: How = "output" if pipes.too_much.done() else "exited" if alone else "processes" if many else "timeout"
    return Ended(how, child.returncode or 0, bytes(pipes.stdout), bytes(pipes.stderr))


def start(
    command: Sequence[str], folder: Path, env: Mapping[str, str], descriptors: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own: one signal reaches all of it, and it has no terminal to type into."""
    return subprocess.Popen(  # noqa: S603  # the task's author wrote the command; no shell reads it
        list(command),
        cwd=folder,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        close_fds=True,
        pass_fds=descriptors,
        start_new_session=True,
    )


def _exit_of(child: subprocess.Popen[bytes]) -> asyncio.Future[object]:
    """Done when the program has ended. Through `pidfd` it still waits to be reaped then."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[object] = loop.create_future()
    try:
        watched = os.pidfd_open(child.pid)
    except (AttributeError, OSError):  # another system, an old kernel, or a filter that forbids it
        return loop.run_in_executor(None, child.wait)

    def over() -> None:
        forget()
        if not ended.done():
            ended.set_result(None)

    def forget(_: object = None) -> None:
        nonlocal watched
        if watched >= 0:
            loop.remove_reader(watched)
            os.close(watched)
            watched = -1

    loop.add_reader(watched, over)
    ended.add_done_callback(forget)
    return ended


async def _reap(child: subprocess.Popen[bytes], exited: asyncio.Future[object], pipes: Pipes) -> None:
    """Wait for the killed program, also when cancelled meanwhile: a zombie would stay for good."""
    pipes.close()
    loop = asyncio.get_running_loop()
    until = loop.time() + REAP_S
    cancelled: asyncio.CancelledError | None = None
    while child.poll() is None and not exited.done() and loop.time() < until:
        try:
            await asyncio.wait((exited,), timeout=until - loop.time())
        except asyncio.CancelledError as error:
            cancelled = error
    exited.cancel()
    child.poll()
    if cancelled:
        raise cancelled
