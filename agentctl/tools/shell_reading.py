"""A shell's text, read twice: by a strict pattern of our own and by the grammar of bash. Both must agree.

What only one of them takes for a plain command is none. The grammar is of bash; what passes the pattern means the same
in every shell of the Bourne family, since nothing in it is special to any of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentctl.core.commands import Command, Part
from agentctl.tools.shell_spellings import Spellings, of_node, of_text
from agentctl.tools.shell_tree import NODES, below, parsed
from agentctl.tools.shell_words import read_again

if TYPE_CHECKING:
    from tree_sitter import Node

LONGEST = 4_000
"""Characters; nobody reads a longer one before saying yes to its like."""
BLANKS = 8
"""Spaces in a row that could push the rest out of sight."""
MOST_PARTS = 50
PIECE = r"""[A-Za-z0-9_@%+=:,./-]+|'[ -&(-\[\]-~]*'|"[ #%-\[\]-_a-~]*\""""
"""Bare characters that mean themselves everywhere, and quotes without `!` (double), `$`, backslash or backquote."""
WHOLE = re.compile(rf" *+(?:{PIECE})++(?: ++(?:{PIECE})++)*+ *+")
"""Possessive: a text that is not that plain must not be tried in every way that it could be cut into pieces."""
WORD = re.compile(rf"(?:{PIECE})+")
piece = re.compile(PIECE)
BARE_NAME = re.compile(r"[a-z][a-z0-9._+-]*")
RISKY_START = re.compile(r"[=%]")
"""zsh reads `=ls` as a path, shells with jobs read `%1` as one."""

SIGNS = {
    "command_substitution": "a command within a word",
    "process_substitution": "a command in the place of a file",
    "file_redirect": "a redirection",
    "heredoc_redirect": "a here-document",
    "herestring_redirect": "a here-string",
    "variable_assignment": "an assignment",
    "simple_expansion": "a variable",
    "expansion": "a variable",
    "arithmetic_expansion": "arithmetic",
    "brace_expression": "braces",
    "pipeline": "a pipe",
    "list": "commands in a row",
    "subshell": "a subshell",
    "compound_statement": "a group of commands",
    "function_definition": "a function",
    "negated_command": "a negation",
    "comment": "a comment",
    "if_statement": "control flow",
    "while_statement": "control flow",
    "for_statement": "control flow",
    "c_style_for_statement": "control flow",
    "case_statement": "control flow",
    "test_command": "a test",
    "declaration_command": "a declaration",
    "unset_command": "a declaration",
    "ansi_c_string": "an escaped string",
    "translated_string": "a translated string",
    "&": "a command in the background",
}
"""What the grammar calls it, and what the prompt does."""
PARTS = frozenset({"command", "test_command", "declaration_command", "unset_command"})
BESIDE = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect", "variable_assignment"})
"""Shown by themselves where they are not within another part: a redirection of a whole pipe."""


def read(text: str) -> Command:
    """What a shell would make of this text. Never raises; what can't be read is one part that asks."""
    unfit = _unfit(text)
    root = parsed(text)
    nodes = list(below(root))
    if unfit or root.has_error or len(nodes) >= NODES:
        why = unfit or "it can't be read as a shell reads it"
        return Command((_unread(text, why, of_text(text.replace("\\\n", ""))),), why)
    words = literal_words(text)
    commands = [node for node in nodes if node.type == "command"]
    if words and (again := read_again(words)):
        return Command((_unread(text, again, of_node(root)),), again)
    alone = len(commands) == 1 and [node.type for node in root.children] == ["command"]
    if words and alone and _words_of(commands[0]) == words:
        found = of_node(root)
        return Command((Part(text.strip(" "), words, "", found.texts, found.more),))
    return _compound(text, nodes, commands)


def literal_words(text: str) -> tuple[str, ...]:
    """The words of a text that every Bourne shell splits in the same way; empty: it is not that plain."""
    if not WHOLE.fullmatch(text):
        return ()
    raw = [found[0] for found in WORD.finditer(text)]
    if not BARE_NAME.fullmatch(raw[0]) or any(RISKY_START.match(word) for word in raw):
        return ()
    return tuple("".join(_unquoted(each[0]) for each in piece.finditer(word)) for word in raw)


def _unquoted(text: str) -> str:
    return text[1:-1] if text[0] in "'\"" else text


def _unfit(text: str) -> str:
    if not text.strip():
        return "there is nothing in it"
    if "\\\n" in text:
        return "it goes on in the next line after a backslash"
    odd = next((char for char in text if not " " <= char <= "~" and char not in "\n\t"), "")
    if odd:
        kind = "a control character" if odd < "\x80" else "a character that is no ASCII"
        return f"it has {kind} in it (U+{ord(odd):04X})"
    if len(text) > LONGEST:
        return f"it is longer than {LONGEST:,} characters"
    return "it has a long run of blanks in it" if " " * (BLANKS + 1) in text else ""


def _compound(text: str, nodes: list[Node], commands: list[Node]) -> Command:
    """More than a plain command: what is in it, and its parts."""
    signs = dict.fromkeys(SIGNS[node.type] for node in nodes if node.type in SIGNS)
    if len(commands) > 1:
        signs = {"more than one command": None, **signs}
    why = f"it has {', '.join(signs)} in it" if signs else "it has more than literal words in it"
    shown: list[Part] = []
    upto = 0
    for node in nodes:
        whole = _whole(node)
        if node.type in PARTS or (node.type in BESIDE and whole.end_byte > upto):
            shown.append(_part(node, whole, why))
            upto = max(upto, whole.end_byte)
        if len(shown) > MOST_PARTS:
            shown[-1] = _unread(text, f"it has more than {MOST_PARTS} parts", of_node(nodes[0]))
            break
    return Command(tuple(shown) or (_unread(text, why, of_node(nodes[0])),), why)


def _unread(text: str, why: str, found: Spellings) -> Part:
    return Part(text, (), why, found.texts, found.more)


def _whole(node: Node) -> Node:
    """A command with the redirection that belongs to it alone."""
    above = node.parent
    return above if node.type == "command" and above is not None and above.type == "redirected_statement" else node


def _part(node: Node, whole: Node, why: str) -> Part:
    text = (whole.text or b"").decode()
    words = literal_words(text)
    again = read_again(words) if words else ""
    if words and not again and node.type == "command" and words == _words_of(node):
        found = of_node(node)
        return Part(text, words, "", found.texts, found.more)
    signs = dict.fromkeys(SIGNS[each.type] for each in below(whole) if each.type in SIGNS)
    why = again or (f"it has {', '.join(signs)} in it" if signs else why)
    return _unread(text, why, of_node(whole))


def _words_of(node: Node) -> tuple[str, ...]:
    """The literal words of a command as the grammar sees them; empty: there is more to it."""
    words = [_literal(child.named_children[0] if child.type == "command_name" else child) for child in node.children]
    return () if any(word is None for word in words) else tuple(word or "" for word in words)


def _literal(node: Node) -> str | None:
    text = (node.text or b"").decode()
    match node.type:
        case "word" | "number" if not node.named_children:
            return text
        case "raw_string":
            return text[1:-1]
        case "string" if all(child.type == "string_content" for child in node.named_children):
            return text[1:-1]
        case "concatenation":
            inner = [_literal(child) for child in node.children]
            return None if any(each is None for each in inner) else "".join(each or "" for each in inner)
        case _:
            return None
