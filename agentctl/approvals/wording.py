"""What the prompt says: every part of the question, escaped, none of it able to pass for something else."""

from __future__ import annotations

import json
import re
from typing import cast

from agentctl.approvals.base import Question
from agentctl.approvals.printable import unmistakable
from agentctl.core.messages import Json, JsonObject

KEYS = {
    "y": "y approve once",
    "a": "a remember",
    "e": "e edit",
    "n": "n deny, with a reason",
    "s": "s stop the run",
}
HEAD = 160
TAIL = 60
"""Characters of a long value that are shown from its beginning and its end."""
DOUBT_KEYS = {
    "y": "y it did not: run it",
    "h": "h it did: its result",
    "n": "n skip it, why",
    "s": "s stop the run",
}
LONGEST_CHOICES = 80
"""Characters of the line below the question, whatever it offers."""

NARROWEST = 20
"""Columns of a line, at least: a narrower terminal shows nothing to say yes to."""
GOES_ON = "  ↳ "
LONGEST_DIFF = 400
DIFF_HEAD = 300
DIFF_TAIL = 60
"""Lines of a long diff that are shown from its beginning and its end."""

blanks = re.compile(r"\s{9,}")
"""Of any width: enough of them could push what follows to where a line of the prompt begins."""


def wording(question: Question) -> list[str]:
    """The lines of a question, before they are wrapped."""
    tool = one_line(question.tool)
    tier = f"{question.tier.word}, by {one_line(question.rule)}"
    worst = f", ${question.limit_usd:,.2f} at worst" if question.limit_usd else ""
    spend = f"${question.spent_usd:,.4f} so far{worst}"
    untrusted = one_line(", ".join(question.untrusted))
    return [
        "",
        f"Agent wants to {tool} with args: {arguments(question.args)}",
        *(f"  doubt  {one_line(known)}" for known in question.doubt),
        *(f"  part   {one_line(_cut_text(text))} — {one_line(verdict)}" for text, verdict in question.parts),
        *_diff("changes the file", question.change),
        *_diff("as a person changed it", question.edited),
        *(f"  file   {one_line(path)} ({one_line(digest)})" for path, digest in question.files),
        f"  tier   {tier}",
        *(f'  copied from {one_line(source)}: "{one_line(_cut_text(text))}"' for source, text in question.copied),
        *([f"  words  of {untrusted} are in the run"] if untrusted else []),
        f"  owner  {one_line(question.owner) or 'nobody is named'}",
        f"  spend  {spend}",
        *(f"  note   {one_line(note)}" for note in question.notes),
        f"  run    {one_line(question.run_id)}, call {one_line(question.call_id)}",
        *([f"  waits  {question.timeout_s:g}s, then {one_line(question.after)}"] if question.after else []),
        *([f"  a      {one_line(question.remembers)}"] if question.remembers else []),
    ]


def waiting(left_s: float, later_micro: int) -> tuple[str, ...]:
    """What waiting costs: the prompt cache lasts so many seconds, and is paid for anew after that."""
    if left_s <= 0 or later_micro <= 0:
        return ()
    return (f"the prompt cache expires in {left_s:,.0f}s; a later answer costs ${later_micro / 1e6:.4f} more",)


def choices(question: Question) -> str:
    """The keys that count."""
    if question.doubt:
        return " · ".join(DOUBT_KEYS.values())
    without = {"a"} if not question.remembers else set[str]()
    without |= {"e"} if question.fits is None else set[str]()
    return " · ".join(said for key, said in KEYS.items() if key not in without)


def _diff(title: str, diff: str) -> list[str]:
    """Line by line; of a long one the beginning and the end, and how much there is."""
    lines = diff.split("\n") if diff else []  # no other character ends a line: it would begin one of its own
    if len(lines) > LONGEST_DIFF:
        left = len(lines) - DIFF_HEAD - DIFF_TAIL
        lines = [*lines[:DIFF_HEAD], f"… ({left:,} of {len(lines):,} lines left out) …", *lines[-DIFF_TAIL:]]
    return [f"  {title}:", *(f"  | {one_line(line)}" for line in lines)] if lines else []


def arguments(args: Json) -> str:
    """JSON on one line; long values as head, length and tail."""
    return one_line(json.dumps(_cut(args), ensure_ascii=False))


def one_line(text: str) -> str:
    """Escaped, with long runs of blanks told instead of shown."""
    return blanks.sub(lambda run: f"  (+ {len(run[0]) - 2:,} blanks)  ", unmistakable(text))


def _cut_text(text: str) -> str:
    if len(text) <= HEAD + TAIL + 40:
        return text
    return f"{text[:HEAD]}… ({len(text):,} characters) …{text[-TAIL:]}"


def _cut(value: Json) -> Json:
    match value:
        case str():
            return _cut_text(value)
        case dict():
            items = cast("JsonObject", value)
            names = {key: _cut_text(key) for key in items}
            if len(set(names.values())) < len(names):  # of two that look the same one would be hidden
                names = {key: key for key in items}
            return {names[key]: _cut(each) for key, each in items.items()}
        case list():
            return [_cut(each) for each in cast("list[Json]", value)]
        case _:
            return value


def wrapped(question: Question, width: int, encoding: str = "utf-8") -> list[str]:
    """The lines as the terminal will show them: none is longer than it is wide, so none is hidden by another.

    What goes on in the next line is marked, or a text of the right length could put a line of its own there. What its
    `encoding` has no character for is escaped here, where it is measured.
    """
    marked = writable(GOES_ON, encoding)
    return [part for line in wording(question) for part in _parts(writable(line, encoding), width, marked)]


def writable(text: str, encoding: str | None) -> str:
    """The text as a stream of this encoding shows it."""
    return text.encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


def lacking(text: str, encoding: str | None) -> bool:
    """Whether the encoding lacks a character of the text."""
    return writable(text, encoding) != text


def _parts(line: str, width: int, marked: str = GOES_ON) -> list[str]:
    from rich.cells import chop_cells

    first = (chop_cells(line, width) or [""])[0]
    rest = line[len(first) :]
    return [first, *(f"{marked}{part}" for part in (chop_cells(rest, width - len(marked)) if rest else ()))]


def roomy(size: tuple[int, int]) -> bool:
    """Whether a terminal of (columns, lines) has room for a line of the question, the choices and the cursor."""
    columns, height = size
    return columns > NARROWEST and height > 1 + rows(LONGEST_CHOICES, columns)


def page(total: int, shown: int, size: tuple[int, int]) -> int:
    """How many lines have been shown when the next page of a terminal of (columns, lines) is full.

    Below it the choices have room, and the cursor.
    """
    columns, height = size
    return min(total, shown + max(1, height - 1 - rows(LONGEST_CHOICES, columns)))


def rows(length: int, columns: int) -> int:
    """Lines that a text of this length takes."""
    return max(1, -(-length // columns))
