"""Program tools: arguments as JSON on stdin, the result as JSON on stdout (contract section 5)."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import Json, JsonObject
from agentctl.records import dataclass
from agentctl.tools.plain import parse
from agentctl.tools.process import Ended
from agentctl.tools.sandbox.box import UNBOXED, Box, run_boxed
from agentctl.tools.sandbox.keeping import words

if TYPE_CHECKING:
    from agentctl.tools.base import Invocation

TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h
SHELL_SIGNAL = 128  # a shell exits with 128 + n when its program was killed by signal n
SIGNALS = 64
LINE = 300
SCARCE = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY)
KEYS = frozenset(Envelope.__slots__)
TYPES: dict[str, tuple[type, ...]] = {
    "error_type": (str, type(None)),
    "retry_safe": (bool,),
    "code": (str, type(None)),
    "message": (str,),
    "hint": (str,),
}


@dataclass(frozen=True, slots=True)
class ProgramTool:
    """A program of the task's author, started anew for each call."""

    contract: Contract
    command: tuple[str, ...]
    folder: Path
    """The task's: where the program runs."""
    env: tuple[str, ...]
    """The policy's allow-list: names of variables that are passed on."""
    box: Box | None = None
    """Where it runs; None: anywhere."""

    async def run(self, call: Invocation) -> Envelope:
        """Run the program once."""
        try:
            stdin = _written(call.args)
        except (ValueError, TypeError, RecursionError) as error:
            return envelope.permanent(f"The arguments can't be written as JSON: {error}")
        try:
            ended = await run_boxed(self._box(), self.command, self._environment(call), stdin, call.timeout_s)
        except (OSError, ValueError) as error:
            return _not_started(self.command[0], self.folder, error)
        if ended.how == "timeout":
            return envelope.timed_out(call.timeout_s)
        return result(ended)

    def _box(self) -> Box:
        return self.box or Box(UNBOXED, self.folder)

    def _environment(self, call: Invocation) -> dict[str, str]:
        passed = {name: os.environ[name] for name in self.env if name in os.environ}
        return passed | {
            "AGENTCTL_RUN_ID": call.run_id,
            "AGENTCTL_CALL_ID": call.call_id,
            "AGENTCTL_IDEMPOTENCY_KEY": call.idempotency_key,
        }


def _written(args: JsonObject) -> bytes:
    try:
        return json.dumps(args, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair: only its escape is Unicode
        return json.dumps(args, allow_nan=False).encode()


def _not_started(program: str, folder: Path, error: Exception) -> Envelope:
    if isinstance(error, FileNotFoundError):
        if not folder.is_dir():
            return envelope.permanent(f"The task's folder is gone: {folder}")
        if (folder / program).is_file():
            way_out = "Its `#!` line may name a program that is not there."
            if "/" not in program:
                way_out = f"To run the file of the task, write './{program}'."
            return envelope.permanent(f"The program '{program}' could not be started. {way_out}")
        return envelope.permanent(f"The program '{program}' was not found.")
    if isinstance(error, PermissionError):
        return envelope.forbidden(f"'{program}' may not be run; is it marked executable?")
    words = (isinstance(error, OSError) and error.strerror) or str(error)
    message = f"The program '{program}' could not be started: {words}."
    if isinstance(error, OSError) and error.errno in SCARCE:
        return envelope.transient(message)
    return envelope.permanent(message)


# --- What came of it -----------------------------------------------------------------------------


def result(ended: Ended) -> Envelope:
    """The envelope of a program that was not too late. Of its stderr only the last line is told."""
    said = last_line(ended.stderr)
    if what := words(ended.changed, ended.left):
        return envelope.forbidden(f"the program changed what decides what is done later, and {what}")
    if ended.how == "processes":
        return envelope.permanent(
            "The program started more than 256 processes or 2,048 threads at a time and was stopped."
        )
    if ended.how == "output":
        return envelope.permanent("The program wrote more than 1 MB of output and was stopped.")
    if ended.code == TEMPORARY:
        return envelope.transient(said or f"A failure that may pass (exit {TEMPORARY}).")
    if ended.code:
        how = _way_of_ending(ended.code)
        return envelope.permanent(f"{said} ({how})" if said else f"The program failed: {how}.")
    try:
        value = parse(_decoded(ended.stdout))
    except ValueError as error:
        trouble = f"The program's output is not JSON: {error}."
        return envelope.permanent(f"{trouble} {said}".rstrip())
    return taken_as_envelope(value) or envelope.success(value)


def last_line(stderr: bytes) -> str:
    """The last line with words in it, without what a terminal would obey."""
    text = stderr.decode("utf-8", "replace")
    text = "".join(each if each.isprintable() or each == "\n" else " " for each in text)
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return next((line for line in reversed(lines) if line), "")[:LINE]


def _way_of_ending(code: int) -> str:
    number = -code if code < 0 else code - SHELL_SIGNAL
    return f"killed (signal {number})" if 0 < number <= SIGNALS else f"exit {code}"


def _decoded(stdout: bytes) -> str:
    try:
        text = stdout.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    if not text:
        raise ValueError("it is empty")
    return text


def taken_as_envelope(value: Json) -> Envelope | None:
    """An object of nothing but envelope keys is one, and must then be a right one."""
    if not isinstance(value, dict):
        return None
    body = cast("JsonObject", value)
    if body.get("status") not in ("success", "error") or not body.keys() <= KEYS:
        return None
    for key, types in TYPES.items():
        if key in body and not isinstance(body[key], types):
            return _bad_envelope(key)
    kind = body.setdefault("error_type", "permanent" if body["status"] == "error" else None)
    if kind not in ("transient", "permanent", "rate_limit", None):
        return _bad_envelope("error_type")
    if (kind is None) != (body["status"] == "success"):
        return _bad_envelope("error_type")
    return Envelope(**body)  # type: ignore[arg-type]  # checked field by field above


def _bad_envelope(key: str) -> Envelope:
    return envelope.permanent(f"The program's result has a '{key}' that no result may have.")
