"""What stands below a question and never scrolls away: news, what it waits for, the keys, or a line to type."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from agentctl.approvals.terminal import BURST_S


class Below(Vertical):
    """Four rows at most places; every text is shown as it is."""

    DEFAULT_CSS = """
    Below {
        height: auto;
        & > #standing { color: $text-muted; padding: 0 1; height: auto; }
        & > #notice { color: $text-warning; text-style: bold; padding: 0 1; height: auto; max-height: 3; }
        & > #keys { background: $panel; text-style: bold; padding: 0 1; height: auto; }
        & > Input { display: none; padding: 0 1; }
    }
    """

    class Typed(Message):
        """A line was ended with Enter."""

        def __init__(self, text: str) -> None:
            """`text` is as it was typed, without blanks around it."""
            super().__init__()
            self.text = text

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        super().__init__()
        self._clock = clock
        self._latest = 0.0
        self._told = ("", "", "")

    def compose(self) -> ComposeResult:
        """From what is read first to what is pressed."""
        yield Static("", id="notice", markup=False)
        yield Static("", id="standing", markup=False)
        yield Input(select_on_focus=False, compact=True)
        yield Static("", id="keys", markup=False)

    def tell(self, notice: str, standing: str, keys: str) -> None:
        """Show these."""
        if (notice, standing, keys) == self._told:
            return
        self._told = notice, standing, keys
        for name, text in (("notice", notice), ("standing", standing), ("keys", keys)):
            row = self.query_one(f"#{name}", Static)
            row.update(text)
            row.display = bool(text)

    def ask(self, longest: int) -> None:
        """Let a line be typed, of so many characters; 0: any number."""
        self._latest = self._clock()
        line = self.query_one(Input)
        line.max_length = longest
        line.value = ""
        line.display = True
        line.focus()

    def hush(self) -> None:
        """No line is typed any more."""
        self.query_one(Input).display = False
        self.screen.set_focus(None)

    def on_input_changed(self) -> None:
        """When the latest letter came."""
        self._latest = self._clock()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter, unless it came in one piece with the letters before it."""
        event.stop()
        if self._clock() - self._latest >= BURST_S:
            self.post_message(self.Typed(event.value.strip()))
