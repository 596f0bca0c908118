"""What an errand stands on: a store in its folder, or a database of its own on the tests' server.

How PostgreSQL keeps what it has synced is its own business: no power is cut and no disk is broken under a server here.
"""

import base64
import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from tests.journal import server

# A run without a first event has nothing to be resumed: its user runs the task anew.
NEWEST: Final = "SELECT run_id FROM runs WHERE next_seq > 1 ORDER BY created DESC LIMIT 1"
DYING_S: Final = 5.0
"""For so long the sessions of a process that was killed may go on on the server."""
SESSIONS: Final = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Ground(Protocol):
    """Where the store is, and how a driver finds it."""

    url: str
    env: dict[str, str]

    def newest(self) -> str:
        """The run that there is to be resumed; empty: none."""
        ...

    def clear(self) -> None:
        """Nothing is left of it but its folder."""
        ...


class OnFile:
    """Where a run makes it by itself."""

    def __init__(self, home: Path) -> None:
        self._path = home / "data" / "agentctl.db"
        self.url = f"sqlite:///{self._path}"
        self.env: dict[str, str] = {}

    def newest(self) -> str:
        """See `Ground`; of a store that is half made the driver shows whether it heals."""
        if not self._path.exists():
            return ""
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            try:
                row = connection.execute(NEWEST).fetchone()
            except sqlite3.OperationalError:
                return ""
        return row[0] if row else ""

    def clear(self) -> None:
        """See `Ground`."""


class OnServer:
    """An empty database, and the key that seals for all who use it."""

    def __init__(self) -> None:
        self.url = server.database()
        self.name = self.url.partition("?")[0].rpartition("/")[2]
        self.env = {
            "AGENTCTL_STORE": self.url,
            "AGENTCTL_SEAL_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        }

    def newest(self) -> str:
        """See `Ground`: a commit of somebody who was killed may still be under way."""
        deadline = time.monotonic() + DYING_S
        while True:
            with server.asking(self.name) as operator:
                (others,) = operator.execute(f"SELECT count(*) {SESSIONS}").fetchone() or (0,)
                there = operator.execute("SELECT to_regclass('agentctl.runs') IS NOT NULL").fetchone() == (True,)
                row = operator.execute(NEWEST.replace("runs", "agentctl.runs")).fetchone() if there else None
            if row or not others or time.monotonic() > deadline:
                return row[0] if row else ""
            time.sleep(0.01)

    def cut(self) -> int:
        """End every session; how many there were."""
        with server.asking(self.name) as operator:
            return len(operator.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}").fetchall())

    def clear(self) -> None:
        """See `Ground`."""
        with server.asking() as operator:
            operator.execute(f"DROP DATABASE {self.name} WITH (FORCE)")


GROUNDS: Final[dict[str, Callable[[Path], Ground]]] = {"sqlite": OnFile, "postgres": lambda _home: OnServer()}
