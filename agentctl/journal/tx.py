"""What a piece of work on the store is handed: an open transaction.

The work runs on the writer's thread. It executes statements and returns a value or raises; it never begins, commits
or rolls back (the writer does, for everything that is queued at once), and it never waits for anything. It may be done
again: a server can be lost before the commit. So it changes nothing but the store.

Statements are SQLite's, with `?` for values; `postgres/dialect.py` says which words another store is told instead.
Every statement takes its values by position, and every `ON CONFLICT … DO UPDATE` names its columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401  # a tuple of what the columns hold, or None
        """The next row."""
        ...

    def fetchall(self) -> list[Any]:
        """The rest of them."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Tx(Protocol):
    """An open transaction for writing, or a connection in which every statement reads for itself."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Do one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows:
        """Do it for each of them."""
        ...
