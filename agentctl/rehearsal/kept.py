"""What the stand-in's prompt cache holds from one rehearsal to the next, as the providers' own hold it: in a file.

It is worth a warm cache and no more. One that can't be read is an empty one, one that can't be written is left as it
was, and of two rehearsals that end at once one may lose what it wrote.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any, cast

from agentctl.rehearsal.cache import Entries

MOST = 5_000
"""Entries; the newest stay."""
MOST_BYTES = 4_000_000
"""What is longer was not written here."""


def read(path: Path, now: float) -> Entries:
    """The entries that live at `now`, in seconds since 1970."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        if path.stat().st_size <= MOST_BYTES:
            return _alive(_parsed(json.loads(path.read_text("utf-8"))), now)
    return {}


def write(path: Path, entries: Entries, now: float) -> None:
    """Add them to what others have left there meanwhile; where nothing lives there is no file."""
    merged = read(path, now)
    for key, entry in _alive(entries, now).items():
        merged[key] = max(entry, merged.pop(key, entry))
    with contextlib.suppress(OSError):
        if merged:
            _replace(path, json.dumps([[*key, *entry] for key, entry in [*merged.items()][-MOST:]]))
        else:
            path.unlink(missing_ok=True)


def _parsed(rows: object) -> Entries:
    found: Entries = {}
    for scope, digest, config, end, life in cast("list[list[Any]]", rows):
        found[str(scope), str(digest), str(config)] = float(end), float(life)
    return found


def _alive(entries: Entries, now: float) -> Entries:
    """Whose end is further away than they live was written on another clock."""
    return {key: (end, life) for key, (end, life) in entries.items() if 0 < end - now < life + 1}


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
