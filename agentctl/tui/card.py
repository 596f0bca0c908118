"""The approval card: one exact call, everything that is known about it, one key. B42

    standing ── y, a ─▶ sending ─▶ settled     left in the inbox; refused there: standing again, saying why
      │ │ ▲ └── s ───▶ sending
      n e │ any other key: nothing
    h │ └─┴─ e ─▶ editor                       changed: asked again as changed; unchanged: the question again
      ▼
    line ── Enter ─▶ sending                   the reason, or what came of it; Esc: the question again

Rules. No key is a default, and Esc decides nothing. Nothing can be approved before every line was on the screen. Keys
count only after `QUIET_S` without one, alone, and never from a paste. What appears anew (another question, another
size, another screen that lay above) is seen and waited for anew. The card asks no store: it is given frozen values, and
leaves answers through a function that may block, in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from textual import events
from textual.app import ComposeResult
from textual.reactive import reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from agentctl.approvals.base import Question
from agentctl.approvals.printable import printable
from agentctl.approvals.terminal import BURST_S, HIDDEN, MORE, TOO_SMALL
from agentctl.approvals.wording import NARROWEST, wrapped
from agentctl.core.messages import JsonObject, is_object
from agentctl.tui import answers
from agentctl.tui.answers import Decision
from agentctl.tui.asked import Asked, counting, keys, kinds, question, standing, title
from agentctl.tui.below import Below
from agentctl.tui.driver import measured
from agentctl.tui.editor import Editor
from agentctl.tui.gate import Gate
from agentctl.tui.pending import Request
from agentctl.tui.quoted import Quoted

Mode = Literal["standing", "line", "sending", "settled"]
CLOSES_S = 4.0
"""Seconds that the last words stand before the card closes itself."""
LEAST_LINES = 3
"""Of the question, that there must be room for."""
SCROLLS = {"space": 1, "pagedown": 1, "pageup": -1, "down": 0, "up": 0, "home": 0, "end": 0}
"""Keys that move the question, and by how many pages."""
LINES = {
    "n": ("Why not? The model is told; it may be left empty.", "enter deny it · esc back"),
    "h": ("What did it come to, as JSON or in words? Empty: nothing is known.", "enter it is not run again · esc back"),
}
"""By key: what is asked, and the keys that count meanwhile."""
CHANGED = "it has changed: look at it again"
ASIDE = "esc decide later"
BACK = "esc back to what the agent asked for"
CLOSES = "any key closes this"


class Card(Screen[str]):
    """Shows one waiting call until it is decided or put aside; its result says what was done, empty: nothing."""

    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    Card {
        & > #title { text-style: bold; padding: 0 1; height: 1; background: $panel; }
        & > Quoted { padding: 0 0 0 1; }
        & > #textual-toastrack { display: none; }
        &.-high > #title { color: $text-error; }
        &.-medium > #title { color: $text-warning; }
    }
    """

    asked: reactive[Asked | None] = reactive(None, init=False)
    """The call as it stands now: whoever watches the store sets it anew."""

    def __init__(
        self,
        given: Asked,
        leave: Callable[[Request, Decision], str],
        *,
        read_only: str = "",
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`leave` is called in a thread: what is wrong, or nothing. `read_only`: why nobody can answer here."""
        super().__init__()
        self.given = given
        self._leave = leave
        self._read_only = read_only
        self._clock, self._now = clock, now
        self._gate = Gate(clock)
        self._mode: Mode = "standing"
        self._changed: JsonObject | None = None
        self._editor: Editor | None = None
        self._held: tuple[str, Timer] | None = None
        """A key that counts if no other one follows at once."""
        self._typing = ""
        self._fresh = False
        """What was put last is not on the screen yet."""
        self._notice = ""
        self._done = ""
        self._parked = False
        """Nobody drove the run when it was answered: it goes on when it is resumed."""

    def compose(self) -> ComposeResult:
        """The question between its title and the keys, which are always in sight."""
        yield Static("", id="title", markup=False)
        yield Quoted()
        yield Below(self._clock)

    def on_mount(self) -> None:
        """Begin."""
        self.set_interval(1.0, self._tell)
        self._tell()
        if self.given.became:
            self._settle(printable(self.given.became, lines=False))

    # --- what is shown ---

    def watch_asked(self, new: Asked | None) -> None:
        """The store was looked at."""
        if new is None:
            return
        if self._mode == "settled":
            return
        before, self.given = self.given, new
        if self._mode == "sending":
            return
        if new.became:
            self._settle(f"decided elsewhere: {printable(new.became, lines=False)}")
        elif new.request.key != before.request.key:
            self._changed = None
            self._back()
            self._anew()
            self._say(CHANGED)
        elif question(new) != question(before):
            self._anew()
        self._tell()

    def on_resize(self) -> None:
        """What was seen may have left the screen."""
        self.call_after_refresh(self._anew)

    def on_screen_resume(self) -> None:
        """Another screen lay above."""
        self.call_after_refresh(self._anew)

    def _anew(self) -> None:
        self._let_go()
        self._gate.shut()
        lines = self.query_one(Quoted)
        width = lines.scrollable_content_region.width
        if width < 1:
            return
        shown = wrapped(self._question, max(NARROWEST, width))[1:]  # the first one is empty
        lines.put(shown, list(kinds(shown)))
        self._fresh = True
        self._tell()

    @property
    def _question(self) -> Question:
        return question(self.given, self._changed)

    def on_quoted_painted(self) -> None:
        """More of it was seen: other keys may count; what appears anew is waited for from here on."""
        if self._fresh:
            self._fresh = False
            self._gate.shut()
        self._tell()

    def _tell(self) -> None:
        self.query_one("#title", Static).update(title(self.given))
        self.set_class(self.given.request.event.tier == "high", "-high")
        self.set_class(self.given.request.event.tier == "medium", "-medium")
        self.query_one(Below).tell(self._notice, self._standing(), self._keys())

    def _say(self, text: str) -> None:
        self._notice = text
        self._tell()

    def _standing(self) -> str:
        if self._mode == "line":
            return ""
        if self._mode != "settled":
            aside = ASIDE if self._changed is None else BACK
            return f"{standing(self.given, self._now())} · {aside}"
        if not self._parked:
            return CLOSES
        return f"it counts once the run goes on: r on its page · {CLOSES}"

    def _keys(self) -> str:
        lines = self.query_one(Quoted)
        match self._mode:
            case "settled":
                return ""
            case "sending":
                return "…"
            case "line":
                return LINES[self._typing][1]
            case _ if self._read_only:
                return self._read_only
            case _ if self._too_small:
                return TOO_SMALL
            case _ if lines.shown < lines.total:
                return MORE.format(shown=lines.shown, total=lines.total)
            case _:
                return keys(self._question, self._changed)

    @property
    def _too_small(self) -> bool:
        region = self.query_one(Quoted).scrollable_content_region
        return region.width < NARROWEST or region.height < LEAST_LINES or self._cut_off

    @property
    def _cut_off(self) -> bool:
        """The terminal is not as large as it was taken for, or is just being resized."""
        real = None if self.app.is_headless else measured()  # pyright: ignore[reportUnknownMemberType] -- whose app it is
        return real is not None and real != tuple(self.size)

    # --- keys ---

    def on_paste(self, event: events.Paste) -> None:
        """Nobody meant a pasted text as an answer."""
        event.stop()
        self._let_go()
        self._gate.shut()

    def on_key(self, event: events.Key) -> None:
        """One key; those of the program, such as ctrl+q, are not the card's."""
        if self._mode == "line":
            if event.key == "escape":
                event.stop()
                self._back()
            return
        if event.key.startswith("ctrl+") and event.key not in {"ctrl+m", "ctrl+j"}:
            self._gate.shut()
            return
        event.stop()
        event.prevent_default()
        if self._held is not None:  # it was the beginning of something longer, such as a paste over a slow line
            self._let_go()
            self._gate.shut()
        elif self._gate.lets_through(time.monotonic() - event.time):  # a busy program hears of keys late
            self._pressed(event.key)

    def _pressed(self, key: str) -> None:
        if self._mode == "settled":
            self.dismiss(self._done)
            return
        if self._mode == "sending":
            return
        self._say("")
        if key == "escape":
            self._aside()
        elif key in SCROLLS:
            self._scroll(key)
        elif key in self._counting:
            self._held = key, self.set_timer(BURST_S, lambda: self._alone(key))
        elif not self._read_only and key in {"y", "a", "e", "h"} and self._hidden:
            self._say(TOO_SMALL if self._too_small else HIDDEN)

    def _aside(self) -> None:
        if self._changed is None:
            self.dismiss("")
        else:
            self._changed = None
            self._anew()

    def _scroll(self, key: str) -> None:
        lines = self.query_one(Quoted)
        page = max(1, lines.scrollable_content_region.height - 1)
        to = {"home": 0, "end": lines.total, "up": lines.scroll_y - 1, "down": lines.scroll_y + 1}
        lines.scroll_to(y=to.get(key, lines.scroll_y + SCROLLS[key] * page), animate=False)

    @property
    def _hidden(self) -> bool:
        lines = self.query_one(Quoted)
        return self._too_small or not lines.total or lines.shown < lines.total

    @property
    def _counting(self) -> set[str]:
        """The keys that decide something now."""
        return set() if self._read_only else counting(self._question, hidden=self._hidden)

    def _alone(self, key: str) -> None:
        """No other key came with it."""
        if self._held is None:  # let go while this was on its way
            return
        self._held = None
        if self._mode != "standing" or key not in self._counting:
            return
        match key:
            case "y":
                self._send(answers.YES if self._changed is None else answers.edited(self._changed))
            case "a":
                self._send(answers.ALWAYS)
            case "s":
                self._send(answers.STOP)
            case "e":
                self._edit()
            case _:
                self._ask(key)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held[1].stop()
            self._held = None

    # --- a line of words ---

    def _ask(self, key: str) -> None:
        self._mode, self._typing = "line", key
        self.query_one(Below).ask(answers.LONGEST_REASON if key == "n" else 0)
        self._say(LINES[key][0])

    def on_below_typed(self, said: Below.Typed) -> None:
        """The reason, or what came of it."""
        if self._mode == "line":
            no = self._typing == "n"
            self._back()
            self._send(answers.no(printable(said.text, lines=False)) if no else answers.happened(said.text))

    def _back(self) -> None:
        """To the question, from whatever is typed."""
        if self._editor is not None and self._editor.is_current:
            self._editor.dismiss(None)
        if self._mode == "line":
            self._mode = "standing"
            self.query_one(Below).hush()
            self._gate.shut()
            self._say("")

    # --- other arguments ---

    def _edit(self) -> None:
        event = self.given.request.event
        if is_object(event.args):
            self._editor = Editor(self._changed or event.args)
            self.app.push_screen(self._editor, self._edited)  # pyright: ignore[reportUnknownMemberType] -- whose app it is

    def _edited(self, typed: JsonObject | None) -> None:
        if typed is not None and self._mode == "standing":
            self._changed = typed
            self._anew()
        elif self._mode == "standing" and self._changed is None:
            self._say("nothing was changed")

    # --- the answer ---

    def _send(self, decision: Decision) -> None:
        self._mode, self._parked = "sending", not self.given.running
        self._say("")
        self.run_worker(self._sent(self.given, decision), group="answer")

    async def _sent(self, given: Asked, decision: Decision) -> None:
        request = given.request
        problem = await asyncio.to_thread(self._leave, request, decision)
        if not self.query(Below):  # the program was left meanwhile
            return
        if not problem:
            stops = decision.kind == "stop"
            self._done = f"{decision.word} {'run' if stops else f'{request.call_id} of'} {request.run_id}"
            self._settle(f"{decision.word}: {'the run' if stops else request.shown}")
            return
        self._mode, self._parked = "standing", False
        self._gate.shut()
        if self.given.request.key != request.key:
            self._changed = None
        if question(self.given) != question(given):  # meanwhile, and nothing of it was seen
            self._anew()
        self._say(printable(problem, lines=False))
        if self.given.became:
            self._settle(f"decided elsewhere: {printable(self.given.became, lines=False)}")

    def _settle(self, words: str) -> None:
        self._back()
        self._let_go()
        self._mode = "settled"
        self._gate.shut()
        self._say(words)
        if not self._parked:
            self.set_timer(CLOSES_S, self._close)

    def _close(self) -> None:
        if self.is_current:
            self.dismiss(self._done)
