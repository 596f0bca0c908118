"""The commands within a shell's text as a rule might have been written for them: without quotes, wrappers and folders.

For rules that make a call stricter only: what is found here lets nothing run. `r''m x`, `A=1 rm x`, `sudo /bin/rm x`
and `sh -c 'ls; rm x'` are all seen as `rm x`. What a variable or a substitution becomes nobody knows beforehand. Where
there is more than is looked at, it says so: what can't be searched for what is forbidden counts as forbidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from agentctl.records import dataclass
from agentctl.tools.shell_tree import NODES, below, parsed
from agentctl.tools.shell_words import SHELLS, WRAPPERS, text_of, unquoted

if TYPE_CHECKING:
    from tree_sitter import Node

MOST = 500
"""Spellings of one part."""
MOST_WORDS = 100
"""Words behind a wrapper at which its command may begin."""
DEPTH = 3
"""Texts within texts: `sh -c "sh -c '…'"`."""
BESIDE = frozenset(("variable_assignment", "file_redirect", "heredoc_redirect", "herestring_redirect"))
Found: TypeAlias = "Iterator[str | None]"
"""None: there is more than is looked at."""
text_within = re.compile(r"\s|[;&|(`'\"\\]")
joint = re.compile(r"[;&|\n(){}`<>,]+|(?<!\S)(?:do|then|else|elif|if|while|until|time|!)(?=\s)")
quoting = re.compile(r"[\\'\"]")


@dataclass(frozen=True, slots=True)
class Spellings:
    """What was found, in the order of the text, without doubles."""

    texts: tuple[str, ...]
    more: bool
    """There is more than was looked at."""


def of_node(node: Node) -> Spellings:
    """Every command below a node, in every way."""
    return _kept(_below(node, DEPTH))


def of_text(text: str) -> Spellings:
    """Every command in a text; where the grammar can't read it, also what stands between joints."""
    return _kept(_in_text(text, DEPTH))


def _kept(found: Found) -> Spellings:
    texts: dict[str, None] = {}
    for text in found:
        if text is None or len(texts) >= MOST:
            return Spellings(tuple(texts), more=True)
        texts[text] = None
    return Spellings(tuple(texts), more=False)


def _in_text(text: str, depth: int) -> Found:
    root = parsed(text)
    if root.has_error:
        for piece in joint.split(quoting.sub("", text)):
            if words := piece.split():
                yield from _named(words)
    yield from _below(root, depth)


def _below(node: Node, depth: int) -> Found:
    nodes = list(below(node))
    for each in nodes:
        if each.type == "command":
            yield from _of_command(each, depth)
    if len(nodes) >= NODES:
        yield None


def _of_command(node: Node, depth: int) -> Found:
    words = [unquoted(child) for child in node.named_children if child.type not in BESIDE] + list(_behind(node))
    if not words:
        return
    yield from _named(words)
    program = words[0].rpartition("/")[2]
    if program not in WRAPPERS:
        return
    for at, word in enumerate(words[1 : MOST_WORDS + 1], 1):
        value = word.partition("=")[2] if program == "alias" else word
        if not value.startswith("-"):
            yield from _named([value, *words[at + 1 :]])
            yield from _within(value, depth)
    if any(word.rpartition("/")[2] in SHELLS for word in words):
        for text in _input(node):
            yield from _within(text, depth)
    if len(words) > MOST_WORDS + 1:
        yield None


def _behind(node: Node) -> Iterator[str]:
    """Its words after a redirection, `rm >f x`, which the grammar counts to the redirection."""
    for each in _statement(node).children if _statement(node) != node else ():
        if each.type == "file_redirect":
            yield from map(unquoted, each.children_by_field_name("destination")[1:])
        elif each.type == "heredoc_redirect":
            yield from map(unquoted, each.children_by_field_name("argument"))


def _statement(node: Node) -> Node:
    """The command with its redirections."""
    above = node.parent
    return node if above is None or above.type != "redirected_statement" else above


def _named(words: list[str]) -> Iterator[str]:
    """As it stands, and by the name of its program alone."""
    yield " ".join(words)
    if "/" in words[0]:
        yield " ".join((words[0].rpartition("/")[2], *words[1:]))


def _within(text: str, depth: int) -> Found:
    """The commands in a word that a shell may be given as its text."""
    if text_within.search(text):
        yield from _in_text(text, depth - 1) if depth else (None,)


def _input(node: Node) -> Iterator[str]:
    """What a shell reads from a here-document or a here-string."""
    for each in below(_statement(node)):
        if each.type == "heredoc_body":
            yield text_of(each)
        elif each.type == "herestring_redirect" and each.named_children:
            yield unquoted(each.named_children[-1])
