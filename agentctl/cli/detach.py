"""`run --detach`: the same command again, in a session of its own that no closing terminal ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, cast

import typer

from agentctl import ownkeys
from agentctl.cli import options, render
from agentctl.records import dataclass

WRITTEN_S = 20.0
"""How long the first event may be on its way to the store."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where the run's words go: the answer, and everything else."""

    out: Path
    log: Path


def start(ctx: typer.Context, store: str | None, stdin: bytes | None) -> NoReturn:
    """Start it, wait until the run stands in the store, and say how to follow it."""
    files = _files()
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "agentctl", "run", f"--announce={writer}", *arguments(ctx)]
    with open(reader, encoding="utf-8") as told, files.out.open("ab") as out, files.log.open("ab") as log:  # noqa: PTH123 -- a descriptor
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
                _relay(child, files)
        except KeyboardInterrupt:
            child.terminate()
            raise
    child.returncode = 0  # nobody waits for it, and that is no oversight
    _say(run_id, child.pid, files, as_json=bool(ctx.params["as_json"]))


def piped(var: list[str], lines: str | None) -> bytes | None:
    """Stdin, where one of the variables or the lines are read from it."""
    if lines != "-" and not any(pair.endswith("=-") for pair in var):
        return None
    held: Any = getattr(sys.stdin, "buffer", sys.stdin)
    data = held.read()
    return data.encode() if isinstance(data, str) else data


def arguments(ctx: typer.Context) -> Iterator[str]:
    """The flags that this command was given, without the one that detaches; then its arguments."""
    values: list[str] = []
    for param in ctx.command.params:
        value = ctx.params.get(param.name or "")
        # Not by ==: 0 is a value, and wrong here for others to say.
        if param.name in {"detach", "announce"} or value is None or value is False or value in ("", []):
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


def _files() -> Files:
    from agentctl.config import paths
    from agentctl.errors import Invalid

    folder = paths.data_dir() / "detached"
    stem = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
    files = Files(folder / f"{stem}.out", folder / f"{stem}.log")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (files.out, files.log):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise Invalid(f"--detach: {error.filename}: {error.strerror}") from None
    return files


def _fed(child: subprocess.Popen[bytes], stdin: bytes | None) -> None:
    """What was piped in: a secret must not become an argument that everybody can list."""
    if child.stdin is not None and stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(stdin)
            child.stdin.close()


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


def _relay(child: subprocess.Popen[bytes], files: Files) -> NoReturn:
    """What kept the run from being: its own words, its own code, and no files."""
    code = child.wait()
    sys.stderr.write(files.log.read_text("utf-8", "replace"))
    sys.stdout.write(files.out.read_text("utf-8", "replace"))
    files.log.unlink()
    files.out.unlink()
    raise typer.Exit(code if code >= 0 else 128 - code)


def _say(run_id: str, pid: int, files: Files, *, as_json: bool) -> NoReturn:
    follow = f"agentctl events {run_id} -f"
    if as_json:
        body = {"run_id": run_id, "pid": pid, "log": str(files.log), "output": str(files.out), "follow": follow}
        render.as_json({**body, "pause": f"agentctl pause {run_id}"})
    else:
        render.out(run_id)
        render.say(f"follow:  {follow}    or: tail -f {files.log}", "hint")
        render.say(f"pause:   agentctl pause {run_id}", "hint")
        render.say(f"answer:  agentctl show {run_id}", "hint")
    raise typer.Exit(0)
