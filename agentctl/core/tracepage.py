"""What the page of a run shows: its outcome, its rows with all that lies behind them, money and context over time.

A row's pieces are what a replay says of the events that the row was made from, and of those that have no row, which
stand with the row before them: every event of the run is on the page once. Texts are those of the journal, which is
scrubbed. So that the page of a long run stays small, long texts are cut, and of very many rows, or events behind one
row, the first and the last are shown; each time the page says how much was left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import Final, Literal

from agentctl.core import events as e
from agentctl.core import replaying, summary, timeline
from agentctl.core.policy import Policy
from agentctl.core.remarks import Tone
from agentctl.core.replaying import Frame, Gauge
from agentctl.core.summary import Summary
from agentctl.core.timeline import Row
from agentctl.records import dataclass

Kind = Literal["model", "tool", "person", "run", "guard"]
Word = Literal["ok", "failed", "warning", "open", "note"]
KINDS: Final[dict[str, Kind]] = {
    "llm": "model",
    "tool": "tool",
    "approval": "person",
    "edited": "person",
    "doubt": "person",
    "handoff": "person",
    "run": "run",
    "response": "run",
}
WORDS: Final[dict[Tone, Word]] = {"good": "ok", "bad": "failed", "warn": "warning", "quiet": "note", "plain": "note"}
MOST_TEXT: Final = 2_000_000
"""Characters of all pieces of a page."""
LENGTHS: Final = (50_000, 20_000, 8_000, 3_000, 1_000, 300)
"""Characters of a piece: the first of these by which all pieces fit."""
MOST_ROWS: Final = 4_000
"""Rows of a page; of a longer run its beginning and its end."""
MOST_PIECES: Final = 100
"""Events behind one row: the first and the last of them."""
MOST_POINTS: Final = 400
INTENTS: Final = (e.ModelAsked, e.ToolStarted, e.ApprovalRequested)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event says."""

    seq: int
    title: str
    tone: Tone
    text: str
    left_out: int
    """Characters of its text that are not here."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the trace, and what lies behind it."""

    row: Row
    kind: Kind
    word: Word
    """How it stands, for who sees no colours."""
    at_s: float
    """Seconds since the run began."""
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """Where the run stood at a moment."""

    at_s: float
    """Seconds since the run began; never less than before, whatever the clock did."""
    step: int
    spent_micro: int
    context: int
    """Tokens of the next request, estimated."""


@dataclass(frozen=True, slots=True)
class Page:
    """The page of a run. None of it is fit for a browser yet."""

    run_id: str
    session: str
    started: e.RunStarted | None
    """What it began with."""
    ended: e.Completed | None
    """How it ended; None: it has not."""
    policy: str
    digest: str
    """Of the policy that it was under last."""
    began: float
    """Seconds since the epoch; 0: nothing is recorded."""
    took_s: float
    figures: Summary
    gauges: tuple[Gauge, ...]
    beginning: tuple[Piece, ...]
    """What was recorded before the first row."""
    entries: tuple[Entry, ...]
    left_out: int
    """Rows from the middle of a very long run that are not here."""
    points: tuple[Point, ...]
    events: int
    forked: e.Forked | None = None
    degraded: tuple[tuple[str, str], ...] = field(default=())
    """Provider and notice."""


def page(events: Sequence[e.Stamped], policy: Policy | None = None) -> Page:
    """The page of a run; limits are those of `policy`, where its files still say it."""
    frames = {frame.seq: frame for frame in replaying.frames(events, policy)}
    rows = timeline.rows(events)
    first = events[0] if events else None
    last = events[-1] if events else None
    started = next((at.event for at in events if isinstance(at.event, e.RunStarted)), None)
    began = first.ts if first else 0.0
    owned, beginning = _owned(rows, frames)
    shown, left_out = _bounded(rows)
    lengths = [len(text) for seqs in (beginning, *owned.values()) for text in _texts(_few(seqs), frames)]
    most = next((each for each in LENGTHS if sum(min(each, length) for length in lengths) <= MOST_TEXT), LENGTHS[-1])
    kinds = {at.seq: isinstance(at.event, INTENTS) for at in events}
    figures = Summary()
    for at in events:
        figures = summary.apply(figures, at.event)
    name, digest = _under(events, started)
    return Page(
        first.run_id if first else "",
        first.session_id if first else "",
        started,
        last.event if last and isinstance(last.event, e.Completed) else None,
        name,
        digest,
        began,
        max(0.0, last.ts - began) if last else 0.0,
        figures,
        frames[last.seq].gauges if last else (),
        tuple(_pieces(beginning, frames, most)),
        tuple(
            Entry(row, _kind(row), _word(row, kinds), max(0.0, row.ts - began),
                  tuple(_pieces(owned.get(number, []), frames, most)))
            for number, row in shown
        ),
        left_out,
        tuple(_points(frames.values(), began)),
        len(events),
        next((at.event for at in reversed(events) if isinstance(at.event, e.Forked)), None),
        figures.degraded,
    )  # fmt: skip


def _under(events: Sequence[e.Stamped], started: e.RunStarted | None) -> tuple[str, str]:
    """The policy that it was under last, as it was named, and its digest."""
    name, digest = (started.policy, started.policy_digest) if started else ("", "")
    for at in events:
        if isinstance(at.event, e.Resumed | e.Forked):
            name, digest = at.event.policy or name, at.event.policy_digest or digest
    return name, digest


def _kind(row: Row) -> Kind:
    return KINDS.get(row.name.partition(".")[0], "guard")


def _word(row: Row, intents: dict[int, bool]) -> Word:
    if intents.get(row.seq):
        return "open"
    if row.tone == "plain" and _kind(row) == "model":
        return "ok"
    if row.tone == "bad" and any(text.startswith("retry") for text in row.then):
        return "warning"
    return WORDS[row.tone]


def _owned(rows: Sequence[Row], frames: dict[int, Frame]) -> tuple[dict[int, list[int]], list[int]]:
    """Which events stand with which row, by its place; and those from before the first row."""
    owner: dict[int, int] = {}
    for number, row in enumerate(rows):
        for seq in (*row.of, row.seq):
            owner.setdefault(seq, number)
    ends = {row.seq: number for number, row in enumerate(rows)}
    owned: dict[int, list[int]] = {}
    beginning: list[int] = []
    before: int | None = None
    for seq in sorted(frames):
        if seq in ends:
            before = ends[seq]
        place = owner.get(seq, before)
        (beginning if place is None else owned.setdefault(place, [])).append(seq)
    return owned, beginning


def _few(seqs: Sequence[int]) -> Sequence[int]:
    half = MOST_PIECES // 2
    return seqs if len(seqs) <= MOST_PIECES else [*seqs[:half], *seqs[-half:]]


def _bounded(rows: Sequence[Row]) -> tuple[list[tuple[int, Row]], int]:
    numbered = list(enumerate(rows))
    if len(rows) <= MOST_ROWS:
        return numbered, 0
    half = MOST_ROWS // 2
    return [*numbered[:half], *numbered[-half:]], len(rows) - 2 * half


def _texts(seqs: Iterable[int], frames: dict[int, Frame]) -> Iterator[str]:
    return ("\n".join(frames[seq].lines) for seq in seqs)


def _pieces(seqs: Sequence[int], frames: dict[int, Frame], most: int) -> Iterator[Piece]:
    few = _few(seqs)
    for number, (seq, text) in enumerate(zip(few, _texts(few, frames), strict=True)):
        if number == MOST_PIECES // 2 and len(few) < len(seqs):
            yield Piece(seqs[number], f"{len(seqs) - len(few):,} more events from here", "quiet", "", 0)
        shown, left_out = cut(text, most)
        yield Piece(seq, cut(frames[seq].title, LENGTHS[-1])[0], frames[seq].tone, shown, left_out)


def cut(text: str, most: int) -> tuple[str, int]:
    """Head and tail of a long text, and how many characters were left out."""
    if len(text) <= most:
        return text, 0
    head, tail = most * 3 // 4, most // 4
    left_out = len(text) - head - tail
    return f"{text[:head]}\n… {left_out:,} characters left out …\n{text[-tail:]}", left_out


def _points(frames: Iterable[Frame], began: float) -> Iterator[Point]:
    """Where money or context changed, and the end; of very many an even choice."""
    found: list[Point] = []
    at_s = 0.0
    last: Point | None = None
    for frame in frames:
        at_s = max(at_s, frame.ts - began)
        used = {gauge.key: gauge.used for gauge in frame.gauges}
        last = Point(at_s, frame.step, round(used.get("run_usd", 0.0) * 1e6), int(used.get("context", 0)))
        if not found or (last.spent_micro, last.context) != (found[-1].spent_micro, found[-1].context):
            found.append(last)
    if last is not None and found[-1] != last:
        found.append(last)
    every = -(-len(found) // MOST_POINTS) if found else 1
    yield from (point for number, point in enumerate(found) if number % every == 0 or number == len(found) - 1)
