"""Many processes that open a store which is not there yet: one of them makes it, all of them have it."""

import sqlite3

from agentctl.journal import schema
from tests.journal.conftest import on_sqlite


@on_sqlite
def test_a_store_that_another_process_makes_at_this_very_moment_is_taken_for_ours(opened, url, monkeypatch):
    """D07: whoever comes second is not told that the store is another program's."""
    path = url.removeprefix("sqlite:///")
    (opened(url + ".other").path.parent).mkdir(exist_ok=True)
    began = sqlite3.connect(path, isolation_level=None)
    began.execute("PRAGMA journal_mode = WAL")
    describe = schema.describe

    def overtaken(connection):
        monkeypatch.setattr(schema, "describe", describe)
        found = describe(connection)
        schema.make(began)
        return found

    monkeypatch.setattr(schema, "describe", overtaken)
    try:
        assert [] == opened().runs()
    finally:
        began.close()
