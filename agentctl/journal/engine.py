"""What every kind of store has: how it is read, how a batch of work is committed, and what its errors mean.

`sqlite.py` and `postgres/engine.py` are the two kinds; `doors.py` picks one by its URL.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection
from pathlib import Path
from typing import Protocol, TypeVar

from agentctl.journal.tx import Tx

T = TypeVar("T")


class Engine(Protocol):
    """Reading is safe from any thread; what is said to be the writer's is done on its thread alone."""

    @property
    def name(self) -> str:
        """The store for people, without a password."""
        ...

    @property
    def path(self) -> Path | None:
        """Its file; None: it has none."""
        ...

    def read(self, query: Callable[[Tx], T]) -> T:
        """Ask something on this thread's reading connection; every statement is a transaction of its own."""
        ...

    def look(self, query: Callable[[Tx], T]) -> T:
        """Ask many things of one moment on this thread's reading connection. It may be asked again from its start."""
        ...

    def ticks(self, run_id: str, poll_s: float) -> AsyncGenerator[None]:
        """At once, and again whenever there may be something new of the run; `poll_s`: to look every so often."""
        ...

    def told(self, error: Exception) -> Exception:
        """The error for a person; a defect of ours stays what it is."""
        ...

    def close(self) -> None:
        """Let the readers go; no thread may be reading."""
        ...

    # --- the writer's ---

    def transact(self, work: Callable[[Tx], None], *, durable: bool, runs: Collection[str]) -> None:
        """Do the work and commit it, or nothing of it. `durable`: it is on the disk then. `runs`: who may be told.

        The work may be called again where the store could be lost and found without an effect.
        """
        ...

    def is_open(self) -> bool:
        """Whether the transaction that the work is in still stands."""
        ...

    def idle(self) -> None:
        """Nothing was written for a while."""
        ...

    def let_go(self) -> None:
        """Nothing will be written any more."""
        ...
