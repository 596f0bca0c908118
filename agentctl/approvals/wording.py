"""What the prompt says: every part of the question, escaped, none of it able to pass for something else."""

from __future__ import annotations

import json
import re
from typing import cast

from agentctl.approvals.base import Question
from agentctl.approvals.printable import unmistakable
from agentctl.core.messages import Json, JsonObject

CHOICES = "y approve this call once · n deny, with a reason · s stop the run"
HEAD = 160
TAIL = 60
"""Characters of a long value that are shown from its beginning and its end."""
LONGEST_CHOICES = 80
"""Characters of the line below the question, whatever it offers."""

blanks = re.compile(r"\s{9,}")
"""Of any width: enough of them could push what follows to where a line of the prompt begins."""


def wording(question: Question) -> list[str]:
    """The lines of a question, before they are wrapped."""
    tool = one_line(question.tool)
    tier = f"{question.tier.word}, by {one_line(question.rule)}"
    spend = f"${question.spent_usd:,.4f} of ${question.limit_usd:,.2f} so far"
    return [
        "",
        f"Agent wants to {tool} with args: {arguments(question.args)}",
        *(f"  part   {one_line(_cut_text(text))} — {one_line(verdict)}" for text, verdict in question.parts),
        *(f"  runs   {one_line(path)} ({one_line(digest)})" for path, digest in question.files),
        f"  tier   {tier}",
        *(f'  copied from {one_line(source)}: "{one_line(_cut_text(text))}"' for source, text in question.copied),
        *([f"  words  of {one_line(', '.join(question.untrusted))} are in the run"] if question.untrusted else []),
        f"  owner  {one_line(question.owner) or 'nobody is named'}",
        f"  spend  {spend}",
        f"  run    {one_line(question.run_id)}, call {one_line(question.call_id)}",
    ]


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
            return {str(_cut(key)): _cut(each) for key, each in cast("JsonObject", value).items()}
        case list():
            return [_cut(each) for each in cast("list[Json]", value)]
        case _:
            return value


def wrapped(question: Question, width: int) -> list[str]:
    """The lines as the terminal will show them: none is longer than it is wide, so none is hidden by another."""
    from rich.cells import chop_cells

    return [part for line in wording(question) for part in (chop_cells(line, width) or [""])]


def page(total: int, shown: int, size: tuple[int, int]) -> int:
    """How many lines have been shown when the next page of a terminal of (columns, lines) is full.

    Below it the choices have room, and the cursor.
    """
    columns, height = size
    return min(total, shown + max(1, height - 1 - rows(LONGEST_CHOICES, columns)))


def rows(length: int, columns: int) -> int:
    """Lines that a text of this length takes."""
    return max(1, -(-length // columns))
