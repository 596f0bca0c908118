"""The first screen: every run of the store on one line, what needs somebody on top."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Input

from agentctl.tui import columns
from agentctl.tui.drawing import Span, fitted, safe
from agentctl.tui.help import HELP_OF_OVERVIEW, Help
from agentctl.tui.lines import Lines
from agentctl.tui.say import Say
from agentctl.tui.seen import NEEDS_YOU, NO_OVERVIEW, Line, Overview
from agentctl.tui.wishes import OpenRun

NO_RUNS = "no runs yet: start one in another terminal with  agentctl run TASK"
NONE_LIKE = "no such runs: / changes the words, f the kind, escape shows all"


class OverviewScreen(Screen[None]):
    """See the module."""

    HELP_OF: ClassVar[Help] = HELP_OF_OVERVIEW
    DEFAULT_CSS = """
    OverviewScreen {
        #head { background: $primary 30%; }
        #columns { color: $text-muted; text-style: underline; }
        #filter { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
        #filter.shown { display: block; }
        #filter:focus { border: none; }
        #health { background: $panel; }
        Lines { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="The page of this run", id="overview.open"),
        Binding("d", "decide", "decide", tooltip="Answer the call that waits", id="overview.decide"),
        Binding("n", "next", "next", tooltip="The next run that needs somebody", id="overview.next"),
        Binding("s", "sort", "sort", tooltip="By attention, age, cost, context, task", id="overview.sort"),
        Binding("f", "kind", "kind", tooltip="All, live, needs you, failed, ended", id="overview.kind"),
        Binding("slash", "filter", "filter", key_display="/", tooltip="Words in id, task, user", id="overview.filter"),
        Binding("space", "freeze", "freeze", show=False, tooltip="Hold the picture still", id="overview.freeze"),
        Binding("escape", "clear", "all", show=False, id="overview.clear"),
    ]
    overview: reactive[Overview] = reactive(NO_OVERVIEW)

    def __init__(self) -> None:
        super().__init__()
        self.kind, self.sort, self.words = "all", columns.Sort[0], ""
        self.shown: list[Line] = []
        self._frozen = False

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Say(id="head")
        yield Say(id="health")
        yield Input(placeholder="words in id, task, user, status, provider; enter keeps, escape clears", id="filter")
        yield Say(id="columns")
        yield Lines(id="runs")
        yield Footer()

    def on_mount(self) -> None:
        """The list has the keys."""
        self.query_one(Lines).focus()
        self._draw()

    def watch_overview(self) -> None:
        """What is new is drawn, unless the picture is held still."""
        if self.is_mounted and not self._frozen:
            self._draw()

    def on_resize(self) -> None:
        """Other columns may fit."""
        self._draw()

    @property
    def selected(self) -> Line | None:
        """The run under the cursor."""
        lines = self.query_one(Lines)
        return self.shown[lines.cursor] if self.shown else None

    def _draw(self) -> None:
        if not self.query("#runs"):  # not composed yet, or on its way out
            return
        lines, seen = self.query_one(Lines), self.overview
        here = self.selected.run_id if self.selected and lines.cursor else ""
        self.shown = columns.ordered(columns.matching(seen.lines, self.kind, self.words), self.sort)
        at = next((number for number, line in enumerate(self.shown) if line.run_id == here), 0 if not here else None)
        if self.shown:
            lines.hold(len(self.shown), lambda index, width: columns.cells(self.shown[index], seen.now, width), at)
        else:
            text = NONE_LIKE if seen.lines else NO_RUNS
            lines.hold(1, lambda _, width: [(fitted(text, width), "quiet")])
        self.query_one("#columns", Say).say([(" " + columns.head(self.size.width - 1), "plain")])
        self.query_one("#health", Say).say(columns.health(seen.outages, seen.now))
        self.query_one("#head", Say).say(self._head())

    def _head(self) -> list[Span]:
        seen = self.overview
        if seen.fault:
            return [(f" {safe(seen.fault)}", "bad")]
        found: list[Span] = [(" agentctl ", "strong")]
        if self._frozen:  # before the counts: what hides runs, or holds them still, is never what is cut off
            found.append(("FROZEN, space goes on  ", "warn"))
        found.extend((f"{name}: {value}  ", "warn") for name, value in self._chosen())
        found.extend(columns.counts(seen.lines))
        if seen.total > len(seen.lines):
            found.append((f" · newest {len(seen.lines):,} of {seen.total:,}", "quiet"))
        return found

    def _chosen(self) -> list[tuple[str, str]]:
        """What is not as it was at first."""
        given = (("sort", self.sort, columns.Sort[0]), ("kind", self.kind, "all"), ("filter", safe(self.words), ""))
        return [(name, value) for name, value, usual in given if value != usual]

    @on(Lines.Chosen)
    def _open(self) -> None:
        self.action_open()

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        self.words = event.value
        self._draw()

    @on(Input.Submitted, "#filter")
    def _kept(self) -> None:
        self.query_one("#filter").remove_class("shown")
        self.query_one(Lines).focus()

    def action_open(self) -> None:
        """The run's page."""
        if self.selected is not None:
            self.post_message(OpenRun(self.selected.run_id))

    def action_decide(self) -> None:
        """The card of the call that waits."""
        line = self.selected
        if line is not None and line.word == NEEDS_YOU:
            self.post_message(OpenRun(line.run_id, decide=True))
        elif line is not None and line.word == "crashed":
            self.notify("it crashed, and asks nothing: enter opens it, there r goes on with it", timeout=5)
        else:
            self.notify("nothing of this run waits for you", timeout=3)

    def action_next(self) -> None:
        """The next one that needs somebody."""
        lines = self.query_one(Lines)
        after = [*range(lines.cursor + 1, len(self.shown)), *range(lines.cursor + 1)]
        found = next((at for at in after if self.shown[at].word in {NEEDS_YOU, "crashed"}), None)
        if found is None:
            self.notify("nothing needs you", timeout=3)
        else:
            lines.go(found)

    def action_sort(self) -> None:
        """By the next figure."""
        self.sort = columns.Sort[(columns.Sort.index(self.sort) + 1) % len(columns.Sort)]
        self._draw()

    def action_kind(self) -> None:
        """The next kind of runs."""
        kinds = [*columns.FILTERS]
        self.kind = kinds[(kinds.index(self.kind) + 1) % len(kinds)]
        self._draw()

    def action_filter(self) -> None:
        """Type words."""
        field = self.query_one("#filter", Input)
        field.add_class("shown")
        field.focus()

    def action_freeze(self) -> None:
        """Hold the picture, or let it go on."""
        self._frozen = not self._frozen
        self._draw()

    def action_clear(self) -> None:
        """All runs again."""
        self.kind, self.words = "all", ""
        self.query_one("#filter", Input).value = ""
        self._kept()
        self._draw()
