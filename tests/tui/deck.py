"""One approval card in an app of its own, with clocks that a test sets and a thread that leaves nothing anywhere."""

import asyncio

from textual import events
from textual.app import App

from agentctl.core.events import ApprovalRequested
from agentctl.records import replace
from agentctl.tui.answers import Decision
from agentctl.tui.asked import Asked
from agentctl.tui.card import Card
from agentctl.tui.editor import Editor
from agentctl.tui.pending import Request

BEGUN = 1_700_000_000.0
REFUND = ApprovalRequested(
    "c3.0", "send_refund", "high", "policy.toml:14 (risk.tiers.send_refund)", "51fe" * 16,
    {"order_id": "A-1001", "amount_usd": 49.9, "reason": "the parcel is late"},
    owner="support-platform", untrusted=("get_order_status",), limit_micro=1_500_000,
    remembers="this exact call of send_refund again, in this run, for an hour", stands_s=300.0, after="the run parks",
    cache_until=BEGUN + 180, later_micro=3_400,
)  # fmt: skip


def asked(run_id="r_a3f7b2", spent_micro=18_400, running=True, became="", seq=9, **changes):
    request = Request(run_id, seq, BEGUN, replace(REFUND, **changes))
    return Asked(request, spent_micro, running, became)


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at

    def on(self, seconds=1.0):
        self.at += seconds


class Deck(App):
    """Pushes the card, and keeps what was said and what it ended with."""

    def __init__(self, given=None, *, problem="", **options):
        super().__init__()
        self.left: list[tuple[Request, Decision]] = []
        self.closed: list[str] = []
        self.problem = problem
        self.time = Time()
        self.wall = Time()
        self.wall.at = BEGUN + 20
        self.card = Card(given or asked(), self._leave, clock=self.time, now=self.wall, **options)

    def _leave(self, request, decision):
        self.left.append((request, decision))
        return self.problem

    def on_mount(self):
        self.push_screen(self.card, self.closed.append)


def screen(app):
    """What stands on the screen, line by line."""
    return ["".join(part.text for part in strip).rstrip() for strip in app.screen._compositor.render_strips()]


async def drained(app):
    """All that was said to the app and its screen was heard, drawn and answered."""
    for _ in range(2):
        for pump in (app, app.screen, app.screen.focused or app.screen, app.screen):
            heard = asyncio.Event()
            if pump.call_after_refresh(heard.set):
                await asyncio.wait_for(heard.wait(), 30)


async def typed(app, *keys):
    """One right after the other."""
    for key in keys:
        app.post_message(events.Key(key, {"space": " "}.get(key, key if len(key) == 1 else None)))
    await drained(app)


async def alone(app):
    """The key that was typed is known to be alone, and has done what it does."""
    while app.card.is_attached and (app.card._held is not None or app.card._mode == "sending"):  # noqa: ASYNC110 -- a timer, a thread
        await asyncio.sleep(0.001)
    await drained(app)


async def press(app, *keys):
    """Each alone, after it has been quiet, and until it has done what it does."""
    await drained(app)
    for key in keys:
        app.time.on()
        await typed(app, key)
        await alone(app)


async def changed(app, text):
    """`e`, these arguments, and done."""
    await press(app, "e")
    assert isinstance(app.screen, Editor)
    app.screen.query_one("TextArea").load_text(text)
    await typed(app, "ctrl+s")
    await drained(app)
