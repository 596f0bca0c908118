"""The four risks of one exact call, in order. Compared as numbers, written as words."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Tier(IntEnum):
    """`safe < low < medium < high`."""

    SAFE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """The word of the policy file."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Tier:
        """The tier of a word; KeyError for any other."""
        return cls[word.upper()]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[object], handler: object) -> dict[str, Any]:
        """Read from its word (`core/bounds.py` says why this is a plain dict)."""
        words: dict[str, Any] = {"type": "literal", "expected": [tier.word for tier in cls]}
        reader = {"type": "no-info", "function": cls.of}
        return {"type": "function-after", "schema": words, "function": reader}
