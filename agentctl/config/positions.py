"""Where in a TOML text each key and value stands; asked when something is wrong, or somebody wants to know."""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING

from agentctl.config.problems import KeyPath
from agentctl.records import dataclass

if TYPE_CHECKING:
    from tree_sitter import Node

Place = tuple[int, int]
DEEP = 64
"""Levels that are walked; `toml.py` refuses what is deeper."""


@dataclass(slots=True)
class Places:
    """Line and column, counted from 1, of what a text holds."""

    keys: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    values: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    repeated: list[tuple[KeyPath, Place, Place]] = field(default_factory=list[tuple[KeyPath, Place, Place]])
    """What is set twice: its path, the second place, the first one."""

    def key(self, path: KeyPath) -> Place:
        """Where the name stands; where there is none, what holds it."""
        return self.keys.get(path) or self.value(path)

    def value(self, path: KeyPath) -> Place:
        """Where the value stands; what is missing is looked for at the table that should have it."""
        while path:
            if place := self.values.get(path) or self.keys.get(path):
                return place
            path = path[:-1]
        return (1, 1)


@lru_cache(maxsize=8)
def positions(text: str) -> Places:
    """The places of a text, as far as it can be read as TOML."""
    import tree_sitter_toml
    from tree_sitter import Language, Parser

    source = text.encode()
    root = Parser(Language(tree_sitter_toml.language())).parse(source).root_node
    return _Walk(source.split(b"\n")).document(root)


class _Walk:
    """One pass over the syntax tree; the only state is what arrays of tables have counted so far."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.counts: dict[KeyPath, int] = {}
        self.places = Places()

    def document(self, root: Node) -> Places:
        for node in root.named_children:
            if node.type == "pair":
                self.pair(node, ())
            elif node.type in {"table", "table_array_element"}:
                self.table(node)
        return self.places

    def table(self, node: Node) -> None:
        heading, *rest = [each for each in node.named_children if each.type != "comment"]
        names = self.names(heading)
        base = self.resolved(names[:-1], node)
        path: KeyPath = (*base, names[-1])
        if node.type == "table_array_element":
            number = self.counts.get(path, 0)
            self.counts[path] = number + 1
            self.places.keys.setdefault(path, self.place(node))
            path = (*path, number)
        elif path in self.counts:
            path = (*path, self.counts[path] - 1)
        elif (first := self.places.values.get(path)) is not None:
            self.places.repeated.append((path, self.place(node), first))
        self.places.values.setdefault(path, self.place(node))
        for each in rest:
            if each.type == "pair":
                self.pair(each, path)

    def pair(self, node: Node, base: KeyPath) -> None:
        parts = [each for each in node.named_children if each.type != "comment"]
        if len(parts) < 2:
            return
        key, value = parts[:2]
        names = self.names(key)
        for length in range(1, len(names)):
            self.places.keys.setdefault((*base, *names[:length]), self.place(key))
        path: KeyPath = (*base, *names)
        if (first := self.places.keys.get(path)) is not None:
            self.places.repeated.append((path, self.place(key), first))
        self.places.keys.setdefault(path, self.place(key))
        self.value(value, path)

    def value(self, node: Node, path: KeyPath) -> None:
        self.places.values.setdefault(path, self.place(node))
        if len(path) > DEEP:
            return
        inner = [each for each in node.named_children if each.type != "comment"]
        if node.type == "inline_table":
            for each in inner:
                if each.type == "pair":
                    self.pair(each, path)
        elif node.type == "array":
            for number, each in enumerate(inner):
                self.value(each, (*path, number))

    def resolved(self, names: tuple[str, ...], table: Node) -> KeyPath:
        """The path of a heading's parents: the last element of each array of tables on the way."""
        path: KeyPath = ()
        for name in names:
            path = (*path, name)
            self.places.keys.setdefault(path, self.place(table))
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def names(self, node: Node) -> tuple[str, ...]:
        """The parts of a key; of an absurdly long one the first."""
        parts: list[str] = []
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if each.type == "dotted_key":
                waiting += reversed(each.named_children)
            else:
                parts.append(_unquoted((each.text or b"").decode()))
        return tuple(parts[: DEEP + 1])

    def place(self, node: Node) -> Place:
        row, column = node.start_point
        return row + 1, len(self.lines[row][:column].decode("utf-8", "replace")) + 1


def _unquoted(text: str) -> str:
    if text[:1] not in {'"', "'"}:
        return text
    import tomllib

    try:
        return str(tomllib.loads(f"k={text}")["k"])
    except ValueError:
        return text
