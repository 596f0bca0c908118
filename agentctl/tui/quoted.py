"""Lines of text as they are: nothing in them is markup, and each is remembered once it was on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from agentctl.tui.asked import Kind


class Quoted(ScrollView):
    """Escaped and wrapped lines, scrolled by whoever holds them. Only what was really painted counts as seen."""

    can_focus = False
    COMPONENT_CLASSES = {"quoted--ask", "quoted--added", "quoted--removed", "quoted--warn"}  # noqa: RUF012 -- as Textual declares it
    DEFAULT_CSS = """
    Quoted {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        & > .quoted--ask { text-style: bold; }
        & > .quoted--added { color: $text-success; }
        & > .quoted--removed { color: $text-error; }
        & > .quoted--warn { color: $text-warning; }
    }
    """

    class Painted(Message):
        """More of it was seen."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        super().__init__()
        self._lines: Sequence[str] = ()
        self._kinds: Sequence[Kind] = ()
        self._unseen: set[int] = set()

    def put(self, lines: Sequence[str], kinds: Sequence[Kind]) -> None:
        """Show these from their beginning; none of them was seen."""
        self._lines, self._kinds = lines, kinds
        self._unseen = set(range(len(lines)))
        self.virtual_size = Size(self.scrollable_content_region.width, len(lines))
        self.scroll_to(y=0, animate=False)
        self.refresh()

    @property
    def shown(self) -> int:
        """How many were on the screen so far."""
        return len(self._lines) - len(self._unseen)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        at = y + int(self.scroll_offset.y)
        width = self.scrollable_content_region.width
        if at >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        if at in self._unseen:
            self._unseen.discard(at)
            self.post_message(self.Painted())
        kind = self._kinds[at]
        style = self.rich_style if kind == "plain" else self.get_component_rich_style(f"quoted--{kind}")
        return Strip([Segment(self._lines[at], style)]).adjust_cell_length(width, style)
