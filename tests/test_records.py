"""The records of agentctl are the standard library's dataclasses in all but the price."""

from __future__ import annotations

import dataclasses
import pickle
from dataclasses import field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl import records

VALUES = st.one_of(st.integers(0, 2), st.text(max_size=1), st.just(()))


def defined(dataclass: object) -> tuple[type, type, type, type]:
    """The same classes by either decorator."""

    @dataclass(frozen=True, slots=True)
    class Pair:
        first: object
        second: object = 0
        secret: object = field(default=0, repr=False)
        aside: object = field(default=0, compare=False)

    @dataclass(frozen=True, slots=True)
    class One:
        only: object

    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    @dataclass(frozen=True, slots=True)
    class Own:
        only: object

        def __repr__(self) -> str:
            return "own"

    for cls in (Pair, One, Nothing, Own):
        cls.__qualname__ = cls.__name__
    return Pair, One, Nothing, Own


OURS, THEIRS = defined(records.dataclass), defined(dataclasses.dataclass)


@given(st.tuples(VALUES, VALUES, VALUES, VALUES), st.tuples(VALUES, VALUES, VALUES, VALUES))
def test_records_are_equal_and_print_as_the_standard_librarys_do(a: tuple, b: tuple) -> None:
    for ours, theirs in zip(OURS, THEIRS, strict=True):
        count = len(dataclasses.fields(ours))
        mine, other, same = ours(*a[:count]), ours(*b[:count]), theirs(*a[:count])
        assert (mine == other) == (same == theirs(*b[:count]))
        assert mine != other or hash(mine) == hash(other)
        assert repr(mine) == repr(same)
        assert mine != same


def test_a_record_cannot_be_changed_and_has_no_room_for_more() -> None:
    one = OURS[1](1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.only = 2
    assert not hasattr(one, "__dict__")
    assert dataclasses.replace(one, only=2) == OURS[1](2)


@records.dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """Equal to itself alone."""

    only: object


@records.dataclass(slots=True)
class Changing:
    """What may change has no hash."""

    only: object


def test_settings_mean_what_they_mean_in_the_standard_library() -> None:
    assert Apart(1) != Apart(1)
    assert Changing(1) == Changing(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Changing(1))
    assert pickle.loads(pickle.dumps(Changing(2))) == Changing(2)


@records.dataclass(frozen=True, slots=True)
class Made:
    """One field that is given by name alone."""

    first: object
    last: object = field(default=0, kw_only=True)


@given(VALUES, VALUES)
def test_replace_makes_what_the_standard_library_makes(first: object, last: object) -> None:
    pair, _, _, _ = defined(records.dataclass)

    for one, changes in (
        (pair(1, 2, 3, 4), {"second": first, "aside": last}),
        (pair(1, 2, 3, 4), {}),
        (Apart(1), {"only": first}),
        (Made(1, last=2), {"last": last}),
    ):
        changed, wanted = records.replace(one, **changes), dataclasses.replace(one, **changes)
        assert dataclasses.asdict(wanted) == dataclasses.asdict(changed)
        assert type(wanted) is type(changed)
