"""The plain prompt: one exact call, everything that is known about it, one key.

    standing ── y, a ─▶ approve     once, or for this run: counts once the end of the text was on the screen
      │ │ ▲ └── s ─▶ stop
      n e │ any other key: the choices again
      │ └─┴─ e ─▶ edit              decided from the start; unchanged, the question again
      ▼
    reason ── Enter ─▶ deny         may be empty

Rules. No key is a default: Enter alone does nothing. What was typed ahead is thrown away, and keys count only after
`QUIET_S` without one, so that neither a burst of typing nor a key held down decides. Only a single key is an answer:
what arrives in one piece (a paste, an arrow key, a terminal's own report) is not. Nothing that the model or a tool
wrote can move the cursor, add a line or pass for another letter. However the prompt ends, the terminal is as before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, TextIO, TypeAlias

from agentctl.approvals import editing
from agentctl.approvals.base import Answer, Question
from agentctl.approvals.printable import printable
from agentctl.approvals.wording import NARROWEST, choices, lacking, page, roomy, rows, wrapped, writable
from agentctl.core.messages import JsonObject, is_object

Taken: TypeAlias = Literal["approve", "remember", "edit", "deny", "stop", "happened"]
Modes: TypeAlias = list[Any]
"""What `termios` says of a terminal."""
QUIET_S = 0.4
"""Seconds without a key before the first one counts."""
BURST_S = 0.05
"""Seconds after a yes in which another key means that it was none."""
UNKNOWN_SIZE = os.terminal_size((80, 24))
LONGEST_REASON = 500
MORE = "space shows more ({shown} of {total} lines) · n deny · s stop the run"
TAKEN: dict[bytes, tuple[Taken, str]] = {
    b"y": ("approve", "y: approved"),
    b"a": ("remember", "a: approved, and remembered for this exact call in this run"),
    b"e": ("edit", "e: edit"),
    b"h": ("happened", "h: it happened, and is not run again"),
}
"""Keys that count once everything was on the screen, and only where they are offered."""
TOO_SMALL = "this terminal is too small to show it · n deny · s stop the run"
HIDDEN = "part of it is still hidden: press space first"
WOKEN = b"\x1a"
"""Read where the process goes on after Ctrl-Z: the key itself never arrives, the terminal makes a signal of it."""
REASON = "n: denied, because (Enter: no reason): "
RESULT = "h: what it came to, as JSON or in words (Enter: nothing is known): "


def can_ask(*, stdin_used: bool = False) -> bool:
    """Whether a person can answer here: stdin and stderr are this session's terminal, and stdin is not used up."""
    if stdin_used or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    try:
        # In the background, reading from the terminal would stop the process.
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False


def _offered(pressed: bytes, question: Question) -> bool:
    """Whether this key says yes to this question, in one way or another."""
    offered = {
        b"y": True, b"a": bool(question.remembers), b"e": question.fits is not None, b"h": bool(question.doubt),
    }  # fmt: skip
    return offered.get(pressed, False)


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
            try:
                with self._screen(), self._restored() as cooked:
                    return await self._asked(question, cooked)
            except (OSError, termios.error):  # the terminal is gone, and with it whoever sat there
                return None

    async def _asked(self, question: Question, cooked: Modes) -> Answer | None:
        try:
            async with asyncio.timeout(question.timeout_s) as standing:
                return await self._decide(question, cooked, standing)
        except TimeoutError:
            self._say(f"no answer within {question.timeout_s:g}s")
            return None
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                self._say("no longer asked here: decided elsewhere, or the run stops")
            raise

    async def _decide(self, question: Question, cooked: Modes, standing: asyncio.Timeout) -> Answer:
        while True:
            match await self._key(question):
                case "deny":
                    return Answer("deny", self._user, await self._reason(cooked))
                case "edit":
                    standing.reschedule(None)  # whoever edits is there
                    edited = await self._edit(question, cooked)
                    if edited is not None:
                        return Answer("edit", self._user, args=edited)
                    standing.reschedule(asyncio.get_running_loop().time() + question.timeout_s)
                case "happened":
                    standing.reschedule(None)
                    return Answer("happened", self._user, result=await self._line(cooked, RESULT))
                case "remember":
                    return Answer("approve", self._user, remember=True)
                case decided:
                    return Answer(decided, self._user)

    async def _key(self, question: Question) -> Taken:
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
                hidden = shown < len(lines)
                if not hidden and _offered(pressed, question) and await self._goes_on():
                    termios.tcflush(self._keys, termios.TCIFLUSH)
                    quiet = self._clock() + QUIET_S
                    self._say(choices(question))
                    continue
                decision = self._taken(pressed, question, hidden=hidden)
                if decision is not None:
                    return decision
                if pressed == b" " and hidden:
                    shown = self._show(question, lines, shown)
                elif self._since >= self._size().lines:
                    # So many wrong keys that the question has left the screen.
                    shown = self._show(question, lines, 0)

    async def _goes_on(self) -> bool:
        """Whether a key was the beginning of something longer, such as a paste over a slow line."""
        await asyncio.sleep(BURST_S)
        return bool(select.select([self._keys], [], [], 0)[0])

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
        lines = wrapped(question, max(NARROWEST, size.columns - 1), self._out.encoding or "utf-8")
        return lines, self._show(question, lines, 0), size

    def _show(self, question: Question, lines: list[str], shown: int) -> int:
        """Print what fits, and the keys that count now; how many lines were shown by then."""
        self._since = 0
        if not roomy(self._size()):
            self._say(TOO_SMALL)
            return 0
        upto = page(len(lines), shown, self._size())
        for line in lines[shown:upto]:
            self._say(line)
        self._say(choices(question) if upto == len(lines) else MORE.format(shown=upto, total=len(lines)))
        return upto

    def _taken(self, pressed: bytes, question: Question, *, hidden: bool) -> Taken | None:
        match pressed:
            case b"s":
                self._say("s: the run stops")
                return "stop"
            case b"n":
                return "deny"
            case _ if not hidden and _offered(pressed, question):
                decision, said = TAKEN[pressed]
                self._say(said)
                return decision
            case b" " if hidden:
                pass
            case _:
                self._say(HIDDEN if hidden else choices(question))
        return None

    async def _reason(self, cooked: Modes) -> str:
        """Whatever cuts it short: the no was said."""
        try:
            typed = await self._line(cooked, REASON)
        except asyncio.CancelledError:
            typed = ""
            with contextlib.suppress(OSError):
                self._say("")
        return printable(typed, lines=False)[:LONGEST_REASON]

    async def _line(self, cooked: Modes, before: str) -> str:
        """One line, edited by the terminal itself."""
        with self._reading(cooked) as read:
            typed = WOKEN
            while typed == WOKEN:
                self._out.write(before)
                self._out.flush()
                typed = await read()
        return typed.decode("utf-8", "replace").strip()

    async def _edit(self, question: Question, cooked: Modes) -> JsonObject | None:
        """The new arguments; None: they stay as they are."""
        if question.fits is None or not is_object(question.args):
            return None
        termios.tcsetattr(self._keys, termios.TCSANOW, cooked)
        if command := editing.editor():
            return await editing.in_editor(command, question.args, question.fits, self._say)
        return await editing.by_line(question.args, question.fits, self._say, partial(self._line, cooked))

    def _say(self, text: str) -> None:
        text = writable(text.replace("·", "|"), self._out.encoding) if lacking(text, self._out.encoding) else text
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
