"""Sums over many runs, and the verdict on the first 100 requests since the prefix last changed."""

import pytest

from agentctl.core.hits import Call, Change, Key, lines
from agentctl.core.messages import Usage
from agentctl.core.prices import Price, Rate

PRICE = Price((Rate(3.0, 15.0, 0.3, 3.75, 6.0),))
KEY = Key("triage", False, "anthropic", "claude")


def calls(count, begun=0.0, read=900, fresh=100, **usage):
    return [Call(KEY, begun + number, Usage(input=fresh, cache_read=read, **usage)) for number in range(count)]


def line(*parts, change=None, price=PRICE):
    changes = {("triage", False): change} if change else {}
    (found,) = lines([call for part in parts for call in part], changes, lambda _: price)
    return found


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([calls(42)], "42 of 100 so far"),
        ([calls(100)], "ok"),
        ([calls(100, read=310, fresh=690)], "below: 0.31 < 0.5"),
        ([calls(100, read=310, fresh=690), calls(900, begun=100)], "below: 0.31 < 0.5"),
        ([calls(100, read=0, fresh=0)], "below: 0.00 < 0.5"),
    ],
)
def test_the_verdict_is_on_the_first_hundred(parts, told):
    """C73"""
    assert told == line(*parts).verdict(0.5)


def test_a_changed_prefix_starts_the_hundred_again():
    """A53"""
    found = line(calls(100, read=0, fresh=1_000), calls(30, begun=500), change=Change(500.0, "system"))

    assert "30 of 100 so far" == found.verdict(0.5)
    assert (130, "system") == (found.requests, found.change.what)


def test_money_is_what_reads_save_and_writes_cost():
    found = line(calls(1, read=1_000, fresh=10, cache_write=100, cache_write_1h=10))

    assert (1_000 * (3.0 - 0.3), 100 * 3.75 + 10 * 6.0) == (found.saved, found.paid)
    assert (None, None) == ((unknown := line(calls(1), price=None)).saved, unknown.paid)


def test_lines_are_told_apart_and_sorted():
    keys = [Key("b", False, "p", "m"), Key("a", True, "p", "m"), Key("a", False, "q", "m"), Key("a", False, "p", "m")]
    found = lines([Call(key, 1.0, Usage(1)) for key in keys], {}, lambda _: None)

    assert [keys[3], keys[2], keys[1], keys[0]] == [each.key for each in found]
    assert [0.0] * 4 == [each.hit_ratio for each in found]
