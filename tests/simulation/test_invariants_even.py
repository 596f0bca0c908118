"""Whole runs through random faults on a virtual clock: the even seeds. `test_invariants_odd.py` has the others.

`AGENTCTL_SIMULATIONS=100000` simulates so many runs in all; a seed that breaks something names the command that
repeats it.
"""

import pytest

from tests.simulation.judge import PARTS, part

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", range(0, PARTS, 2))
def test_whatever_befalls_them_runs_keep_their_promises(number):
    """E30, B53, E17"""
    part(number)
