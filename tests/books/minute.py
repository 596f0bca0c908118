"""One provider's minute in a store of its own, whose clock is the test's."""

import sqlite3
from collections import Counter

from agentctl.core.guards.pace import WINDOW, Demand, pieces, slice_of
from agentctl.journal import admission, pace
from agentctl.journal.ledger import Scope

START = 1_700_000_000.0
LIMIT = 1_000
TOKENS, USD = "tokens_per_minute:them", "usd_per_minute:them"


class Minute:
    """One provider's minute in a store of its own."""

    def __init__(self, tx: sqlite3.Connection) -> None:
        self.tx, self.now, self.count = tx, START, 0

    def ask(self, tokens: int, usd: int = 0, *, who="", since=None, most=1e9, cap=None, circuit=None, limit=LIMIT):
        """A run asks for one call; who is not named is somebody new."""
        self.count += 1
        who = who or f"r_{self.count}"
        demands = [Demand(TOKENS, tokens, limit)] + [Demand(USD, usd, LIMIT)] * bool(usd)
        scopes = (Scope("run_usd:r", 0, cap),)
        asked = admission.Request(f"h{self.count}", who, usd, scopes, circuit, tuple(demands), most, since)
        return admission.admit(self.tx, asked, self.now)

    def settle(self, hold: int, tokens: int, usd: int = 0) -> None:
        """What the call that was asked for as the so-manieth came to."""
        admission.settle(self.tx, f"h{hold}", usd, tokens)

    def used(self, scope: str = TOKENS) -> int:
        return pace.used(self.tx, scope, self.now)

    def rows(self, scope: str = TOKENS) -> dict[int, int]:
        """What is booked and owed in the slices that a minute of now touches, and in later ones, under LIMIT."""
        found = self.tx.execute("SELECT bucket_start, tokens, most FROM token_buckets WHERE scope = ?", (scope,))
        seen = Counter()
        for start, tokens, most in found.fetchall():
            seen.update(pieces(tokens, most, LIMIT, start))
        return {start: amount for start, amount in seen.items() if start >= slice_of(self.now) - WINDOW}

    def queue(self) -> set[str]:
        return {who for (who,) in self.tx.execute("SELECT owner FROM waiting").fetchall()}
