"""The monitor: screens over a store that others write.

    store ── threads read ─▶ frozen values ── reactives ─▶ screens ── keys ─▶ letters in the inbox, functions of Outside

It reads, and answers through the inbox: what it shows may run in any process on any machine, and nothing happens to it
when the monitor dies. No widget asks the store anything.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.message import Message
from textual.screen import Screen

from agentctl.errors import AgentctlError
from agentctl.journal.store import Store
from agentctl.records import dataclass
from agentctl.tui import asked
from agentctl.tui.answers import sender
from agentctl.tui.asked import Asked
from agentctl.tui.card import Card
from agentctl.tui.confirm import Confirm
from agentctl.tui.detail import DetailScreen
from agentctl.tui.drawing import safe
from agentctl.tui.feed import Feed
from agentctl.tui.follow import Follow
from agentctl.tui.help import HelpScreen
from agentctl.tui.outside import Outside
from agentctl.tui.overview import OverviewScreen
from agentctl.tui.pending import Request
from agentctl.tui.run_page import RunPage
from agentctl.tui.seen import Overview, Page
from agentctl.tui.themes import DARK, LIGHT
from agentctl.tui.wishes import Change, OpenRun, ShowDetail

OVERVIEW_S, PAGE_S = 0.25, 0.15
"""Between two looks at the store."""
OF_TEXTUAL = ("app.focus_", "screen.")
"""Actions of every program made with it: nothing that a person looks for here."""
PATIENCE_S = 2.0
"""For a look that is under way when the monitor ends."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A thread, and how it is told to end."""

    over: threading.Event
    thread: threading.Thread


class Looked(Message):
    """A look at the store; a later one of the same kind takes its place."""

    def __init__(self, found: Overview | Page) -> None:
        super().__init__()
        self.found = found

    def can_replace(self, message: Message) -> bool:
        """One picture is enough, however fast they come."""
        return isinstance(message, Looked) and type(message.found) is type(self.found)


class Monitor(App[None]):
    """See the module."""

    TITLE = "agentctl"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    .compact Footer { display: none; }
    .compact #columns { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "help", key_display="?", tooltip="What is seen and what the keys do"),
        Binding("z", "compact", "compact", show=False),
        Binding("q", "quit", "quit", tooltip="Runs go on"),
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        journal: Store,
        *,
        user: str,
        outside: Outside | None = None,
        run_id: str = "",
        answers: bool = True,
        asks: bool = False,
        driver: type[Driver] | None = None,
    ) -> None:
        """`answers`: somebody here may decide, pause and cancel. `asks`: what waits is shown by itself."""
        super().__init__(driver_class=driver)
        self.journal, self.user, self.answers = journal, user, answers
        self.outside = outside or Outside()
        self._first, self._asks = run_id, asks
        self._aside: set[tuple[str, str, int, str]] = set()
        """The questions whose cards were shown by themselves: once is enough."""
        self.defect: Exception | None = None
        """What ended it, where that was no key."""
        self._readers: dict[str, Reader] = {}
        self._ended: list[threading.Thread] = []

    def on_mount(self) -> None:
        """All runs; on top of them the one that was asked for."""
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name
        self._end_when_told()
        self.push_screen(OverviewScreen())
        self._read(Feed(self.journal, self.outside.outages).look, OVERVIEW_S, "overview")
        if self._first:
            self._open(self._first)

    def _end_when_told(self) -> None:
        """By a signal as by a key: the terminal is given back as it was."""
        for each in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(each) is not signal.SIG_IGN:  # as nohup has it
                told = partial(self.exit, return_code=128 + each)
                asyncio.get_running_loop().add_signal_handler(each, told)

    def on_unmount(self) -> None:
        """The readers end."""
        for name in [*self._readers]:
            self._end(name)
        for thread in self._ended:
            thread.join(PATIENCE_S)

    def _read(self, look: Callable[[], Overview | Page], every_s: float, name: str) -> None:
        """A thread that looks again and again, until another of its name begins or the monitor ends."""
        over = threading.Event()

        def again() -> None:
            try:
                while not over.is_set():
                    self.post_message(Looked(look()))
                    over.wait(every_s)
            except Exception as error:  # noqa: BLE001  # a defect: a screen that stands still would tell nobody
                self.defect = error
                self.call_from_thread(self.exit)

        self._end(name)
        self._readers[name] = reader = Reader(over, threading.Thread(target=again, name=name, daemon=True))
        reader.thread.start()

    def _end(self, name: str) -> None:
        reader = self._readers.pop(name, None)
        if reader is not None:
            reader.over.set()
            self._ended.append(reader.thread)

    def on_looked(self, message: Looked) -> None:
        """To whom it may concern."""
        for screen in self.screen_stack:
            if isinstance(screen, OverviewScreen) and isinstance(message.found, Overview):
                screen.overview = message.found
            elif isinstance(screen, RunPage) and isinstance(message.found, Page) and _of(message.found, screen):
                screen.page = message.found
                self._put_cards(screen)

    # --- what screens ask for ---

    def on_open_run(self, message: OpenRun) -> None:
        """Its page, and its card."""
        here = next((each for each in self.screen_stack if isinstance(each, RunPage)), None)
        if here is not None and here.run_id == message.run_id:
            here.wants_card = here.wants_card or message.decide
            self._put_cards(here)
            return
        while not isinstance(self.screen, OverviewScreen):
            self.pop_screen()
        self._open(message.run_id, decide=message.decide)

    def _open(self, run_id: str, *, decide: bool = False) -> None:
        page = RunPage(run_id)
        page.wants_card = decide
        self.push_screen(page, self._left)
        self._read(Follow(self.journal, run_id, watches=self.answers).look, PAGE_S, "page")

    def _left(self, _: object) -> None:
        self._end("page")

    def _put_cards(self, screen: RunPage) -> None:
        """A card that is open knows how its call stands; another one comes where somebody wants it."""
        page = screen.page
        for each in self.screen_stack:
            if isinstance(each, Card):
                each.asked = self._asked_of(page, each.given.request)
                return
        if self.screen is not screen or screen.moment is not None or not page.waiting:
            return
        request = page.waiting[0]
        if screen.wants_card or (self._asks and request.key not in self._aside):
            screen.wants_card = False
            self._aside.add(request.key)
            why = "" if self.answers else "this screen only shows: answer it in a terminal"
            send = sender(lambda: nullcontext(self.journal), self.user)
            card = Card(self._asked_of(page, request), send, read_only=why, now=self.journal.clock)
            self.push_screen(card, self._decided)

    def _asked_of(self, page: Page, request: Request) -> Asked:
        running = not page.resume
        return asked.of(page.requests, request, spent_micro=page.spent_micro, running=running, said=page.said)

    def _decided(self, said: str | None) -> None:
        if said:
            self.notify(said, timeout=5, markup=False)

    def on_show_detail(self, message: ShowDetail) -> None:
        """One line in full."""
        self.push_screen(DetailScreen(message.title, message.lines))

    def on_change(self, message: Change) -> None:
        """Pause and resume at once; cancel after a question."""
        if not self.answers:
            self.notify("this screen only shows", severity="warning", timeout=4)
        elif message.wish == "cancel":
            question = f"Cancel {message.run_id} for good? It can't be resumed."
            self.push_screen(Confirm(question), lambda sure: self._change(message) if sure else None)
        else:
            self._change(message)

    def _change(self, message: Change) -> None:
        work: Callable[[str], str] = getattr(self.outside, message.wish)

        def run() -> None:
            try:
                said, severity = work(message.run_id), "information"
            except AgentctlError as error:
                said, severity = f"{error.message} {error.hint or ''}".strip(), "error"
            self.call_from_thread(self.notify, said, severity=severity, timeout=6, markup=False)

        self.run_worker(run, thread=True, group="change")

    # --- for the whole of it ---

    def action_help(self) -> None:
        """Of the screen on top."""
        found = getattr(self.screen, "HELP_OF", None)
        if found is not None:
            self.push_screen(HelpScreen(found))

    def action_compact(self) -> None:
        """Fewer lines around what matters."""
        for screen in self.screen_stack:
            screen.toggle_class("compact")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Everything with a key that makes sense now, then the runs."""
        yield SystemCommand("theme: change", "Colours", self.action_change_theme)
        if not self.is_web:  # its file would be written where the server is
            yield SystemCommand("screen: picture", "Save what is seen as an SVG", self.action_screenshot)
        for active in screen.active_bindings.values():
            binding = active.binding
            named = binding.description and not binding.system
            if active.enabled and named and not binding.action.startswith(OF_TEXTUAL):
                where = "run" if isinstance(active.node, RunPage) else "screen"
                yield SystemCommand(
                    f"{where}: {binding.description}", binding.tooltip or "", self._doing(active.node, binding.action)
                )
        for each in self.screen_stack:
            if isinstance(each, OverviewScreen):
                for line in each.overview.lines:
                    yield SystemCommand(
                        f"go to: {line.run_id} {_plain(line.row.task)}",
                        line.word,
                        self._going(line.run_id),
                        discover=False,
                    )

    def _doing(self, node: Any, action: str) -> Callable[[], Any]:  # noqa: ANN401  # a screen, a widget or the app
        return lambda: self.run_action(action, node)

    def _going(self, run_id: str) -> Callable[[], Any]:
        return lambda: self.post_message(OpenRun(run_id))


def _of(page: Page, screen: RunPage) -> bool:
    """Whether it is this run's: a look at another one may have been under way when its page was left."""
    return page.row is None or page.row.run_id == screen.run_id


def _plain(text: str) -> str:
    """Harmless, and no markup: the palette takes what it lists for some."""
    return safe(text).replace("[", "(").replace("]", ")")
