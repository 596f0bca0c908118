"""What is printed fits the terminal that it is printed to, and stays one line for a pipe."""

import io
from contextlib import redirect_stdout

import pytest

from agentctl.cli import render

LONG = "yes  D67   whether to retry is explicit: get_order_status (exponential_backoff), send_refund (none), read_file"


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_long_line_goes_on_below_on_a_terminal():
    with redirect_stdout(Screen()):
        first, second = render.folded(LONG, 11)

    assert len(first) <= 80
    assert len(second) - len(second.lstrip()) == 11
    assert f"{first} {second.strip()}" == LONG


def test_a_long_line_stays_one_for_a_pipe():
    assert [LONG] == render.folded(LONG, 11)


def test_what_stands_below_a_row_fits_a_terminal():
    with redirect_stdout(Screen()) as screen:
        render.table(("run", "guard"), [("r_1", "risk")], below=[LONG])

    lines = screen.getvalue().splitlines()
    assert ["RUN  GUARD", "r_1  risk"] == lines[:2]
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
