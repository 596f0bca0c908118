"""The upkeep of a store on a server. A look is one snapshot; a repair is one transaction that has its turn.

A lost connection is none of its own cares: the engine asks a look again from its start, and does a repair again unless
it came through. The space of runs that left is the server's to use again: a plain VACUUM is, too.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg

from agentctl.errors import Forbidden
from agentctl.journal import bodies, checking, doors, mending
from agentctl.journal.backup import Copied
from agentctl.journal.checking import Finding, Report
from agentctl.journal.faults import unusable
from agentctl.journal.mending import Lost, Mended
from agentctl.journal.postgres import copying, engine
from agentctl.journal.store import Store
from agentctl.journal.tx import Tx

NOTE: Final = "whether the server's own files are whole is for its administrator to ask: pg_amcheck, data checksums"


class Server:
    """See `Upkeep`."""

    def __init__(self, url: str, lock_timeout_s: float, copies: Path) -> None:
        self._url = url
        self._patience_s = lock_timeout_s
        self._copies = copies

    def ready(self) -> None:
        """See `Upkeep`."""
        with self._engine():
            pass

    def check(self) -> Report:
        """See `Upkeep`."""
        with self._engine() as store:
            return replace(store.look(lambda tx: checking.check(tx, None)), note=NOTE)

    def repair(self, findings: Sequence[Finding], now: float) -> Mended:  # noqa: ARG002  # it looks again by itself
        """See `Upkeep`. The copy is a store in a file, in the folder for copies."""
        copy = self._copies / f"agentctl.server.{mending.moment(now)}.db"
        if copy.exists():
            raise Forbidden(f"{copy}: it is there already", hint="Try again in a second.")
        came_to: list[tuple[list[Lost], list[str]]] = []

        def work(tx: Tx) -> None:
            tx.execute(engine.PATIENT)
            mending.nobody_drives(tx, now)
            _make_folder(self._copies)
            copy.unlink(missing_ok=True)  # of an attempt that came to nothing
            copying.copy(tx, copy)
            came_to[:] = [mending.mend(tx, None, _unguarded)]

        with self._engine() as store:
            store.transact(work, durable=True, runs=())
        ((lost, rebuilt),) = came_to
        return Mended(copy, tuple(lost), tuple(rebuilt))

    def backup(self, target: Path) -> Copied:
        """See `Upkeep`. Large texts are in its rows."""
        with self._engine() as store:
            return store.look(lambda tx: copying.copy(tx, target))

    def size(self) -> int:
        """See `Upkeep`."""
        with self._engine() as store:
            return store.read(lambda tx: doors.size(self._url, tx))

    def give_back(self, journal: Store, gone: int) -> str:  # noqa: ARG002  # nothing lies beside it
        """See `Upkeep`."""
        return "the space is the server's to use again" if gone else ""

    @contextmanager
    def _engine(self) -> Generator[engine.Postgres]:
        store = engine.opened(self._url, self._patience_s, "nothing")
        try:
            yield store
        except psycopg.Error as error:
            raise store.told(error) from error
        finally:
            store.let_go()
            store.close()


def _make_folder(folder: Path) -> None:
    try:
        bodies.make_folder(folder)
    except OSError as error:
        raise unusable(error, folder) from error


@contextmanager
def _unguarded(tx: Tx) -> Generator[None]:
    tx.execute(f"ALTER TABLE events DISABLE TRIGGER {mending.STAYS}")
    yield
    tx.execute(f"ALTER TABLE events ENABLE TRIGGER {mending.STAYS}")
