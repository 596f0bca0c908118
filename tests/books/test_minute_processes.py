"""Twenty real processes in one provider's minute. Their clock runs fast, so that a minute takes four seconds.

By hand: `AGENTCTL_MINUTE_CALLS=20`, calls of each.
"""

import os
import time

import pytest

from agentctl.core.guards.pace import APART, slice_of

LIMIT, SPEED = 1_000, 15.0
EACH = int(os.environ.get("AGENTCTL_MINUTE_CALLS", "2"))


def heaviest(calls):
    """The most that any real 60 seconds hold, over the limit: each of them ends with some call."""
    return max(sum(amount for at, amount in calls if end - 60 <= at <= end) for end, _ in calls) / LIMIT


@pytest.fixture
def paced(place, fleet):
    """Start a process that makes so many calls."""
    since = time.time()

    def start(name, calls, least, most):
        given = {"at": place, "gate": fleet.gate("go"), "name": name, "calls": calls, "since": since}
        return fleet.start("paces", **given, limit=LIMIT, least=least, most=most, speed=SPEED)

    return start


def made(fleet, members):
    """The calls of these members."""
    return sorted((said["at"], said["amount"]) for member in members for said in fleet.said(member) if "at" in said)


@pytest.mark.slow
def test_twenty_processes_never_use_more_than_the_limit_in_any_sixty_seconds(fleet, paced):
    """A11 C20 G14: any minute, not only those of the clock, by what was reserved; and all of them get their turn."""
    members = [paced(f"r{number}", EACH, 20, 150) for number in range(20)]
    fleet.until(lambda: 20 == fleet.born)
    fleet.open("go")
    fleet.wait(*members)
    calls = made(fleet, members)

    print(f"the heaviest minute holds {heaviest(calls):.3f} of the limit")  # noqa: T201  # shown by -s
    assert 20 * EACH == len(calls)
    assert 0.5 < heaviest(calls) <= 1.0


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_waits_holds_up_nobody(fleet, paced):
    """Those behind it are let in as soon as there is room for them, and not after it."""
    first = paced("first", 1, LIMIT, LIMIT)
    fleet.open("go")
    fleet.wait(first)
    dead = paced("dead", 1, LIMIT, LIMIT)
    fleet.until(lambda: fleet.said(dead))
    after = paced("after", 1, LIMIT, LIMIT)
    fleet.until(lambda: fleet.said(after))
    fleet.signal(dead)
    fleet.wait(dead, after)

    ((filled, _),) = made(fleet, [first])
    behind, *_, last = fleet.said(after)
    assert not made(fleet, [dead])
    assert behind["asked"] + behind["waits"] == pytest.approx(slice_of(filled) + 2 * APART)
    assert slice_of(filled) + APART <= last["at"] < slice_of(filled) + 2 * APART
