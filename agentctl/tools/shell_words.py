"""The words of a command without their quotes, and programs that take words for more than they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

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
escape = re.compile(r"\\(\n|.)", re.DOTALL)
coded = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{1,4}|.)", re.DOTALL)
CODES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}


def read_again(words: tuple[str, ...]) -> str:
    """Why a shell may make more of these literal words than the words say; empty: it doesn't."""
    names = {word.rpartition("/")[2] for word in (words if words[0] in WRAPPERS else words[:1])}
    special = set("$`;|&<>(){}!\\\n") if names & TEXTS else set("$`") if words[0] in COUNTS else set[str]()
    odd = next((word for word in words[1:] if special & set(word)), "")
    return f"a shell reads '{odd[:SHOWN]}' once more" if odd else ""


def unquoted(node: Node) -> str:
    """What a word becomes, as far as its text says it."""
    text = text_of(node)
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


def text_of(node: Node) -> str:
    """Its text as it stands."""
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
