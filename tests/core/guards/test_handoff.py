"""When to give the case to a person: the defaults."""

from agentctl.core.guards.handoff import Rules


def test_handing_off_is_off_until_there_is_a_contact():
    rules = Rules()

    assert (False, "") == (rules.enabled, rules.contact)


def test_five_tool_errors_in_a_row_are_handed_off_and_no_tier_is():
    rules = Rules()

    assert (5, "") == (rules.after_tool_errors, rules.before_tier)
