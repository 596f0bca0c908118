"""The ways in which a known secret may be written: each is masked as the secret itself."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Known values shorter than this would mask ordinary words."""
SHORTEST_BASE64 = 8
"""Of the part of a base64 text that is the same whatever stands beside it."""
SKIPPED = (0, 2, 3)
"""How many characters of a base64 text depend on the bytes before, by how many bytes these are beyond a group."""

CODE = re.compile(r"%[0-9A-F]{2}")


def spellings(secret: str) -> Iterator[str]:
    """Raw, JSON-escaped once and twice, repr, percent-encoded, hex, base64 at three alignments; and of each line."""
    if len(secret) < SHORTEST:
        return
    for line in {secret, *(line.strip() for line in secret.splitlines())}:
        if len(line) < SHORTEST:
            continue
        raw = line.encode(errors="surrogatepass")
        escaped = json.dumps(line)[1:-1]
        yield from (line, escaped, json.dumps(escaped)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1])
        yield escaped.replace("/", "\\/")
        yield repr(line)[1:-1]
        yield from _percent(line)
        yield from (raw.hex(), raw.hex().upper(), raw.hex(" "), raw.hex(":"))
        yield from _base64(raw)


def _percent(line: str) -> Iterator[str]:
    once = quote(line, safe="", errors="surrogatepass")
    yield from (once, quote(once, safe=""), quote(line, errors="surrogatepass"))
    yield quote_plus(line, errors="surrogatepass")
    yield CODE.sub(lambda code: code[0].lower(), once)


def _base64(raw: bytes) -> Iterator[str]:
    for before, skipped in enumerate(SKIPPED):
        text = base64.b64encode(b"\0" * before + raw).decode()
        whole = (before + len(raw)) * 8 // 6  # the characters that no byte behind has a part in
        if len(inner := text[skipped:whole]) >= SHORTEST_BASE64:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
