"""The power goes out before any write, and what was not synced is gone or torn: no intent, outcome or spend is lost.

All moments: `python -m tests.durability power`.
"""

import pytest

from tests.durability.power import CUTS, Cuts, Recording, after_effects, cut, moments

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc")]
MOMENTS = 1


@pytest.mark.parametrize("how", CUTS)
def test_a_power_cut_loses_no_intent_outcome_or_spend(straight, how):
    """E19: never a store that is damaged, either."""
    recording, cuts = Recording.of(straight()), Cuts()

    for number in (*moments(recording, MOMENTS), *after_effects(recording)):
        cut(recording, number, how, cuts)

    assert ([], 0, 0) == (cuts.faults, cuts.duplicates, cuts.told)


@pytest.mark.parametrize("how", CUTS)
def test_a_store_that_was_being_made_is_there_as_a_whole_or_not_at_all(straight, how):
    recording, cuts = Recording.of(straight()), Cuts()

    for number in range(2, 32, 10):
        cut(recording, number, how, cuts)

    assert ([], 0) == (cuts.faults, cuts.told)
    assert cuts.anew == cuts.cuts


def test_were_nothing_synced_the_same_cuts_would_find_it(straight):
    """The negative control."""
    recording, cuts = Recording.of(straight(), careless=True), Cuts()

    for number in after_effects(recording)[-2:]:
        cut(recording, number, "undone", cuts)

    assert any("effects, and no run" in fault or "happened 2 times" in fault for fault in cuts.faults)
