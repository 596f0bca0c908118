"""Limits on values stand beside the fields that they limit, and the validator reads them there."""

import dataclasses
import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from agentctl.core.bounds import Count, Factor, Name, Price, Seconds, Share, Usd, table
from agentctl.core.policy import Policy
from agentctl.core.tiers import Tier


def fits(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "kind", [Count, Seconds, Usd, Share, Factor], ids=["count", "seconds", "usd", "share", "factor"]
)
@pytest.mark.parametrize("value", [0, -1, 0.0, -0.5, math.nan, math.inf, -math.inf, "1", None])
def test_zero_negative_and_endless_limits_are_errors_and_not_off(kind, value):
    assert not fits(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Count, 1),
        (Seconds, 0.001),
        (Usd, 0.01),
        (Share, 1.0),
        (Share, 0.001),
        (Price, 0.0),
        (Name, "x"),
        (Name, "x" * 128),
    ],
)
def test_the_smallest_and_greatest_values_fit(kind, value):
    assert fits(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Count, 1.5), (Share, 1.01), (Price, -0.01), (Price, math.nan), (Name, ""), (Name, "x" * 129), (Count, True)],
)
def test_what_is_just_outside_does_not_fit(kind, value):
    assert not fits(kind, value)


def test_a_table_is_frozen_and_knows_no_other_key():
    @table
    class Small:
        limit: Count = 3

    made = Small()

    with pytest.raises(dataclasses.FrozenInstanceError):
        made.limit = 4
    with pytest.raises(ValidationError, match=r"(?i)unexpected"):
        TypeAdapter(Small).validate_python({"limit": 3, "limits": 4})


def test_tiers_are_read_from_their_words():
    read = TypeAdapter(Tier)

    assert [*Tier] == [read.validate_python(word) for word in ("safe", "low", "medium", "high")]
    assert not fits(Tier, 3)
    assert not fits(Tier, "forbid")


def test_a_policy_is_read_from_plain_tables():
    read = TypeAdapter(Policy).validate_python({"version": 1, "retry": {"max_attempts": 2}, "loops": {"window": 4}})

    assert (2, 4, 20) == (read.retry.max_attempts, read.loops.window, read.budget.max_steps)
