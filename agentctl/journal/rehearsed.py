"""What a rehearsal leaves in the books that all runs share: circuits and minutes of its own, under its run's name.

They are worth something while the run can be resumed. Nobody else ever reads them.
"""

from __future__ import annotations

from typing import Final

from agentctl.journal.tx import Tx

PREFIX: Final = "rehearsal:"
"""Before the name of a circuit, and before whose a minute is."""
MINUTES: Final = ("tokens_per_minute", "usd_per_minute")
"""What a minute is counted in: the keys of its scopes."""


def forget(tx: Tx, run_id: str) -> None:
    """Delete them: the run has ended for good. Of a run that was no rehearsal there is nothing."""
    begin, end = f"{PREFIX}{run_id}:", f"{PREFIX}{run_id};"  # `;` follows `:`
    tx.execute("DELETE FROM circuits WHERE name >= ? AND name < ?", (begin, end))
    tx.executemany(
        "DELETE FROM token_buckets WHERE scope >= ? AND scope < ?",
        [(f"{key}:{begin}", f"{key}:{end}") for key in MINUTES],
    )
