"""One provider and one line of drivers for all errands of a file."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.books.fleet import Fleet
from tests.durability import preload
from tests.durability.errand import REPLIES, Errand
from tests.durability.model import Model
from tests.journal.conftest import kind, url

__all__ = ["kind", "url"]


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with Model(REPLIES) as made:
        yield made


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    made = Fleet(tmp_path_factory.mktemp("fleet"), warm=True, work="tests.durability.acts")
    yield made
    made.close()


@pytest.fixture
def errand(errands: Callable[[], Errand]) -> Errand:
    return errands()


@pytest.fixture
def errands(tmp_path: Path, model: Model, fleet: Fleet, kind: str) -> Callable[[], Errand]:
    """As many as are wanted, each in a folder and on a ground of its own."""
    count = itertools.count()
    return lambda: Errand(tmp_path / f"errand{next(count)}", model, fleet, kind=kind)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Drivers whose disk can be watched and broken."""
    if preload.compiler() is None:
        pytest.fail("no C compiler")  # the module's marker has skipped this loudly
    folder = tmp_path_factory.mktemp("watched")
    made = Fleet(folder, warm=True, work="tests.durability.acts", LD_PRELOAD=str(preload.built(folder)))
    yield made
    made.close()


@pytest.fixture
def straight(tmp_path: Path, model: Model, watched: Fleet) -> Callable[[], Errand]:
    """Errands in which nobody is asked, on watched disks."""
    count = itertools.count()
    return lambda: Errand(tmp_path / f"straight{next(count)}", model, watched, asks=False)
