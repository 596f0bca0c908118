"""`--log-json` and `--detach`: what a run records, passed on to a file or to whoever started it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from agentctl.core.events import Stamped
from agentctl.core.messages import Delta
from agentctl.core.state import State
from agentctl.errors import Invalid
from agentctl.records import dataclass
from agentctl.runner.order import Listener, Progress


@dataclass(frozen=True, slots=True)
class Log:
    """A file that is only ever appended to, a line at a time."""

    handle: int

    def write(self, stamped: Stamped) -> None:
        """One line in one write, so that lines of several processes do not mix."""
        from agentctl.journal import codec

        # A disk that is full must not end the run; the journal has the event.
        with contextlib.suppress(OSError):
            os.write(self.handle, f"{codec.json_text(codec.public(stamped))}\n".encode(errors="backslashreplace"))


def opened(path: Path) -> Log:
    """The file, made with mode 0600 where it is not there."""
    try:
        return Log(os.open(path.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Invalid(f"--log-json: {path}: {error.strerror}") from None


def passing(path: Path | None, announce: int | None) -> Callable[[Listener], Listener]:
    """What each listener is put behind, where there is a file, or somebody who waits for the run's id."""
    if announce is not None:
        os.set_inheritable(announce, False)
    if path is None and announce is None:
        return lambda listener: listener
    log = None if path is None else opened(path)
    told = Announcement(announce)
    return lambda listener: Passing(listener, log, told)


@dataclass(slots=True)
class Announcement:
    """A descriptor that the first run's id goes to, once; then it is closed."""

    handle: int | None

    def make(self, run_id: str) -> None:
        """Say it to whoever waits for it, who may be gone."""
        handle, self.handle = self.handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.write(handle, f"{run_id}\n".encode())
                os.close(handle)


@dataclass(slots=True)
class Passing:
    """A listener in front of another one."""

    inner: Listener
    log: Log | None
    announcement: Announcement

    def event(self, stamped: Stamped, state: State) -> None:
        """Pass it on."""
        self.inner.event(stamped, state)
        if self.log is not None:
            self.log.write(stamped)
        self.announcement.make(stamped.run_id)

    def delta(self, delta: Delta) -> None:
        """Pass it on."""
        self.inner.delta(delta)

    def progress(self, at: Progress) -> None:
        """Pass it on."""
        self.inner.progress(at)

    def note(self, text: str) -> None:
        """Pass it on."""
        self.inner.note(text)
