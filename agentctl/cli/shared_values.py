"""What a shell offers of what all runs share: circuits and budgets. As quick and as silent as `values`."""

from __future__ import annotations

import json
import time

import typer

from agentctl.cli.offers import LAST, MOST, Offers, rows_of, silent

OPENED_AT = 2
"""Where a circuit's row says when it was opened; 0: it is closed."""


def circuits(ctx: typer.Context, incomplete: str) -> Offers:
    """Circuits, those of rehearsals only where one is asked for."""

    def found() -> Offers:
        query = "SELECT name, circuit FROM circuits WHERE name >= ? AND name < ? ORDER BY name LIMIT ?"
        rows = rows_of(ctx, query, (incomplete, incomplete + LAST, MOST))
        hidden = "" if incomplete.startswith("r") else "rehearsal:"
        return [
            (name, "open" if json.loads(text)[OPENED_AT] else "closed")
            for name, text in rows
            if not (hidden and name.startswith(hidden))
        ]

    return silent(found)


def budgets(ctx: typer.Context, incomplete: str) -> Offers:
    """`KEY:SCOPE` of what may be reset and has anything to forgive."""

    def found() -> Offers:
        query = (
            "SELECT scope, max(spent) FROM budgets WHERE scope >= ? AND scope < ? AND spent > 0"
            " AND NOT (scope >= 'run_usd:' AND scope < 'run_usd;')"
            " AND (window_start = 0 OR window_start > ? - CASE WHEN scope < 'i' THEN 3600 ELSE 86400 END)"
            " GROUP BY scope ORDER BY scope LIMIT ?"
        )
        rows = rows_of(ctx, query, (incomplete, incomplete + LAST, time.time(), MOST))
        return [(scope, f"{spent / 1e6:.2f} USD spent") for scope, spent in rows]

    return silent(found)
