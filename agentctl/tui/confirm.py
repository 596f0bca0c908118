"""A question before what can't be undone: `y` is yes, once it has stood for a while; everything else is no."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from agentctl.tui.gate import Gate

CLOCK = time.monotonic


class Confirm(ModalScreen[bool]):
    """Enter alone does nothing."""

    DEFAULT_CSS = """
    Confirm {
        align: center middle;
        Vertical {
            width: auto; max-width: 90%; height: auto; background: $surface; border: round $error; padding: 0 1;
        }
        Static { width: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question
        self._gate = Gate(CLOCK)

    def compose(self) -> ComposeResult:
        """The question and its keys."""
        with Vertical():
            yield Static(self._question, markup=False)
            yield Static("y yes · n no", markup=False)

    def action_answer(self, sure: bool) -> None:
        """Take it; a yes that was typed ahead, or came with a pasted text, is none."""
        if not sure or self._gate.lets_through():
            self.dismiss(sure)
