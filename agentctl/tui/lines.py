"""A list of lines with a cursor: draws only those that are seen, whatever the list holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, TypeAlias

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from agentctl.tui.drawing import Look, Span, strip

Draw: TypeAlias = Callable[[int, int], Sequence[Span]]
"""The line of an index in so many cells."""
LOOKS: Final[tuple[Look, ...]] = ("plain", "good", "warn", "bad", "quiet", "strong")
CURSOR, NO_CURSOR = ">", " "


def nothing(_index: int, _width: int) -> Sequence[Span]:
    """Of an empty list."""
    return ()


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """See the module."""

    DEFAULT_CSS = """
    Lines {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .lines--plain { color: $foreground; }
        & > .lines--good { color: $text-success; }
        & > .lines--warn { color: $text-warning; }
        & > .lines--bad { color: $text-error; text-style: bold; }
        & > .lines--quiet { color: $text-muted; }
        & > .lines--strong { text-style: bold; }
        & > .lines--cursor { background: $primary 20%; }
        &:focus > .lines--cursor { background: $primary 45%; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {*(f"lines--{look}" for look in LOOKS), "lines--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
    ]

    class Chosen(Message):
        """A click on the line under the cursor."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

    class Moved(Message):
        """The cursor stands elsewhere."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # textual's word
        super().__init__(id=id)
        self.count = 0
        self.cursor = 0
        self._draw: Draw = nothing

    def hold(self, count: int, draw: Draw, cursor: int | None = None) -> None:
        """Show so many lines; the cursor stays, or goes where it is told."""
        self.count, self._draw = count, draw
        self.cursor = max(0, min(count - 1, self.cursor if cursor is None else cursor))
        if self.virtual_size.height != count:
            self.virtual_size = Size(self.size.width, count)
        self._reveal()
        self.refresh()

    def go(self, index: int) -> None:
        """Put the cursor there."""
        index = max(0, min(self.count - 1, index))
        if index != self.cursor:
            self.cursor = index
            self._reveal()
            self.refresh()
            self.post_message(self.Moved(self))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        index, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        under = self.rich_style
        if index >= self.count or width <= 0:
            return Strip.blank(max(0, width), under)
        here = index == self.cursor
        styles: dict[Look, Style] = {look: self._style(f"lines--{look}") for look in LOOKS}
        if here:
            under += self.get_component_rich_style("lines--cursor")
        return strip([(CURSOR if here else NO_CURSOR, "plain"), *self._draw(index, width - 1)], styles, width, under)

    def _style(self, name: str) -> Style:
        style = self.get_component_rich_style(name)
        return Style(color=style.color, bold=style.bold or None)

    def _reveal(self) -> None:
        height, top = self.size.height, self.scroll_offset.y
        if height <= 0:
            return
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self.virtual_size = Size(self.size.width, self.count)
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; there again: open it."""
        index = event.y + self.scroll_offset.y
        if index >= self.count:
            return
        if index == self.cursor:
            self.post_message(self.Chosen(self))
        self.go(index)

    def action_move(self, by: int) -> None:
        """Up or down."""
        self.go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """A screenful up or down."""
        self.go(self.cursor + by * max(1, self.size.height - 1))
