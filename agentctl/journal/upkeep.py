"""The upkeep of a store, whichever kind it is: looked at, mended, copied, measured.

`files.py` is that of a file, `postgres/upkeep.py` that of a database. Each asks by itself, without the writer of a
`Store`: what is damaged may not be open to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from agentctl.journal import doors
from agentctl.journal.backup import Copied
from agentctl.journal.checking import Finding, Report
from agentctl.journal.files import Files
from agentctl.journal.mending import Mended
from agentctl.journal.store import Store


class Upkeep(Protocol):
    """Every way raises StoreMissing where there is no store, and StoreUnusable where it can't be used."""

    def ready(self) -> None:
        """Be sure that it is there, is ours and is up to date."""
        ...

    def check(self) -> Report:
        """Look at everything, at one moment. Damage is no error here: that is what was asked."""
        ...

    def repair(self, findings: Sequence[Finding], now: float) -> Mended:
        """Keep a copy, then mend what was found, all of it or nothing. Forbidden: a run is being driven.

        `now`: seconds since the epoch; the copy is named by it.
        """
        ...

    def backup(self, target: Path) -> Copied:
        """Copy it, as it is at one moment, to a store in a file. Forbidden: that file is there."""
        ...

    def size(self) -> int:
        """Its bytes, with all that belongs to it."""
        ...

    def give_back(self, journal: Store, gone: int) -> str:
        """Let go of the space that so many deleted runs took, where that holds up nobody; else why it stays.

        `journal`: the same store.
        """
        ...


def of(url: str, lock_timeout_s: float, copies: Path) -> Upkeep:
    """The upkeep of the store at this URL. `copies`: the folder for copies of a store that has no folder itself.

    Raises:
        Invalid: the URL is none.
        StoreUnusable: the driver of a server is missing.
    """
    if not doors.is_server(url):
        return Files(url, lock_timeout_s)
    with doors.driver():
        from agentctl.journal.postgres.upkeep import Server
    return Server(url, lock_timeout_s, copies)
