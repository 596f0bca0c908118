"""Killed anywhere and resumed until it is over, a run is the one that it would have been, and nothing happens twice."""

import random

import pytest

from tests.durability.errand import KILLED
from tests.durability.kills import Tally, play
from tests.durability.points import POINTS, named

KILLS = 20
"""On each kind of store."""
REPEATED = {
    "sqlite": (
        *("events-inserted", "before-intent", "after-intent", "before-outcome", "after-outcome", "before-reserve"),
        *("reserved", "after-model-intent", "after-model-reply", "settled", "settle-posted"),
        *("writer-before-commit", "writer-after-commit"),
    ),
    "postgres": ("before-outcome", "server-before-commit", "server-after-commit"),
}
"""What one driver passes several times."""
ARMED = [(kind, f"{point}:1") for kind, points in POINTS.items() for point in points]
AROUND = ("-intent", "-outcome", "-commit")
ARMED += [(kind, f"{name}:2") for kind, names in REPEATED.items() for name in names if name.endswith(AROUND)]
ARMED += [("sqlite", f"{point}:3") for point in REPEATED["sqlite"] if "-intent" in point or "-outcome" in point]


def test_failpoints_have_names_of_their_own():
    names = [name for _, name in named()]

    assert sorted(names) == sorted({point for points in POINTS.values() for point in points})


@pytest.mark.slow
def test_an_errand_passes_every_failpoint_and_ends_well(errand):
    """E19: the points are read from the source, so that a new one has to be reached."""
    end = errand.to_the_end(counting=True)

    assert ([], 0) == (errand.faults(), end.code)
    assert set(POINTS[errand.kind]) == {point for life in errand.lives for point in life.said["passed"]}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "armed"), ARMED, indirect=["kind"])
def test_killed_at_every_failpoint_nothing_happens_twice(errand, armed):
    """E19 E30: in the first driver that passes it, before or after the person's answer."""
    while (life := errand.live(armed)).code == 12:
        errand.answer()

    assert KILLED == life.code, life
    assert 0 == errand.to_the_end().code
    assert [] == errand.faults()


@pytest.mark.slow
def test_killed_four_times_in_a_row_at_random_points_nothing_happens_twice(errands):
    """E18 E19: on both kinds of store."""
    dice, tally = random.Random(7), Tally()

    while tally.kills < KILLS:
        play(errands(), dice, tally)

    assert ([], 0) == (tally.faults, tally.duplicates)


@pytest.mark.slow
def test_without_the_intent_the_same_kills_find_duplicates(errands):
    """The negative control: were this green with 0, the tests above would be blind."""
    tally = Tally()

    for passage in (2, 3, 4, 5):
        errand = errands()
        errand.live(f"before-outcome:{passage}", forgetful=True)
        errand.to_the_end(forgetful=True)
        tally.add(errand)

    assert tally.duplicates > 0
    assert any("happened 2 times" in fault for fault in tally.faults)
