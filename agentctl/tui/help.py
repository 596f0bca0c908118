"""What the keys do and what is seen, for each screen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Help:
    """Of one screen."""

    title: str
    seen: tuple[tuple[str, str], ...]
    """What stands where, and what it means."""
    keys: tuple[tuple[str, str], ...]


EVERYWHERE = (
    ("ctrl+p", "every command by its name, jump to a run, themes"),
    ("z", "compact: fewer lines around things"),
    ("?  F1", "this help; escape closes it"),
    ("q", "leave; runs go on"),
)
HELP_OF_OVERVIEW = Help(
    "All runs",
    (
        ("status", "needs you: a call waits for somebody · crashed: its process is gone, resume it"),
        ("cost", "spent / what it may cost · context: how full the next request is"),
        ("provider", "✗ circuit open, seconds to the next probe · ! the last request failed"),
        ("circuits", "the second line, for all runs of this store: OPEN, seconds to the next probe"),
    ),
    (
        ("↑ ↓ enter", "choose a run, open its page"),
        ("d", "decide: answer the call that waits"),
        ("n", "the next run that needs somebody"),
        ("s  f  /", "sort · kind (all, live, needs you, failed, ended) · filter by words"),
        ("space", "hold the picture still"),
        ("escape", "all runs again"),
    ),
)
HELP_OF_RUN = Help(
    "One run",
    (
        ("left", "how close each limit is; red: reached · loops: equal calls · progress: equal results"),
        ("pace", "the provider's current minute, which other runs fill too"),
        ("circuit", "OPEN: that provider or tool is left alone for so many seconds"),
        ("cache", "share of the input that the prompt cache answered for"),
        ("untrusted", "whose words are in the run: web pages, mail, variables"),
        ("right", "what happened, in order; below it the answer as it is written"),
    ),
    (
        ("d", "decide: answer the call that waits"),
        ("← →", "go back and forth in time · [ ] by step · escape: now"),
        ("↑ ↓ enter", "choose a line, see what went in and came out"),
        ("/ . ,", "search · next · previous"),
        ("p  r  c", "pause · resume here · cancel for good"),
        ("escape", "back to now, then to all runs"),
    ),
)


class HelpScreen(ModalScreen[None]):
    """Shown over what it is about."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        VerticalScroll {
            width: 90%; max-width: 100; height: auto; max-height: 95%;
            background: $surface; border: round $primary; padding: 0 1;
        }
        Horizontal { height: auto; }
        .name { width: 12; }
        .words { width: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "close"),
    ]

    def __init__(self, help_of: Help) -> None:
        super().__init__()
        self._help = help_of

    def compose(self) -> ComposeResult:
        """What is seen, then the keys."""
        with VerticalScroll() as box:
            box.border_title = self._help.title
            for name, words in (*self._help.seen, ("", ""), *self._help.keys, *EVERYWHERE):
                with Horizontal():
                    yield Static(name, markup=False, classes="name")
                    yield Static(words, markup=False, classes="words")
