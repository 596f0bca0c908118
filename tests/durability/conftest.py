"""One provider and one line of drivers for all errands of a file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.books.fleet import Fleet
from tests.durability.errand import REPLIES, Errand
from tests.durability.model import Model


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
def errand(tmp_path: Path, model: Model, fleet: Fleet) -> Errand:
    return Errand(tmp_path / "errand", model, fleet)


@pytest.fixture
def errands(tmp_path: Path, model: Model, fleet: Fleet) -> Callable[[], Errand]:
    """As many as are wanted, each in a folder of its own."""
    count = 0

    def make() -> Errand:
        nonlocal count
        count += 1
        return Errand(tmp_path / f"errand{count}", model, fleet)

    return make
