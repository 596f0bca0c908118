"""One line of a timeline in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from agentctl.approvals.printable import printable


class DetailScreen(ModalScreen[None]):
    """What went in and came out, scrubbed; nothing in it is markup."""

    DEFAULT_CSS = """
    DetailScreen {
        align: center middle;
        VerticalScroll {
            width: 94%; height: auto; max-height: 90%; background: $surface; border: round $primary; padding: 0 1;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "close")]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        """A box that scrolls."""
        with VerticalScroll() as box:
            box.border_title = printable(self._title, lines=False).replace("[", r"\[")
            box.border_subtitle = "escape closes"
            yield Static(printable("\n".join(self._lines)), markup=False)
