"""A tree on a terminal that is narrower than its lines: what goes on below keeps to its branch."""

from __future__ import annotations

import re

branch = re.compile(r"(?:[│ ]   )*(?:[├└]── )?")
HANGING = "  "
LEAST = 20
"""Columns of text beside the branches; a narrower terminal breaks the lines itself."""


def fitted(text: str, width: int) -> list[str]:
    """A line of the tree as lines of at most `width` columns, parted at spaces where there are any."""
    from rich.cells import cell_len, chop_cells

    if cell_len(text) <= width:
        return [text]
    found = branch.match(text)
    begin = found[0] if found else ""
    below = begin.replace("├── ", "│   ").replace("└── ", "    ") + HANGING
    room = width - cell_len(below)
    if room < LEAST:
        return [text]
    lines: list[str] = []
    line = begin
    for word in text[len(begin) :].split(" "):
        for piece in chop_cells(word, room) or [""]:
            if line not in {begin, below} and cell_len(line) + 1 + cell_len(piece) > width:
                lines.append(line)
                line = below
            line += piece if line in {begin, below} else f" {piece}"
    return [*lines, line]
