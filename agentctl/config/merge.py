"""Several documents as one: the last word on each key wins, and every value remembers who said it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import cast

from agentctl.config.problems import KeyPath
from agentctl.config.toml import Document
from agentctl.errors import Problem
from agentctl.records import dataclass

RULES: KeyPath = ("risk", "rules")
APPENDED: tuple[KeyPath, ...] = (RULES, ("scrub", "patterns"), ("scrub", "keys"))
"""Lists that grow, the parent's entries first; any other list replaces."""
Source = tuple[Document, KeyPath]


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The documents as one."""

    data: dict[str, object] = field(default_factory=dict[str, object])
    sources: dict[KeyPath, Source] = field(default_factory=dict[KeyPath, Source])
    """Who said the value at a path, and under which path of its own."""

    def source(self, path: KeyPath) -> Source | None:
        """Who said the value, or the nearest table around it."""
        while path not in self.sources and path:
            path = path[:-1]
        return self.sources.get(path)

    def problem(self, paths: Sequence[KeyPath], message: str, suggestion: str = "") -> Problem:
        """A problem between several values: shown at the first one that a person wrote."""
        found = [source for path in paths if (source := self.sources.get(path))]
        own = [source for source in found if not source[0].shipped]
        if not found:
            found = [source for path in paths if (source := self.source(path))]
        document, path = (own or found)[0]
        return document.problem(path, message, suggestion)


def merge(documents: Sequence[Document]) -> Merged:
    """All documents as one, the first one at the bottom."""
    merged = Merged()
    for document in documents:
        table = {name: each for name, each in document.data.items() if name != "extends"}
        _tables(merged, merged.data, document, table, ())
    return merged


def _tables(
    merged: Merged,
    below: dict[str, object],
    document: Document,
    above: dict[str, object],
    path: KeyPath,
) -> None:
    for name, value in above.items():
        here: KeyPath = (*path, name)
        held = below.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            merged.sources[here] = (document, here)
            inner, said = cast("dict[str, object]", held), cast("dict[str, object]", value)
            _tables(merged, inner, document, said, here)
        elif here in APPENDED and isinstance(held, list) and isinstance(value, list):
            _append(merged, cast("list[object]", held), document, cast("list[object]", value), here)
        else:
            _forget(merged, here)
            below[name] = _copied(merged, document, value, here, here)


def _append(merged: Merged, held: list[object], document: Document, more: list[object], path: KeyPath) -> None:
    merged.sources[path] = (document, path)
    for number, value in enumerate(more):
        if value not in held or path == RULES:
            here: KeyPath = (*path, len(held))
            held.append(_copied(merged, document, value, here, (*path, number)))


def _copied(merged: Merged, document: Document, value: object, path: KeyPath, origin: KeyPath) -> object:
    merged.sources[path] = (document, origin)
    if isinstance(value, dict):
        return {
            name: _copied(merged, document, each, (*path, name), (*origin, name))
            for name, each in cast("dict[str, object]", value).items()
        }
    if isinstance(value, list):
        return [
            _copied(merged, document, each, (*path, number), (*origin, number))
            for number, each in enumerate(cast("list[object]", value))
        ]
    return value


def _forget(merged: Merged, path: KeyPath) -> None:
    for each in [each for each in merged.sources if each[: len(path)] == path]:
        del merged.sources[each]
