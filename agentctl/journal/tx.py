"""What a piece of work on the store is handed: an open transaction.

The work runs on the writer's thread. It executes statements and returns a value or raises; it never begins, commits
or rolls back (the writer does, for everything that is queued at once), and it never waits for anything.
"""

from __future__ import annotations

import sqlite3
from typing import TypeAlias

Tx: TypeAlias = sqlite3.Connection
"""An open transaction for writing, or a connection in which every statement reads for itself."""
