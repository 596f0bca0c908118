"""One store, fleets of processes that share it, and stages for whole runs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentctl.journal.store import Store
from tests.books.fleet import Fleet
from tests.journal.conftest import kind, opened, store, url
from tests.runner.conftest import clock, stage, stages

__all__ = ["clock", "kind", "opened", "stage", "stages", "store", "url"]


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Make fleets; whoever still lives after the test is killed."""
    made: list[Fleet] = []

    def make(*, warm: bool = False) -> Fleet:
        made.append(Fleet(tmp_path / f"fleet{len(made)}", warm=warm))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


@pytest.fixture
def fleet(fleets: Callable[..., Fleet]) -> Fleet:
    """Processes that use the store."""
    return fleets()


@pytest.fixture
def drivers(fleets: Callable[..., Fleet]) -> Fleet:
    """Processes that drive whole runs."""
    return fleets(warm=True)


@pytest.fixture
def place(store: Store, url: str, tmp_path: Path) -> dict[str, str]:
    """Where a member finds the test's store."""
    return {"url": url, "keys": str(tmp_path / "keys")}
