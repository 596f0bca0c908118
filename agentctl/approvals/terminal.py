"""The plain prompt: one exact call, everything that is known about it, one key.

    standing ── y ─▶ approve        y counts once the end of the text was on the screen
       │  ▲ └── s ─▶ stop
       n  │ any other key: the choices again
       ▼  │
     reason ── Enter ─▶ deny        may be empty

Rules. No key is a default: Enter alone does nothing. What was typed ahead is thrown away, and keys count only after
`QUIET_S` without one, so that neither a burst of typing nor a key held down decides. Only a single key is an answer:
what arrives in one piece (a paste, an arrow key, a terminal's own report) is not. Nothing that the model or a tool
wrote can move the cursor, add a line or pass for another letter. However the prompt ends, the terminal is as before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TextIO, TypeAlias

from agentctl.approvals.base import Answer, Question
from agentctl.approvals.printable import printable
from agentctl.approvals.wording import CHOICES, page, rows, wrapped

Modes: TypeAlias = list[Any]
"""What `termios` says of a terminal."""
QUIET_S = 0.4
"""Seconds without a key before the first one counts."""
UNKNOWN_SIZE = os.terminal_size((80, 24))
LONGEST_REASON = 500
MORE = "space shows more ({shown} of {total} lines) · n deny · s stop the run"
HIDDEN = "part of it is still hidden: press space first"
WOKEN = b"\x1a"
"""Read where the process goes on after Ctrl-Z: the key itself never arrives, the terminal makes a signal of it."""
REASON = "n: denied, because (Enter: no reason): "


def can_ask(*, stdin_used: bool = False) -> bool:
    """Whether a person can answer here: stdin and stderr are this session's terminal, and stdin is not used up."""
    if stdin_used or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    try:
        # In the background, reading from the terminal would stop the process.
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False


class Terminal:
    """Asks whoever sits at the terminal; one question at a time."""

    def __init__(
        self,
        user: str,
        *,
        keys: int | None = None,
        out: TextIO | None = None,
        screen: Callable[[], AbstractContextManager[object]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keys` is the descriptor of the terminal, and `screen` clears the way while a question stands."""
        self._user = user
        self._keys = sys.stdin.fileno() if keys is None else keys
        self._out = sys.stderr if out is None else out
        self._screen = screen
        self._clock = clock
        self._turn = asyncio.Lock()
        self._since = 0
        """Lines written since the question, or its last page, began."""

    async def ask(self, question: Question) -> Answer | None:
        """The answer, or None: nobody answered within `timeout_s`."""
        async with self._turn:
            with self._screen(), self._restored() as cooked:
                try:
                    async with asyncio.timeout(question.timeout_s):
                        return await self._decide(question, cooked)
                except TimeoutError:
                    self._say(f"no answer within {question.timeout_s:g}s")
                    return None
                except asyncio.CancelledError:
                    self._say("no longer asked here: decided elsewhere, or the run stops")
                    raise

    async def _decide(self, question: Question, cooked: Modes) -> Answer:
        with self._reading(None) as read:
            lines, shown, size = self._anew(question)
            quiet = self._clock() + QUIET_S
            termios.tcflush(self._keys, termios.TCIFLUSH)
            while True:
                pressed = await read()
                if self._clock() < quiet and pressed != WOKEN:
                    quiet = self._clock() + QUIET_S
                    continue
                if pressed == WOKEN or self._size() != size:
                    # What was seen may have left the screen: the question is asked anew, in its new form.
                    lines, shown, size = self._anew(question)
                    quiet = self._clock() + QUIET_S
                    continue
                decision = self._taken(pressed, hidden=shown < len(lines))
                if decision == "deny":
                    break
                if decision is not None:
                    return Answer(decision, self._user)
                if pressed == b" " and shown < len(lines):
                    shown = self._show(lines, shown)
                elif self._since >= self._size().lines:
                    # So many wrong keys that the question has left the screen.
                    shown = self._show(lines, 0)
        return Answer("deny", self._user, await self._reason(cooked))

    def _size(self) -> os.terminal_size:
        """Of the terminal that is typed on; the output may be redirected, and the environment may be wrong."""
        try:
            size = os.get_terminal_size(self._keys)
        except OSError:
            return UNKNOWN_SIZE
        return size if size.columns and size.lines else UNKNOWN_SIZE

    def _anew(self, question: Question) -> tuple[list[str], int, os.terminal_size]:
        """Print the question from its beginning: its lines, how many were shown, and the size they were made for."""
        size = self._size()  # first: should it change in the middle of this, the next key notices
        lines = wrapped(question, max(20, size.columns - 1))
        return lines, self._show(lines, 0), size

    def _show(self, lines: list[str], shown: int) -> int:
        """Print what fits, and the keys that count now; how many lines were shown by then."""
        upto = page(len(lines), shown, self._size())
        self._since = 0
        for line in lines[shown:upto]:
            self._say(line)
        self._say(CHOICES if upto == len(lines) else MORE.format(shown=upto, total=len(lines)))
        return upto

    def _taken(self, pressed: bytes, *, hidden: bool) -> Literal["approve", "deny", "stop"] | None:
        match pressed:
            case b"y" if hidden:
                self._say(HIDDEN)
            case b"y":
                self._say("y: approved")
                return "approve"
            case b"s":
                self._say("s: the run stops")
                return "stop"
            case b"n":
                return "deny"
            case b" " if hidden:
                pass
            case _:
                self._say(HIDDEN if hidden else CHOICES)
        return None

    async def _reason(self, cooked: Modes) -> str:
        """One line, edited by the terminal itself."""
        with self._reading(cooked) as read:
            typed = WOKEN
            while typed == WOKEN:
                self._out.write(REASON)
                self._out.flush()
                typed = await read()
        return printable(typed.decode("utf-8", "replace").strip(), lines=False)[:LONGEST_REASON]

    def _say(self, text: str) -> None:
        self._since += rows(len(text), self._size().columns)
        self._out.write(f"{text}\n")
        self._out.flush()

    @contextlib.contextmanager
    def _restored(self) -> Generator[Modes]:
        before: Modes = termios.tcgetattr(self._keys)
        try:
            yield before
        finally:
            with contextlib.suppress(termios.error):  # the terminal itself may be gone
                termios.tcsetattr(self._keys, termios.TCSANOW, before)

    @contextlib.contextmanager
    def _reading(self, modes: Modes | None) -> Generator[Callable[[], asyncio.Future[bytes]]]:
        """A way to await what is typed: a line as the terminal edits it in `modes`, or None: key by key."""
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Future[bytes]] = []

        def readable() -> None:
            if not waiting or waiting[-1].done():
                return
            try:
                typed = os.read(self._keys, 4096)
            except OSError:
                typed = b""
            if typed or modes:
                waiting[-1].set_result(typed)
            else:
                # The terminal is gone: no key will ever come, and the question stands until its time is over.
                loop.remove_reader(self._keys)

        def read() -> asyncio.Future[bytes]:
            waiting[:] = [loop.create_future()]
            return waiting[0]

        def ready() -> None:
            if modes is None:
                tty.setcbreak(self._keys, termios.TCSANOW)
            else:
                termios.tcsetattr(self._keys, termios.TCSANOW, modes)

        def woken() -> None:
            # The shell has made the terminal its own, and written on it.
            ready()
            if waiting and not waiting[-1].done():
                waiting[-1].set_result(WOKEN)

        ready()
        loop.add_reader(self._keys, readable)
        with contextlib.suppress(RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGCONT, woken)
        try:
            yield read
        finally:
            loop.remove_reader(self._keys)
            with contextlib.suppress(RuntimeError, ValueError):
                loop.remove_signal_handler(signal.SIGCONT)
