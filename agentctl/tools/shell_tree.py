"""The grammar of bash, and how its trees are walked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

odd = re.compile(r"[^ -~\n\t]")
NODES = 20_000
"""Nodes of a tree that are looked at."""


def parsed(text: str) -> Node:
    """The root of what a text says. Never raises.

    The grammar's scanner reads beyond its tables for characters far from ASCII, and the process dies of it: for any
    character that is no printable ASCII and no line break or tab an underscore stands in.
    """
    return _parser().parse(odd.sub("_", text).encode("ascii")).root_node


def below(node: Node) -> Iterator[Node]:
    """Every node of a tree, in the order of the text, without recursion: depth is the author's choice."""
    pending = [node]
    seen = 0
    while pending and seen < NODES:
        seen += 1
        here = pending.pop()
        yield here
        pending += reversed(here.children)


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))
