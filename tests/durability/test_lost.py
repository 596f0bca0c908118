"""The server is lost in the middle of errands: the end is the same, and nothing happens twice.

As often as wanted: `python -m tests.durability lost`.
"""

import random

import pytest

from tests.durability.lost import ENDS, Losses, lose

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", ["postgres"], indirect=True)]
TIMES = {"sessions ended": 20, "server restarted": 4, "server crashed": 4}


@pytest.mark.parametrize("how", ENDS)
def test_a_server_lost_at_any_moment_loses_nothing_and_repeats_nothing(errands, how):
    """E19 E35"""
    dice, losses = random.Random(7), Losses()

    while losses.times < TIMES[how]:
        lose(errands(), how, dice, losses)

    assert ([], 0) == (losses.faults, losses.duplicates)
