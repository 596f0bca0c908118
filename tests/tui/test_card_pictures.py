"""The card as it looks, in colours and without, wide and narrow. After a look at the report: `--snapshot-update`."""

import pytest

from agentctl.tui import card as room

from .deck import Deck, asked, changed, press

DIFF = "--- notes.txt\n+++ notes.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+two and a half\n three"
LONG = "\n".join(f"+line {number}" for number in range(60))
FILE = asked(tool="write_file", tier="medium", args={"path": "notes.txt"}, change=DIFF, remembers="")
DOUBT = asked(doubt=("it was started at 12:00:00 UTC and was not seen to finish",), remembers="", running=False)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(room, "BURST_S", 0.001)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize(
    ("given", "theme"),
    [(asked(), "textual-dark"), (FILE, "textual-light"), (DOUBT, "ansi-dark")],
    ids=["call", "file", "doubt"],
)
def test_a_question(snap_compare, given, theme, size):
    """F05"""

    async def ready(pilot):
        pilot.app.theme = theme
        await press(pilot.app)

    assert snap_compare(Deck(given), terminal_size=size, run_before=ready)


def test_part_of_it_is_hidden(snap_compare):
    async def ready(pilot):
        await press(pilot.app, "space", "y")

    assert snap_compare(Deck(asked(change=LONG)), terminal_size=(60, 15), run_before=ready)


def test_changed_arguments(snap_compare):
    async def ready(pilot):
        await changed(pilot.app, '{"order_id": "A-1002", "amount_usd": 49.9, "reason": "the parcel is late"}')

    assert snap_compare(Deck(), terminal_size=(80, 24), run_before=ready)


def test_without_colour(snap_compare, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def ready(pilot):
        await press(pilot.app)

    assert snap_compare(Deck(FILE), terminal_size=(80, 24), run_before=ready)
