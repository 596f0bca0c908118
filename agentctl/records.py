"""`dataclass` and `replace`, as the standard library has them, at half the price of defining one and of changing one.

A run defines some 250 of them before its first request. For each frozen one the standard library compiles `__repr__`,
`__eq__` and `__hash__` from text; here all share one of each, which read the fields by a getter in C.
`tests/bench/start.py` shows what that is worth. A fold changes eight of them for each event, which the standard library
does field by field; here a getter reads them all. To a type checker both are the standard library's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 -- for whoever imports it from here
    from dataclasses import replace as replace  # noqa: PLC0414 -- likewise
else:

    def replace(one: object, /, **changes: object) -> object:
        """Another one with these values."""
        cls = type(one)
        way = _way(cls)
        if way is None:
            return dataclasses.replace(one, **changes)
        read, places = way
        values = list(read(one))
        for name, value in changes.items():
            values[places[name]] = value
        return cls(*values)

    def dataclass(*, eq: bool = True, **settings: bool) -> Callable[[type], type]:
        """A decorator, with the standard library's settings by name."""

        def decorated(cls: type) -> type:
            if not settings.get("frozen"):
                return dataclasses.dataclass(eq=eq, **settings)(cls)
            for name, method in (_EQUAL | _SHOWN if eq else _SHOWN).items():
                if name not in vars(cls):
                    setattr(cls, name, method)
            return dataclasses.dataclass(eq=False, repr=False, **settings)(cls)

        return decorated


_FIELDS = "__dataclass_fields__"


def _eq(one: object, other: object) -> bool:
    cls = type(one)
    return _values(cls, one) == _values(cls, other) if type(other) is cls else NotImplemented


def _hash(one: object) -> int:
    return hash(_values(type(one), one))


def _repr(one: object) -> str:
    shown = (name for name, field in _fields(type(one)).items() if field.repr)
    return f"{type(one).__qualname__}({', '.join(f'{name}={getattr(one, name)!r}' for name in shown)})"


_EQUAL = {"__eq__": _eq, "__hash__": _hash}
_SHOWN = {"__repr__": _repr}


def _values(cls: type, one: object) -> object:
    return _getter(cls)(one)


@cache
def _getter(cls: Callable[..., object]) -> Callable[[object], object]:
    names = [name for name, field in _fields(cls).items() if field.compare]
    return attrgetter(*names) if names else lambda _: ()


def _fields(cls: Callable[..., object]) -> dict[str, dataclasses.Field[object]]:
    found: dict[str, dataclasses.Field[object]] = getattr(cls, _FIELDS)
    return found


@cache
def _way(cls: Callable[..., object]) -> tuple[Callable[[object], tuple[object, ...]], dict[str, int]] | None:
    """How to read all that the class is made of, and where each stands; None: it is made in another way."""
    fields = _fields(cls).values()
    names = [field.name for field in fields]
    if len(names) < 2 or any(field.kw_only or not field.init for field in fields):  # a getter of one gives no tuple
        return None
    return attrgetter(*names), {name: place for place, name in enumerate(names)}
