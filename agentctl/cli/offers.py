"""How words for a shell are found and made harmless: what `values` offers stands on this."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, TypeAlias

import typer

from agentctl.errors import AgentctlError

Offers: TypeAlias = list[tuple[str, str]]
"""Words, each with a note that zsh and fish show beside it."""
MOST = 50
LAST = "\U0010ffff"
"""Sorts behind whatever a word may go on with."""
WAIT_S = 0.05
"""Seconds that another process may hold the store."""
WRONG = (AgentctlError, OSError, ValueError, TypeError, AttributeError, LookupError, RuntimeError)
"""What reading files and rows of any shape ends with; a shell is no place for an error."""
# Notes are other people's words, and shells evaluate what they are offered.
odd = re.compile(r"[^\w.,/-]+")
harmless = re.compile(r"[\w.=@:/-]+")


def silent(find: Callable[[], Offers]) -> Offers:
    """What was found, as far as a shell can be offered it; nothing where anything is wrong."""
    try:
        return [(word, " ".join(odd.sub(" ", note).split())) for word, note in find() if harmless.fullmatch(word)]
    except WRONG:
        return []


def rows_of(ctx: typer.Context, query: str, given: tuple[object, ...]) -> list[tuple[Any, ...]]:
    """What the store that stands on the line says."""
    import sqlite3

    from agentctl.config import paths
    from agentctl.journal import opening

    path = opening.path_of(paths.store_url(ctx.params.get("store")))
    with suppress(sqlite3.Error):  # it is held, or none of ours
        if path.is_file():
            with closing(opening.connect_reader(path, WAIT_S)) as connection:
                return connection.execute(query, given).fetchall()
    return []
