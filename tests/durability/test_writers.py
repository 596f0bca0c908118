"""Many processes write at once: no event is lost, and the ledger is what was billed.

Fifty of them, with their waits: `python -m tests.bench.writers`.
"""

import pytest

from tests.bench.writers import measured


@pytest.mark.slow
def test_many_writers_lose_no_event_and_no_cent(tmp_path, url):
    figures = measured(tmp_path, processes=10, rate=20.0, seconds=2.0, url=url)

    assert (0, 0) == (figures.lost, figures.held)
    assert figures.billed == figures.spent > 0
    assert len(figures.waits) == figures.events > 0
