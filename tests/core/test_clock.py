"""What a clock wrote down that was set back since is not believed."""

from agentctl.core.clock import SKEW_S, past


def test_what_was_written_down_as_now_can_have_been_if_it_is_not_ahead_of_now():
    assert past(99.0, 100.0)
    assert past(100.0, 100.0)
    assert not past(3_700.0, 100.0)


def test_clocks_may_differ_a_little():
    assert past(100.0 + SKEW_S, 100.0)
    assert not past(100.1 + SKEW_S, 100.0)
