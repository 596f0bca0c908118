"""How fast all runs on a store may use one provider: the defaults that its ledger is asked with."""

from agentctl.core.guards.pace import Rules


def test_a_minute_has_forty_thousand_tokens_and_two_dollars():
    rules = Rules()

    assert (40_000, 2.00) == (rules.tokens_per_minute, rules.usd_per_minute)


def test_two_hundred_tokens_are_added_to_each_reservation():
    assert 200 == Rules().overhead_tokens


def test_a_wait_of_more_than_two_minutes_is_refused():
    rules = Rules()

    assert (True, 120.0) == (rules.enabled, rules.max_wait_s)
