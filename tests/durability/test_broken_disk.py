"""A disk that fails once, or is full from then on, at any operation: one clear line, and the run goes on afterwards.

Every operation: `python -m tests.durability broken`.
"""

import pytest

from tests.durability.broken import KINDS, Breaks, broken

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc")]
TRIES = 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_disk_loses_nothing_and_repeats_nothing(straight, kind):
    """A80 E19"""
    whole, breaks = straight(), Breaks()
    operations = whole.live(io={"folder": str(whole.home)}).said["operations"]

    for at in (*range(1, operations, operations // TRIES), *range(60, 120, 30)):  # the latter: the store is being made
        broken(straight(), kind, at, breaks)

    assert ([], 0) == (breaks.faults, breaks.duplicates)
    assert breaks.ended[3] > 0
