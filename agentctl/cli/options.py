"""Options that several commands share, and how they are read."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import values
from agentctl.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentctl.journal.store import Store
    from agentctl.journal.tx import Tx

StoreUrl = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="The store; default: AGENTCTL_STORE, else your data folder"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object")]
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or its beginning", autocompletion=values.run_ids)
]
WaitingRun = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or its beginning", autocompletion=values.parked)
]
UnfinishedRun = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or its beginning", autocompletion=values.resumable)
]

LOCK_S = 30.0
"""Seconds that another process may hold the store while it is made or migrated."""
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
duration = re.compile(r"(\d+)([smhdw])")
foreign = re.compile(r"[^A-Za-z0-9._@-]")
identifier = re.compile(r"[A-Za-z0-9._@-]{1,128}")


def open_journal(url: str | None) -> Store:
    """The store to read from."""
    from agentctl.config import paths
    from agentctl.journal.store import open_store

    return open_store(paths.store_url(url), seal_dir=paths.data_dir())


@contextlib.contextmanager
def reading(url: str | None) -> Generator[Tx]:
    """The store's tables alone, for what has to be quick: no events, no seals, no writer."""
    import sqlite3

    from agentctl.config import paths
    from agentctl.journal import faults, opening

    path = opening.prepared(paths.store_url(url), LOCK_S)
    try:
        with contextlib.closing(opening.connect_reader(path, LOCK_S)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise faults.unusable(error, path) from error


def login() -> str:
    """Who sits here, in the letters that an id may have."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return foreign.sub("_", name)[:128] or "unknown"


def since(text: str) -> float:
    """The moment so long ago: `30m`, `12h`, `3d`, `2w`; 0 for nothing."""
    if not text:
        return 0.0
    found = duration.fullmatch(text)
    if found is None:
        raise Usage(f"--since: expected a span such as 30m, 12h, 3d or 2w, got {text!r}")
    return time.time() - int(found[1]) * UNITS[found[2]]


def variables(pairs: list[str]) -> tuple[dict[str, str], bool]:
    """`K=V` pairs, and whether stdin was read for one of them (`K=-`)."""
    values: dict[str, str] = {}
    used = False
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise Usage(f"--var: expected NAME=VALUE, got {pair!r}", hint="NAME=- reads the value from stdin")
        if name in values:
            raise Usage(f"--var: {name} is given twice")
        if value == "-":
            if used:
                raise Usage("--var: only one variable can be read from stdin")
            used = True
            value = sys.stdin.read().removesuffix("\n")
        values[name] = value
    return values, used


def identity(flag: str, text: str) -> str:
    """A user, tenant or session; empty: not given."""
    if text and not identifier.fullmatch(text):
        raise Usage(f"{flag}: expected 1 to 128 of letters, digits, `.`, `_`, `-`, `@`, got {text[:140]!r}")
    return text
