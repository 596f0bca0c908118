"""The names of all drills in their order, for who needs nothing else of them: a TAB must be quick."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    *("bad-args", "rate-limits", "context-overflow", "search-loop", "secret-leak", "cold-cache", "outage", "slow-tool"),
    *("crash", "injection", "malformed-replies", "unknown-tool", "budget-race", "isolation", "output-format"),
)
