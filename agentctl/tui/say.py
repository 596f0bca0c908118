"""One line of differently looking words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from agentctl.tui.drawing import Look, Span, strip
from agentctl.tui.lines import LOOKS


class Say(Widget):
    """Lines of spans; nothing in them is markup."""

    DEFAULT_CSS = """
    Say {
        height: 1;
        & > .say--good { color: $text-success; }
        & > .say--warn { color: $text-warning; }
        & > .say--bad { color: $text-error; text-style: bold; }
        & > .say--quiet { color: $text-muted; }
        & > .say--strong { text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"say--{look}" for look in LOOKS}

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002  # textual's word
        super().__init__(id=id, classes=classes)
        self.lines: list[list[Span]] = []

    def say(self, *lines: Sequence[Span]) -> None:
        """Show these lines."""
        told = [list(line) for line in lines]
        if told != self.lines:
            self.lines = told
            self.refresh()

    @property
    def text(self) -> str:
        """What it says, without its look."""
        return "\n".join("".join(word for word, _ in line) for line in self.lines)

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        width, under = self.size.width, self.rich_style
        if y >= len(self.lines):
            return Strip.blank(width, under)
        styles: dict[Look, Style] = {}
        for look in LOOKS:
            found = self.get_component_rich_style(f"say--{look}")
            styles[look] = Style(color=found.color, bold=found.bold or None)
        return strip(self.lines[y], styles, width, under)
