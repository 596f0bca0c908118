"""The entry point: runs a command, and turns whatever goes wrong in it into a line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from typing import NoReturn

import typer

from agentctl import ownkeys
from agentctl.cli import completion, helping, render
from agentctl.cli.app import app
from agentctl.errors import AgentctlError, Defect, Usage

RARELY = (200_000, 20, 20)
"""How often the collector looks: not while an SDK is imported, whose objects stay; else that takes a fifth."""
UNWRITABLE = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.EBADF})
"""What a write to a full or broken terminal, pipe or disk ends with."""


def run() -> NoReturn:
    """The entry point of the program."""
    gc.set_threshold(*RARELY)
    ownkeys.guard()
    _reopen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A lone surrogate in an answer must not end the run that paid for it.
            stream.reconfigure(errors="backslashreplace")
    if completion.scripted():
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))


def _reopen() -> None:
    """A closed descriptor would be taken by the next file that is opened: it leads nowhere instead."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 -- a stream


def main(arguments: list[str]) -> int:
    """Run a command; its exit code. Nothing escapes but a request to exit."""
    wanted = "--json" in arguments or "--events" in arguments
    code: object = 0
    helping.lighten(arguments)
    _lighten()
    try:
        code = app(arguments, prog_name="agentctl", standalone_mode=False)
        sys.stdout.flush()
    except Defect as error:
        return _reported(error, arguments, wanted)
    except AgentctlError as error:
        return _failed(error, wanted)
    except typer.TyperException as error:
        return _misused(error, wanted)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        _abandon()
    except SystemExit as leaving:
        # typer leaves with 1 where nobody reads any more.
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
        _abandon()
    except Exception as error:  # noqa: BLE001 -- a defect: the person gets one line, the report gets the rest
        if isinstance(error, OSError) and error.errno in UNWRITABLE and error.filename is None:
            return _unwritten(error)
        return _reported(error, arguments, wanted)
    return code if isinstance(code, int) else 0


def _lighten() -> None:
    with contextlib.suppress(ImportError):  # it is about what one typer has inside
        from agentctl.cli import coercing

        coercing.lighten()


def _reported(error: Exception, arguments: list[str], json_wanted: bool) -> int:
    from agentctl.cli.crash import reported

    return _failed(reported(error, arguments), json_wanted)


def _failed(error: AgentctlError, json_wanted: bool) -> int:
    with contextlib.suppress(OSError):
        render.failure(error, json_wanted=json_wanted)
        sys.stdout.flush()
    return error.exit_code


def _misused(error: typer.TyperException, json_wanted: bool) -> int:
    context = getattr(error, "ctx", None)
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    if not text.strip() or type(error).__name__ == "NoArgsIsHelpError":
        # A bare group: its help has been printed already.
        return 2
    path = context.command_path if context is not None else "agentctl"
    return _failed(Usage(text.rstrip("."), hint=f"{path} --help"), json_wanted)


def _unwritten(error: OSError) -> int:
    """The output can't be written; what was run is in the store all the same."""
    _abandon()
    with contextlib.suppress(OSError):
        text = f"can't write the output: {error.strerror}; what was run is saved"
        render.failure(AgentctlError(text, hint="agentctl runs"), json_wanted=False)
    return 1


def _abandon() -> None:
    """Nobody reads any more: nothing is flushed at exit."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, sys.stdout.fileno())
