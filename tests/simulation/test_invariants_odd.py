"""The odd seeds of `test_invariants_even.py`: two files, so that two workers share them."""

import pytest

from tests.simulation.judge import PARTS, part

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", range(1, PARTS, 2))
def test_whatever_befalls_them_runs_keep_their_promises(number):
    """E30, B53, E17"""
    part(number)
