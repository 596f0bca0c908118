"""Words that are somebody else's: the defaults."""

from agentctl.core.guards.trust import Rules
from agentctl.core.tiers import Tier


def test_untrusted_text_makes_later_effects_medium_at_the_least():
    assert Tier.MEDIUM == Rules().after_untrusted


def test_injections_are_looked_for_and_the_system_prompt_is_kept():
    rules = Rules()

    assert (True, True, True) == (rules.enabled, rules.detect, rules.protect_system_prompt)
