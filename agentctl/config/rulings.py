"""The rules of a policy as the core judges by them, and where each stands."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from agentctl.config import patterns
from agentctl.core.guards.risk import Reader

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy


def reader(loaded: LoadedPolicy) -> Reader:
    """How patterns are looked for, in RE2's dialect; each rule's and tier's place, without folders: models see it."""
    rules = tuple(_short(*at) for at in places(loaded))
    tiers = {path[2]: _short(*at) for path, at in loaded.origins.items() if path[:2] == ("risk", "tiers") and path[2:]}
    return Reader(patterns.found, rules, {str(name): place for name, place in tiers.items()})


def _short(file: str, line: int) -> str:
    return f"{PurePath(file).name}:{line}"


def places(loaded: LoadedPolicy) -> tuple[tuple[str, int], ...]:
    """File and line of each rule."""
    return tuple(place(loaded, number) for number in range(len(loaded.policy.risk.rules)))


def place(loaded: LoadedPolicy, number: int) -> tuple[str, int]:
    """File and line of one rule."""
    found = loaded.merged.source(("risk", "rules", number))
    if found is None:
        return "", 0
    document, own = found
    return document.file, document.place(own)[0]
