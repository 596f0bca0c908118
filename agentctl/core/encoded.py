"""Secrets under an encoding that nobody announced: what reads as text once decoded is looked at again, bounded."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from agentctl.core.tokenforms import Span

TOKEN = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
WRAPPED = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{16,100}+\r?\n[ \t]{0,16}){1,200}[A-Za-z0-9+/]{1,100}={0,2}")
PERCENT = re.compile(r"""[^\s"'<>&?=]{0,512}%[0-9A-Fa-f]{2}[^\s"'<>&]{0,4096}""")
CODE = re.compile(r"\\u00([0-7][0-9a-fA-F])|\\x([0-7][0-9a-fA-F])")
MOST = 32_000
"""Characters of one text that are looked at again, or, of lines and escapes, tried."""


def spans(text: str, finds: Callable[[str], bool]) -> Iterator[Span]:
    """Tokens that hold a secret once they are decoded."""
    left = MOST
    for match in TOKEN.finditer(text):
        token = match[0]
        for rule, inner in (("hex", _hex(token)), ("base64", _base64(token))):
            left -= len(inner)
            if inner and left >= 0 and finds(inner):
                yield *match.span(), rule
    for match in WRAPPED.finditer(text, 0, MOST) if "\n" in text else ():
        inner = _base64("".join(match[0].split()))
        if inner and finds(inner):
            yield *match.span(), "base64"
    yield from _escaped(text[:MOST], finds)


def _escaped(text: str, finds: Callable[[str], bool]) -> Iterator[Span]:
    for match in PERCENT.finditer(text) if "%" in text else ():
        if match[0].count("%") > 2 and finds(unquote(match[0])):
            yield *match.span(), "percent-encoded"
    if "\\u00" in text or "\\x" in text:
        for word in re.finditer(r"\S+", text):
            if CODE.search(word[0]) and finds(CODE.sub(lambda code: chr(int(code[1] or code[2], 16)), word[0])):
                yield *word.span(), "escaped"


def _base64(token: str) -> str:
    """The text in it; nothing where it is none."""
    if not (any(map(str.isupper, token)) and any(map(str.islower, token))):
        return ""
    bare = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inner = base64.b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + "=" * (-len(bare) % 4)).decode()
    except ValueError:
        return ""
    return _readable(inner)


def _hex(token: str) -> str:
    try:
        return _readable(bytes.fromhex(token).decode("ascii")) if len(token) >= 40 else ""
    except ValueError:
        return ""


def _readable(inner: str) -> str:
    return inner if all(each.isprintable() or each in "\r\n\t" for each in inner) else ""
