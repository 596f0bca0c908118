"""A replay on a terminal: one step on the screen, one key for the next.

    stepping ── space, Enter, right, n ─▶ the next step      j, down ─▶ further down in this one
        │ ▲  ── left, b, backspace ─────▶ the one before     k, up ───▶ back up
        g │  ── 0, G ───────────────────▶ the first, the last
        ▼ │  ── q, Ctrl-C, the terminal is gone ─▶ the end
      going ── digits (`s` before them: a step) and Enter ─▶ there; Esc ─▶ nowhere

Everything that the run says is escaped before it is drawn. However it ends, the terminal is as before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from agentctl.cli.frames import screen
from agentctl.core.replaying import Frame
from agentctl.records import dataclass

NEXT = frozenset({b" ", b"\r", b"\n", b"n", b"l", b"\x1b[C", b"\x1bOC"})
BACK = frozenset({b"b", b"p", b"h", b"\x7f", b"\x08", b"\x1b[D", b"\x1bOD"})
DOWN = frozenset({b"j", b"\x1b[B", b"\x1bOB", b"\x1b[6~"})
UP = frozenset({b"k", b"\x1b[A", b"\x1bOA", b"\x1b[5~"})
QUIT = frozenset({b"q", b"Q", b"\x04"})
KEYS = "space next · b back · g go to · j/k scroll · q quit"
LONGEST = 18
"""Characters of a number that are taken: no run is longer, and of thousands no number can be made."""
GOING = "go to event (or s and a step): {typed}_   Enter goes, Esc does not"


@dataclass(frozen=True, slots=True)
class At:
    """What is looked at."""

    index: int = 0
    down: int = 0
    """Lines of the step that are scrolled past."""
    typed: str | None = None
    """A number that is being typed; None: none is."""
    over: bool = False


def pressed(at: At, key: bytes, frames: Sequence[Frame], most: int) -> At:
    """What a key leads to; `most` is how far down this step can be scrolled."""
    if at.typed is not None:
        return _typed(at, at.typed, key, frames)
    last = len(frames) - 1
    if key in NEXT:
        return At(min(at.index + 1, last))
    if key in BACK:
        return At(max(at.index - 1, 0))
    if key in DOWN or key in UP:
        return replace(at, down=max(0, min(at.down + (1 if key in DOWN else -1), most)))
    if key in QUIT:
        return replace(at, over=True)
    return {b"g": replace(at, typed=""), b"0": At(0), b"G": At(last)}.get(key, at)


def _typed(at: At, typed: str, key: bytes, frames: Sequence[Frame]) -> At:
    match key:
        case b"\r" | b"\n":
            return At(_found(typed, frames, at.index))
        case b"\x1b" | b"q":
            return replace(at, typed=None)
        case b"\x7f" | b"\x08":
            return replace(at, typed=typed[:-1])
        case _ if (key.isdigit() and len(typed) < LONGEST) or (key == b"s" and not typed):
            return replace(at, typed=typed + key.decode())
        case _:
            return at


def _found(typed: str, frames: Sequence[Frame], here: int) -> int:
    """The first frame of that step, or of that seq or a later one; else the last."""
    number = typed.removeprefix("s")
    if not number:
        return here
    places = (frame.step if typed.startswith("s") else frame.seq for frame in frames)
    return next((index for index, place in enumerate(places) if place >= int(number)), len(frames) - 1)


def step_through(heading: str, frames: Sequence[Frame]) -> None:
    """Show step after step, until somebody has seen enough."""
    keys = sys.stdin.fileno()
    at: At = At()
    most: int = 0

    def draw(*_: object) -> None:
        nonlocal most
        with contextlib.suppress(termios.error):
            tty.setcbreak(keys, termios.TCSANOW)  # after Ctrl-Z the shell has made the terminal its own
        said = KEYS if at.typed is None else GOING.format(typed=at.typed)
        lines, most = screen(heading, frames, at.index, at.down, os.get_terminal_size(sys.stdout.fileno()), said)
        sys.stdout.write("\x1b[H\x1b[J" + "\r\n".join(lines))
        sys.stdout.flush()

    with _taken(keys), _signals(draw):
        draw()
        while not at.over:
            typed = os.read(keys, 64)
            for key in _keys(typed):
                at = pressed(at, key, frames, most)
            at = at if typed else replace(at, over=True)
            draw()


def _keys(typed: bytes) -> Iterator[bytes]:
    """Single keys; what begins with Esc is one as a whole."""
    yield from [typed] if typed.startswith(b"\x1b") else (bytes([each]) for each in typed)


@contextlib.contextmanager
def _taken(keys: int) -> Generator[None]:
    """The terminal's other screen, without a cursor and key by key."""
    before = termios.tcgetattr(keys)
    sys.stdout.write("\x1b[?1049h\x1b[?25l")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the terminal itself may be gone
            sys.stdout.write("\x1b[?25h\x1b[?1049l")
            sys.stdout.flush()
        with contextlib.suppress(termios.error):
            termios.tcsetattr(keys, termios.TCSANOW, before)


@contextlib.contextmanager
def _signals(draw: Callable[..., None]) -> Generator[None]:
    """Draw anew when the window has another size, and after Ctrl-Z; leave the terminal as it was when told to end."""
    acts = dict.fromkeys((signal.SIGWINCH, signal.SIGCONT), draw) | dict.fromkeys((signal.SIGTERM, signal.SIGHUP), _end)
    before = {number: signal.getsignal(number) for number in acts}
    try:
        for number, act in acts.items():
            signal.signal(number, act)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(*_: object) -> None:
    raise SystemExit(143)
