"""Different calls, the same answers: the defaults of what counts as a stall."""

from agentctl.core.guards.progress import Rules


def test_a_stall_is_three_of_five_results_alike_at_more_than_85_percent():
    rules = Rules()

    assert (5, 0.85, 3) == (rules.window, rules.similarity, rules.max_stale)


def test_a_stall_halts_the_run():
    rules = Rules()

    assert (True, True) == (rules.enabled, rules.halt_on_stall)
