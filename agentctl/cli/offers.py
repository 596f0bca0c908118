"""How words for a shell are found and made harmless: what `values` offers stands on this."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeAlias

import typer

Offers: TypeAlias = list[tuple[str, str]]
"""Words, each with a note that zsh and fish show beside it."""
MOST = 50
LAST = "\U0010ffff"
"""Sorts behind whatever a word may go on with."""
WAIT_S = 0.05
"""Seconds that another process may hold the store."""
# Notes are other people's words, and shells evaluate what they are offered.
odd = re.compile(r"[^\w.,/-]+")
harmless = re.compile(r"[\w.=@:/-]+")


def silent(find: Callable[[], Offers]) -> Offers:
    """What was found, as far as a shell can be offered it; nothing where anything is wrong."""
    try:
        return [(word, " ".join(odd.sub(" ", note).split())) for word, note in find() if harmless.fullmatch(word)]
    except Exception:  # noqa: BLE001 -- a shell is no place for an error
        return []


def rows_of(ctx: typer.Context, query: str, given: tuple[object, ...]) -> list[tuple[Any, ...]]:
    """What the store that stands on the line says."""
    from agentctl.config import paths
    from agentctl.journal import opening

    path = opening.path_of(paths.store_url(ctx.params.get("store")))
    if not path.is_file():
        return []
    with closing(opening.connect_reader(path, WAIT_S)) as connection:
        return connection.execute(query, given).fetchall()
