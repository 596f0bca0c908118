"""How large the terminal really is: Textual believes COLUMNS, LINES and a stdout that may be redirected."""

from __future__ import annotations

import os
import sys

from textual.drivers.linux_driver import LinuxDriver


def measured() -> tuple[int, int] | None:
    """Columns and lines of the terminal that is drawn on; None: it is none, or does not say."""
    try:
        size = os.get_terminal_size(sys.__stderr__.fileno()) if sys.__stderr__ is not None else (0, 0)
    except (OSError, ValueError):
        return None
    return (size[0], size[1]) if size[0] and size[1] else None


class Measured(LinuxDriver):
    """The driver of an app that asks people: what is not on the screen must not count as seen."""

    def _get_terminal_size(self) -> tuple[int, int]:
        return measured() or super()._get_terminal_size()
