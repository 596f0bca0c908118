"""The tables of `stats` as CSV, for spreadsheets: no cell of it is ever taken for a formula."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from agentctl.approvals.printable import printable
from agentctl.cli import stats_items
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.core.messages import Json, JsonObject
    from agentctl.core.stats import Stats

formula = re.compile("(^|;)(?=[=+@\t\r\uff1d\uff0b\uff0d\uff20-])")
"""Where a cell begins that a spreadsheet takes for a formula: in half of the world a semicolon parts cells."""


def write(stats: Stats, by: str, to: str) -> None:
    """Write one table; `-` is stdout. Usage: the file can't be written."""
    items = stats_items.items(stats, by)
    if to == "-":
        _write(items, by, sys.stdout)
        return
    try:
        with Path(to).open("w", encoding="utf-8", newline="") as file:
            _write(items, by, file)
    except OSError as error:
        raise Usage(
            f"--csv {to}: can't be written: {error.strerror}", hint="Name another file, or - for stdout."
        ) from error


def _write(items: list[JsonObject], by: str, file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(list(items[0]) if items else [by])
    for item in items:
        writer.writerow([cell(value) for value in item.values()])


def cell(value: Json) -> str:
    """One cell. What could be a formula begins with an apostrophe, which spreadsheets do not show."""
    match value:
        case None:
            return ""
        case float():
            return f"{value:.6f}".rstrip("0").rstrip(".")
        case dict():
            text = "; ".join(f"{name} {number}" for name, number in cast("JsonObject", value).items())
        case _:
            text = str(value)
    text = printable(text, lines=False)
    return formula.sub(r"\1'", text)
