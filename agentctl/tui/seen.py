"""What the screens show, as frozen values: made by a thread that reads the store, drawn by widgets that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Literal

from agentctl.core.events import Stamped
from agentctl.core.gauges import Gauge
from agentctl.core.glance import Glance
from agentctl.core.remarks import Tone
from agentctl.core.timeline import Row
from agentctl.journal.onlookers import NOTHING, Writing
from agentctl.journal.runs import RunRow
from agentctl.records import dataclass
from agentctl.tui.limits import Limits
from agentctl.tui.pending import Request, Requests

NEEDS_YOU = "needs you"
TONES: dict[str, Tone] = {
    NEEDS_YOU: "warn", "queued": "quiet", "running": "good", "parked": "warn", "paused": "warn", "stopped": "warn",
    "crashed": "bad", "failed": "bad", "completed": "plain", "cancelled": "quiet",
}  # fmt: skip
ATTENTION = (NEEDS_YOU, "crashed", "running", "queued", "parked", "paused", "failed", "stopped")
"""The order in which runs are listed that somebody should look at; the others follow by age."""
LIVE = frozenset({NEEDS_YOU, "running", "queued"})


@dataclass(frozen=True, slots=True)
class Outage:
    """A circuit that all runs share."""

    name: str
    state: Literal["closed", "open", "half_open"]
    failures: int = 0
    retry_at: float | None = None
    """When the next probe may go, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Line:
    """One run of the overview."""

    row: RunRow
    word: str
    """Its status for people."""
    glance: Glance = field(default_factory=Glance)
    cap_usd: float | None = None
    """What it may cost; None: no policy says it."""
    max_steps: int | None = None
    max_context: int | None = None

    @property
    def run_id(self) -> str:
        """Of the run."""
        return self.row.run_id

    @property
    def tone(self) -> Tone:
        """Of its status."""
        return TONES.get(self.word, "plain")

    @property
    def live(self) -> bool:
        """Whether something moves."""
        return self.word in LIVE


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the overview shows."""

    lines: tuple[Line, ...] = ()
    total: int = 0
    """Runs of the store, also those that are not listed."""
    outages: tuple[Outage, ...] = ()
    now: float = 0.0
    fault: str = ""
    """Why the store can't be read."""


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page of one run shows at its end. `events` only grows: what is shown is its first `count`."""

    row: RunRow | None = None
    word: str = ""
    events: Sequence[Stamped] = ()
    count: int = 0
    heading: str = ""
    gauges: tuple[Gauge, ...] = ()
    rows: tuple[Row, ...] = ()
    spends: tuple[float, ...] = ()
    """Dollars, by reply."""
    answer: str = ""
    said: str = ""
    """Of the last reply."""
    doing: str = ""
    since: float = 0.0
    until: float = 0.0
    writing: Writing = NOTHING
    requests: Requests = field(default_factory=lambda: Requests({}, {}, {}, {}))
    """What was ever asked of a person."""
    waiting: tuple[Request, ...] = ()
    """Of these, what nobody decided."""
    limits: Limits = field(default_factory=Limits)
    spent_micro: int = 0
    now: float = 0.0
    resume: str = ""
    """The command that goes on with it."""
    fault: str = ""


NO_OVERVIEW = Overview()
NO_PAGE = Page()
