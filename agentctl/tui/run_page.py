"""The page of one run: its gauges, what happened, what it says; now, or at any moment before.

    live ── left ─▶ travelling ── right, beyond the last event, or end, or escape ─▶ live

While somebody travels, what is new is kept and not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from agentctl.approvals.printable import printable
from agentctl.core.timeline import Row
from agentctl.core.travel import Moment, Travel
from agentctl.tui import panel
from agentctl.tui.drawing import Span, fitted, safe, span, watch
from agentctl.tui.help import HELP_OF_RUN, Help
from agentctl.tui.lines import Lines
from agentctl.tui.say import Say
from agentctl.tui.seen import NEEDS_YOU, NO_PAGE, TONES, Page
from agentctl.tui.wishes import Change, OpenRun, ShowDetail

LEFT = 38
"""Cells of the gauges."""
LONGEST = 40_000
"""Characters of an answer that are shown."""
SAYS_NO_MORE = {"", "done", "pause", "cancel"}
"""Reasons that a status says already."""
LONG = 3_000
"""Events from which on the way back takes a moment."""
STALE_S = 3.0
"""A reply that was left longer ago is no longer being written."""


class Arrived(Message):
    """The moment that somebody went to."""

    def __init__(self, moment: Moment, travel: Travel) -> None:
        super().__init__()
        self.moment, self.travel = moment, travel


class RunPage(Screen[None]):
    """See the module."""

    HELP_OF: ClassVar[Help] = HELP_OF_RUN
    DEFAULT_CSS = """
    RunPage {
        #title { background: $primary 30%; }
        #doing { background: $panel; }
        #doing.waits { background: $warning 35%; text-style: bold; }
        #doing.past { background: $accent 30%; }
        #search { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
        #search.shown { display: block; }
        #search:focus { border: none; }
        #gauges { width: 38; height: 1fr; padding: 0 1 0 0; }
        #left { width: 38; height: 1fr; border-right: solid $panel; }
        #timeline { height: 2fr; }
        #said { height: 1fr; min-height: 4; border-top: solid $panel; border-title-color: $text-muted;
                scrollbar-size-vertical: 1; padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "decide", "decide", tooltip="Answer the call that waits", id="run.decide"),
        Binding("left", "travel(-1)", "back", tooltip="One event back in time", id="run.back"),
        Binding("right", "travel(1)", "forth", show=False, tooltip="One event on", id="run.forth"),
        Binding("left_square_bracket", "step(-1)", "step back", show=False, id="run.step_back"),
        Binding("right_square_bracket", "step(1)", "step on", show=False, id="run.step_forth"),
        Binding("slash", "search", "search", key_display="/", id="run.search"),
        Binding("full_stop", "found(1)", "next found", show=False, id="run.next_found"),
        Binding("comma", "found(-1)", "previous found", show=False, id="run.previous_found"),
        Binding("p", "change('pause')", "pause", tooltip="At its next safe point", id="run.pause"),
        Binding("r", "change('resume')", "resume", tooltip="Go on with it here", id="run.resume"),
        Binding("c", "change('cancel')", "cancel", tooltip="For good", id="run.cancel"),
        Binding("enter", "detail", "detail", show=False, id="run.detail"),
        Binding("escape", "leave", "runs", id="run.leave"),
    ]
    page: reactive[Page] = reactive(NO_PAGE)

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.moment: Moment | None = None
        """None: now."""
        self.wants_card = False
        """Somebody asked for the card of the call that waits."""
        self._travel: Travel | None = None
        self._words = ""
        self._said = "", ""

    def compose(self) -> ComposeResult:
        """From top to bottom, and left to right."""
        yield Say(id="title")
        yield Say(id="doing")
        yield Input(placeholder="words; enter finds the next, escape ends", id="search")
        with Horizontal():
            with Vertical(id="left"):
                yield Say(id="gauges")
            with Vertical():
                yield Lines(id="timeline")
                with VerticalScroll(id="said", can_focus=True):
                    yield Static(id="answer", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """The timeline has the keys."""
        self.query_one(Lines).focus()
        self._draw()

    def watch_page(self, before: Page, page: Page) -> None:
        """What is new is drawn, unless somebody travels; which keys there are may change."""
        if not self.is_mounted:
            return
        self._draw()
        if (before.word, before.resume) != (page.word, page.resume):
            self.refresh_bindings()

    def on_resize(self) -> None:
        """Lines break elsewhere."""
        self._draw()

    # --- drawing ---

    def _draw(self) -> None:
        if not self.query("#timeline"):  # not composed yet, or on its way out
            return
        page, moment, rows = self.page, self.moment, self._rows
        gauges, spends = (moment.gauges, moment.spends) if moment else (page.gauges, page.spends)
        lines = self.query_one("#timeline", Lines)
        at_end = moment is not None or lines.cursor >= lines.count - 1
        found = self._words.casefold()
        lines.hold(
            len(rows), lambda at, width: panel.line(rows[at], width, found), len(rows) - 1 if at_end else lines.cursor
        )
        self.query_one("#gauges", Say).say(*panel.panel(gauges, spends, LEFT - 2))
        self.query_one("#title", Say).say(self._title())
        self._draw_doing()
        self._draw_said()

    @property
    def _rows(self) -> Sequence[Row]:
        """Those of the timeline."""
        return self.moment.rows if self.moment else self.page.rows

    def _title(self) -> list[Span]:
        page = self.page
        if page.row is None:
            return [(f" {self.run_id}", "strong"), (f"  {safe(page.fault)}", "bad")]
        over = page.events[page.count - 1].ts if page.count and page.word not in {"running", NEEDS_YOU} else page.now
        right = f"{page.word} {watch(over - page.row.created)} "
        width = max(0, self.size.width - len(right))
        return [(fitted(f" {safe(page.heading or self.run_id)}", width), "strong"), (right, TONES[page.word])]

    def _draw_doing(self) -> None:
        doing = self.query_one("#doing", Say)
        doing.set_class(bool(self.page.waiting) and self.moment is None, "waits")
        doing.set_class(self.moment is not None, "past")
        doing.say(self._doing())

    def _doing(self) -> list[Span]:
        page, moment = self.page, self.moment
        if moment is not None:
            place = f" ◀ event {moment.count} of {moment.of} ▶ step {moment.frame.step}"
            return [(place, "strong"), (f"  {safe(moment.frame.title)}", moment.frame.tone)]
        if page.fault:
            return [(f" {safe(page.fault)}", "bad")]
        if page.waiting:
            first, more = page.waiting[0], len(page.waiting) - 1
            others = f", and {more} more" if more else ""
            return [(f" {safe(first.event.tool)} waits for you{others}: press d to look at it and decide", "warn")]
        if page.resume and page.requests.answered and page.word == "parked":
            return [(" it was answered, and still rests · r goes on with it here", "warn")]
        if page.resume:
            return [(f" {self._outcome} · r goes on with it here", "warn")]
        if page.doing:
            left = page.until - page.now
            time = f"{left:.0f}s left" if left > 0 else span(page.now - page.since)
            return [(f" {safe(page.doing)} {time}", "plain")]
        return [(f" {self._outcome}", "quiet")]

    @property
    def _outcome(self) -> str:
        """`stopped: max_steps`; a reason that only says the same again is left out."""
        word, reason = self.page.word, self.page.row.reason if self.page.row else ""
        return word if reason in SAYS_NO_MORE else f"{word}: {safe(reason)}"

    def _draw_said(self) -> None:
        page, moment = self.page, self.moment
        writing = page.writing.text if moment is None and page.now - page.writing.at < STALE_S else ""
        if moment is not None:
            said = "this event", "\n".join(moment.frame.lines)
        else:
            said = ("answer, being written", writing) if writing else ("answer", page.answer)
        if said == self._said:  # to break a long one into lines takes long
            return
        self._said = title, text = said
        box = self.query_one("#said")
        box.border_title = title
        more = f"\n… ({len(text) - LONGEST:,} more characters: agentctl show {self.run_id})" if text[LONGEST:] else ""
        self.query_one("#answer", Static).update(printable(text[:LONGEST]) + more)
        if writing:
            box.scroll_end(animate=False)

    # --- what keys do ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what makes sense now is offered."""
        page = self.page
        if action == "decide":
            return bool(page.waiting)
        if action == "change":
            running = page.row is not None and page.row.status == "running" and page.word != "crashed"
            fits = {
                "pause": running,
                "resume": bool(page.resume) and not page.waiting,
                "cancel": page.word not in {"completed", "cancelled"},
            }
            return fits[str(parameters[0])]
        return True

    def action_decide(self) -> None:
        """The card of the call that waits."""
        self.post_message(OpenRun(self.run_id, decide=True))

    def action_change(self, wish: str) -> None:
        """Pause, resume, cancel."""
        self.post_message(Change(wish, self.run_id))

    def action_detail(self) -> None:
        """The line under the cursor in full."""
        rows = self._rows
        at = self.query_one("#timeline", Lines).cursor
        if rows:
            self.post_message(ShowDetail(rows[at].name, tuple(panel.details(rows[at]))))

    @on(Lines.Chosen)
    def _chosen(self) -> None:
        self.action_detail()

    def action_leave(self) -> None:
        """Back to now; from there to all runs."""
        if self.moment is not None:
            self._arrive(None)
        else:
            self.dismiss()

    def action_travel(self, by: int) -> None:
        """So many events on, or back."""
        here = self.moment.count if self.moment else self.page.count
        self._go(here + by)

    def action_step(self, by: int) -> None:
        """To the last event of the next step, or of the one before."""
        if self._travel is not None:
            here = self.moment.count if self.moment else len(self._travel)
            self._go(self._travel.step(here, by))
        else:
            self._go(self.page.count - 1)

    def _go(self, count: int) -> None:
        if self._travel is not None and self.moment is not None:
            self._arrive(self._travel.at(count) if count <= len(self._travel) else None)
        elif self.page.count > max(0, count):
            if self.page.count > LONG and self._travel is None:
                self.notify(f"looking back through {self.page.count:,} events …", timeout=3)
            self._set_out(self.page, count)

    @work(thread=True, exclusive=True, group="travel")
    def _set_out(self, page: Page, count: int) -> None:
        """Folding and telling a long run takes a moment."""
        known = self._travel
        travel = known if known and len(known) == page.count else Travel(page.events[: page.count], page.limits.policy)
        self.post_message(Arrived(travel.at(count), travel))

    @on(Arrived)
    def _arrived(self, message: Arrived) -> None:
        self._travel = message.travel
        self._arrive(message.moment)

    def _arrive(self, moment: Moment | None) -> None:
        self.moment = moment
        self._draw()

    def action_search(self) -> None:
        """Type words."""
        field = self.query_one("#search", Input)
        field.add_class("shown")
        field.focus()

    @on(Input.Changed, "#search")
    def _typed(self, event: Input.Changed) -> None:
        self._words = event.value
        self._draw()

    @on(Input.Submitted, "#search")
    def _searched(self) -> None:
        self.query_one("#search").remove_class("shown")
        self.query_one("#timeline", Lines).focus()
        self.action_found(1)

    def action_found(self, by: int) -> None:
        """The next line with the words, or the one before."""
        rows = self._rows
        lines, words = self.query_one("#timeline", Lines), self._words.casefold()
        order = [(lines.cursor + by * (1 + each)) % len(rows) for each in range(len(rows))] if rows else []
        hit = next((at for at in order if words and words in _searchable(rows[at])), None)
        if hit is None:
            until = " up to this moment; escape comes back to now" if self.moment else ""
            said = f"nothing with {safe(self._words)!r}{until}"
            self.notify(said if words else "search first: /", timeout=3, markup=False)
        else:
            lines.go(hit)


def _searchable(row: Row) -> str:
    return " ".join((row.text, *row.below, *row.inputs)).casefold()
