"""Whose turn it is to write, among processes: an `flock` in front of SQLite's own lock.

SQLite's busy handler polls, and under load it starves: one of fifty writers got 1 event in while another wrote 7,282.
The kernel queues the waiters of an `flock`, so that each gets its turn.

A blocking `flock` can't be given a time limit. So a contended wait is done by a thread of its own; when it takes too
long, that thread keeps the file descriptor, closes it as soon as its turn comes, and the next wait opens another one.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from agentctl.journal.faults import LOCKED, refused


class Turnstile:
    """One waiter at a time; the owner is one thread."""

    def __init__(self, store: Path, timeout_s: float) -> None:
        self._store = store
        self._path = store.with_name(f"{store.name}-lock")
        self._timeout_s = timeout_s
        self._fd = -1

    def enter(self) -> None:
        """Wait for our turn, at most the given time."""
        if not self.try_enter():
            self._wait()

    def try_enter(self) -> bool:
        """Take the turn if nobody else has it."""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """Let the next one in."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _wait(self) -> None:
        wait = _Wait(self._fd)
        if not wait.succeeds_within(self._timeout_s):
            self._fd = -1
            raise refused(self._store, LOCKED, f"for more than {self._timeout_s:g} s")


class _Wait:
    """One contended wait, and the thread that does it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._entered = threading.Event()
        self._guard = threading.Lock()
        self._abandoned = False
        threading.Thread(target=self._block, daemon=True, name="agentctl-turn").start()

    def succeeds_within(self, seconds: float) -> bool:
        if self._entered.wait(seconds):
            return True
        with self._guard:
            self._abandoned = not self._entered.is_set()
            return not self._abandoned

    def _block(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        with self._guard:
            if self._abandoned:
                os.close(self._fd)
            else:
                self._entered.set()
