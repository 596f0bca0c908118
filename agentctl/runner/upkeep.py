"""The upkeep of the store that a command names."""

from __future__ import annotations

from agentctl.config import paths
from agentctl.errors import StoreMissing
from agentctl.journal import upkeep
from agentctl.journal.checking import Report
from agentctl.journal.upkeep import Upkeep
from agentctl.runner.stores import LOCK_S


def of(flag: str | None) -> Upkeep | None:
    """The store's, which is there and up to date; None: it is the default one, and no run has made it yet.

    Raises:
        StoreMissing: there is none where one was named.
        StoreUnusable: it can't be opened.
    """
    found = _named(flag)
    try:
        found.ready()
    except StoreMissing:
        if paths.is_named(flag):
            raise
        return None
    return found


def look(flag: str | None) -> tuple[Upkeep, Report]:
    """Check a store. One that is ours and that can't be read is no error here: that is what was asked.

    Raises:
        StoreMissing: there is none where one was named.
        StoreUnusable: it is none of ours, newer, locked, or forbidden to us.
    """
    found = _named(flag)
    try:
        return found, found.check()
    except StoreMissing:
        if paths.is_named(flag):
            raise
        return found, Report(())


def _named(flag: str | None) -> Upkeep:
    return upkeep.of(paths.store_url(flag), LOCK_S, paths.data_dir())
