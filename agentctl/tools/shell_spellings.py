"""The commands within a shell's text as a rule might have been written for them: without quotes, wrappers and folders.

For rules that make a call stricter only: what is found here lets nothing run. `r''m x`, `A=1 rm x`, `sudo /bin/rm x`
and `sh -c 'ls; rm x'` are all seen as `rm x`. What a variable or a substitution becomes nobody knows beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentctl.tools.shell_tree import below, parsed

if TYPE_CHECKING:
    from tree_sitter import Node

MOST = 60
"""Spellings of one part."""
MOST_WORDS = 20
"""Words behind a wrapper at which its command may begin."""
DEPTH = 3
"""Texts within texts: `sh -c "sh -c '…'"`."""
SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "mksh", "ash"))
WRAPPERS = SHELLS | frozenset((
    *("env", "xargs", "sudo", "doas", "su", "nohup", "timeout", "nice", "ionice", "time", "watch", "parallel"),
    *("setsid", "stdbuf", "eval", "exec", "command", "builtin", "trap", "alias", "busybox", "strace", "chroot"),
    *("unshare", "flock", "script", "find", "coproc", "noglob", "nocorrect", "repeat"),
))  # fmt: skip
"""Programs whose words are, or hold, the words of another command."""
TEXTS = SHELLS | frozenset((
    *("eval", "trap", "alias", "watch", "su", "parallel", "script", "flock", "ssh", "busybox", "complete", "compgen"),
    *("at", "batch", "repeat"),
))  # fmt: skip
"""What reads a word as a shell's text."""
COUNTS = frozenset((
    *("let", "printf", "print", "read", "test", "declare", "typeset", "local", "integer", "float", "export"),
    *("readonly", "private", "unset", "break", "continue", "exit", "return", "shift", "logout", "bye", "wait"),
    *("mapfile", "readarray", "getopts", "getln", "vared", "zformat", "zstyle", "zparseopts", "zregexparse", "sched"),
    *("set", "ulimit", "umask", "kill", "fc", "history", "pushd", "popd", "dirs"),
))  # fmt: skip
"""The shell's own that reckon with a word or take it for a variable: `test -v 'a[$(rm x)]'` runs it."""
SHOWN = 40
LONG = 20_000
BESIDE = frozenset(("variable_assignment", "file_redirect", "heredoc_redirect", "herestring_redirect"))
escape = re.compile(r"\\(\n|.)", re.DOTALL)
coded = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{1,4}|.)", re.DOTALL)
CODES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}


def read_again(words: tuple[str, ...]) -> str:
    """Why a shell may make more of these literal words than the words say; empty: it doesn't."""
    names = {word.rpartition("/")[2] for word in (words if words[0] in WRAPPERS else words[:1])}
    special = set("$`;|&<>(){}!\\\n") if names & TEXTS else set("$`") if words[0] in COUNTS else set[str]()
    odd = next((word for word in words[1:] if special & set(word)), "")
    return f"a shell reads '{odd[:SHOWN]}' once more" if odd else ""


def spellings(node: Node, depth: int = DEPTH) -> tuple[str, ...]:
    """Every command below a node, each in every way; in the order of the text, without doubles."""
    found: dict[str, None] = {}
    for each in below(node):
        if each.type == "command":
            for text in _of_command(each, depth):
                found[text] = None
                if len(found) >= MOST:
                    return tuple(found)
    return tuple(found)


def _of_command(node: Node, depth: int) -> Iterator[str]:
    words = [unquoted(child) for child in node.named_children if child.type not in BESIDE] + list(_behind(node))
    if not words:
        return
    yield from _named(words)
    program = words[0].rpartition("/")[2]
    if program not in WRAPPERS or not depth:
        return
    for at, word in enumerate(words[1 : MOST_WORDS + 1], 1):
        value = word.partition("=")[2] if program == "alias" else word
        if not value.startswith("-"):
            yield from _named([value, *words[at + 1 :]])
            yield from _within(value, depth)
    if program in SHELLS:
        for text in _input(node):
            yield from _within(text, depth)


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
    folder, _, name = words[0].rpartition("/")
    if folder or words[0].startswith("/"):
        yield " ".join((name, *words[1:]))


def _within(text: str, depth: int) -> Iterator[str]:
    """The commands in a word that a shell may be given as its text."""
    if len(text) <= LONG and re.search(r"\s|[;&|(`'\"\\]", text):
        yield from spellings(parsed(text), depth - 1)


def _input(node: Node) -> Iterator[str]:
    """What a shell reads from a here-document or a here-string."""
    for each in below(_statement(node)):
        if each.type == "heredoc_body":
            yield _text(each)
        elif each.type == "herestring_redirect" and each.named_children:
            yield unquoted(each.named_children[-1])


def unquoted(node: Node) -> str:
    """What a word becomes, as far as its text says it."""
    text = _text(node)
    match node.type:
        case "raw_string":
            return text[1:-1]
        case "ansi_c_string":
            return coded.sub(_decoded, text[2:-1])
        case "string" | "translated_string":
            return escape.sub(_kept, text.removeprefix("$")[1:-1])
        case "concatenation":
            return "".join(unquoted(child) for child in node.children)
        case "command_name" if node.children:
            return "".join(unquoted(child) for child in node.children)
        case _:
            return escape.sub(_dropped, text) if node.type in {"word", "number"} else text


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _dropped(found: re.Match[str]) -> str:
    """Outside of quotes a backslash takes any character as it is, and a line break away."""
    return "" if found[1] == "\n" else found[1]


def _kept(found: re.Match[str]) -> str:
    """In double quotes it does so only before these."""
    return _dropped(found) if found[1] in '\n$`"\\' else found[0]


def _decoded(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8) & 0xFF) if code[0] in "01234567" else CODES.get(code, code)
