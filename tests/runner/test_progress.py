"""What a server says of a running call, before anybody sees it."""

import math

import pytest

from agentctl.core.guards import scrub
from agentctl.runner.order import Progress
from agentctl.runner.progress import LONGEST, Relay, share

SECRET = "sk-test-5b1f07c2e94a4d10"
FILTER = scrub.make(scrub.Rules(), (SECRET, "k" * 5_000))


class Ear:
    def __init__(self):
        self.heard = []

    def progress(self, at):
        self.heard.append(at)


def told(*said, scrub=FILTER):
    ear = Ear()
    Relay(ear, scrub)("c1.0", "fs.copy", *said)
    return ear.heard


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [
        (40, 100.0, 0.4),
        (0, 10, 0.0),
        (12, 10, 1.0),
        (1e308, 5e-324, 1.0),
        (3, None, None),
        (3, 0, None),
        (3, -1, None),
        (-1, 10, None),
        (math.nan, 10, None),
        (3, math.nan, None),
        (math.inf, math.inf, None),
        (3, math.inf, None),
    ],
)
def test_a_share_is_between_none_and_all_or_nobody_knows(done, total, expected):
    assert expected == share(done, total)


def test_words_are_scrubbed_whole_before_anybody_cuts_them():
    assert [Progress("c1.0", "fs.copy", 0.5, 1.0, "sends [REDACTED] away")] == told(1.0, 2.0, f"sends {SECRET} away")
    assert [""] == [each.words for each in told(1.0, None, "k" * (LONGEST + 1))]


def test_numbers_that_are_none_are_not_handed_on():
    assert [(None, None), (None, None)] == [(each.share, each.done) for each in told(math.nan, 1, "") + told(-1, 2, "")]


def test_nothing_is_told_before_the_filter_is_known():
    assert [] == told(1.0, 2.0, SECRET, scrub=None)
