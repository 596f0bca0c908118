"""The text of an HTTP answer: which bodies are text, and in which letters they are written."""

from __future__ import annotations

import codecs
import re
import zlib

TEXT = re.compile(
    r"text/.*|(application|image|message|model)/([\w.+-]+\+)?(json|xml|yaml|x-yaml|toml|javascript|ecmascript|x-ndjson"
    r"|ndjson|jsonl|x-javascript|x-www-form-urlencoded|sql|graphql|x-sh|rtf|http)"
)
CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
"""What a body may be packed in."""
NO_LETTERS = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7", "undefined", "mbcs", "oem"}
)
"""Python's codecs that are no way to write text, or one that hides it."""

charset = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
meta = re.compile(
    rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]{1,40})|<\?xml[^>]{0,100}encoding=["']([\w.:-]{1,40})"""
)


def is_text(kind: str, data: bytes) -> bool:
    """Whether a body of this `Content-Type` can be read; one without a type is looked at."""
    name = kind.partition(";")[0].strip().lower()
    if name and not TEXT.fullmatch(name):
        return False
    return bool(_mark(data)) or "utf-16" in kind.lower() or b"\0" not in data


def decoded(data: bytes, kind: str) -> str:
    """The text: by its byte order mark, else by what the header or its beginning says, else UTF-8."""
    name = _mark(data) or _said(kind, data) or "utf-8"
    return data.decode(name, "replace").removeprefix("\ufeff")


def unpacked(data: bytes, coding: str, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of a packed body, and whether there is more.

    Raises:
        ValueError: it is not packed as it says.
    """
    if coding in {"", "identity"}:
        return data[:limit], len(data) > limit
    # 47: gzip or zlib, whichever its beginning says. Bare deflate data begin with neither.
    for bits in (47, -15):
        engine = zlib.decompressobj(bits)
        try:
            found = engine.decompress(data, limit + 1)
        except zlib.error:
            continue
        return found[:limit], len(found) > limit
    raise ValueError(f"it is not {coding}")


def _mark(data: bytes) -> str:
    marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
    return next((name for mark, name in marks if data.startswith(mark)), "")


def _said(kind: str, data: bytes) -> str:
    """The name of the letters, where Python knows them as letters."""
    found = charset.search(kind)
    inside = None if found else meta.search(data[:2_048].lower())
    name = found[1] if found else (inside[1] or inside[2]).decode("ascii") if inside else ""
    if not name:
        return ""
    try:
        info = codecs.lookup(name)
        b"text".decode(info.name, "replace")  # refuses codecs from bytes to bytes
    except (LookupError, ValueError):
        return ""
    return "" if info.name.replace("_", "-") in NO_LETTERS else info.name
