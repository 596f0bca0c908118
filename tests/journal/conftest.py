"""A store in an empty folder, runs in it, and processes that share it."""

import base64
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentctl.core.events import Event, Stamped, Thought
from agentctl.journal import lease, opening, runs, upkeep
from agentctl.journal.postgres.engine import Speaking
from agentctl.journal.runs import NewRun
from agentctl.journal.store import Store, open_store
from agentctl.journal.tx import Tx
from agentctl.journal.upkeep import Upkeep
from tests.journal import server

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test of a store runs on both kinds; `on_sqlite` keeps one to files."""
    if request.param == "postgres":
        server.or_skip(request.node)
    return str(request.param)


on_sqlite = pytest.mark.parametrize("kind", ["sqlite"])


@pytest.fixture
def url(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/home/agentctl.db"
    monkeypatch.setenv("AGENTCTL_SEAL_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
    return server.database()


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Open a store; all are closed after the test."""
    stores: list[Store] = []

    def make(at: str = url, **options: Any) -> Store:
        stores.append(open_store(at, seal_dir=tmp_path / "keys", **options))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def kept(url: str, tmp_path: Path) -> Upkeep:
    """The upkeep of the store at `url`."""
    return upkeep.of(url, 1.0, tmp_path / "copies")


@pytest.fixture
def behind(url: str) -> Callable[..., Any]:
    """Do statements behind the store's back, without its guards, as another program does."""
    return lambda: unguarded(url)


@contextmanager
def unguarded(url: str) -> Iterator[Tx]:
    if url.startswith("postgresql:"):
        with server.asking(server.named(url)) as operator:
            operator.execute("SET session_replication_role = replica; SET search_path TO agentctl")
            yield Speaking(operator)
        return
    with closing(sqlite3.connect(opening.path_of(url), isolation_level=None)) as tx:
        triggers = tx.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            tx.execute(f"DROP TRIGGER {name}")
        yield tx
        for _, sql in triggers:
            tx.execute(sql)


@pytest.fixture
def store(opened: Callable[..., Store]) -> Store:
    return opened()


@pytest.fixture
def driven(store: Store) -> Callable[..., int]:
    """Make a run and take it: its epoch."""

    def make(run_id: str = "r_1", **more: Any) -> int:
        now = time.time()
        fields: dict[str, Any] = {"task": "order-triage", "user_id": "ada", "created": now, **more}
        run = NewRun(run_id=run_id, session_id="s_1", spec="{}", **fields)
        store.write(lambda tx: runs.create(tx, run))
        return store.write(lambda tx: lease.take(tx, run_id, lease.new_owner(), now))

    return make


@pytest.fixture
def stamp() -> Callable[..., list[Stamped]]:
    """Events of one run, from `seq` on."""

    def make(*events: Event | str, seq: int = 1, run_id: str = "r_1", session: str = "s_1") -> list[Stamped]:
        made = [Thought(event) if isinstance(event, str) else event for event in events]
        return [
            Stamped(run_id, number, session, 1, 1_790_000_000.25 + number, event)
            for number, event in enumerate(made, seq)
        ]

    return make


@pytest.fixture
def process() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Run a piece of Python in a process of its own, with arguments; ended after the test."""
    running: list[subprocess.Popen[str]] = []

    def start(code: str, *args: object, **env: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(child)
        return child

    yield start
    for child in running:
        with child:
            child.kill()
