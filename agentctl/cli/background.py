"""The same command again, in a session of its own that no closing terminal ends: `run --detach` and `run --tui`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NoReturn, cast

import typer

from agentctl import ownkeys
from agentctl.cli import detached, options
from agentctl.cli.detached import Files
from agentctl.records import dataclass

WRITTEN_S = 20.0
"""How long the first event may be on its way to the store."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run that stands in the store, and the process that drives it."""

    run_id: str
    child: subprocess.Popen[bytes]
    files: Files


def launch(ctx: typer.Context, store: str | None, stdin: bytes | None, *more: str, relays: bool = True) -> Started:
    """Start it with these flags more until the run stands in the store, or end with what kept it from it.

    `relays`: what that process said on stdout, too.
    """
    into = detached.files()
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "agentctl", "run", f"--announce={writer}", *more, *arguments(ctx)]
    with open(reader, encoding="utf-8") as told, into.out.open("ab") as out, into.log.open("ab") as log:  # noqa: PTH123 -- a descriptor
        child = subprocess.Popen(  # noqa: S603 -- this very program
            command,
            env=ownkeys.environment(),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=out,
            stderr=log,
            pass_fds=(writer,),
            start_new_session=True,
        )
        os.close(writer)
        try:
            _fed(child, stdin)
            run_id = told.readline().strip()
            if not run_id or not _stands(run_id, store, child):
                relay(child, into, out=relays)
        except KeyboardInterrupt:
            child.terminate()
            raise
    return Started(run_id, child, into)


def piped(var: list[str], lines: str | None) -> bytes | None:
    """Stdin, where one of the variables or the lines are read from it."""
    if lines != "-" and not any(pair.endswith("=-") for pair in var):
        return None
    data: Any = getattr(sys.stdin, "buffer", sys.stdin).read()
    return data.encode() if isinstance(data, str) else data


def arguments(ctx: typer.Context) -> Iterator[str]:
    """The flags that this command was given, without those that start it so; then its arguments."""
    values: list[str] = []
    for param in ctx.command.params:
        value = ctx.params.get(param.name or "")
        # Not by ==: 0 is a value, and wrong here for others to say.
        if param.name in {"detach", "tui", "announce"} or value is None or value is False or value in ("", []):
            continue
        each = [str(one) for one in cast("list[object]", value)] if isinstance(value, list | tuple) else [str(value)]
        if param.param_type_name == "argument":
            values += each
        elif value is True:
            yield param.opts[0]
        else:
            yield from (f"{param.opts[0]}={one}" for one in each)
    yield "--"
    yield from values


def _fed(child: subprocess.Popen[bytes], stdin: bytes | None) -> None:
    """What was piped in: a secret must not become an argument that everybody can list."""
    if child.stdin is not None and stdin is not None:
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
            pipe.write(stdin)


def _stands(run_id: str, store: str | None, child: subprocess.Popen[bytes]) -> bool:
    """Whether the first event is written; False: the process ended before."""
    from agentctl.errors import Forbidden, StoreMissing
    from agentctl.journal import runs

    deadline = time.monotonic() + WRITTEN_S
    while time.monotonic() < deadline:
        gone = child.poll() is not None
        # Neither the store nor the run in it need be there yet.
        with contextlib.suppress(Forbidden, StoreMissing), options.reading(store) as tx:
            if runs.find(tx, run_id).next_seq > 1:
                return True
        if gone:
            return False
        time.sleep(0.02)
    return True


def relay(child: subprocess.Popen[bytes], files: Files, *, out: bool) -> NoReturn:
    """Its own words, its own code, and no files."""
    code = child.wait()
    sys.stderr.write(files.log.read_text("utf-8", "replace"))
    if out:
        sys.stdout.write(files.out.read_text("utf-8", "replace"))
    files.remove()
    raise typer.Exit(code if code >= 0 else 128 - code)
