"""The arguments of a call as JSON, changed by hand; what was masked stays masked."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static, TextArea

from agentctl.approvals import editing
from agentctl.approvals.masks import same
from agentctl.approvals.wording import one_line
from agentctl.core.messages import JsonObject

KEYS = "ctrl+s look at the change before it counts · esc leave it as it was"


class Editor(Screen[JsonObject | None]):
    """Gives the new arguments, or None: they stay as they are."""

    AUTO_FOCUS = "TextArea"
    DEFAULT_CSS = """
    Editor {
        & > #title { text-style: bold; padding: 0 1; background: $panel; }
        & > TextArea { height: 1fr; padding: 0 1; }
        & > #problem { color: $text-error; padding: 0 1; height: auto; }
        & > #keys { padding: 0 1; height: auto; background: $panel; text-style: bold; }
        & > #textual-toastrack { display: none; }
    }
    """

    def __init__(self, shown: JsonObject) -> None:
        """`shown` is without secrets."""
        super().__init__()
        self._shown = shown

    def compose(self) -> ComposeResult:
        """Title, text, what is wrong with it, keys."""
        yield Static("Change the arguments (JSON)", id="title", markup=False)
        yield TextArea(editing.written(self._shown), compact=True)
        yield Static("", id="problem", markup=False)
        yield Static(KEYS, id="keys", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Two keys of its own; the rest is the text's."""
        if event.key == "escape":
            event.stop()
            self.dismiss(None)
        elif event.key == "ctrl+s":
            event.stop()
            self._done()

    def _done(self) -> None:
        try:
            typed = editing.parsed(self.query_one(TextArea).text)
        except editing.Unfit as error:
            self.query_one("#problem", Static).update(one_line(str(error)))
            return
        self.dismiss(None if same(typed, self._shown) else typed)
