"""The prompt prefix that a provider remembers: the defaults."""

from agentctl.core.guards.cache import Rules


def test_a_prefix_lives_for_five_minutes():
    rules = Rules()

    assert (True, "5m") == (rules.enabled, rules.ttl)


def test_half_of_the_input_is_expected_from_the_cache():
    assert 0.5 == Rules().min_hit_ratio
