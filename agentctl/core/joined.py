"""Secrets in pieces: in two literals that a program puts together, `"AK" + "IA…"`, or with colours between.

The text is read again without what stands between.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from agentctl.core.tokenforms import Span

SEAM = re.compile(r"""(["'])\s{0,8}(?:[+.&]|\\\n)?\s{0,8}\\{0,3}\1(?=[\w+/=.\-])""")
BESIDE = 200
"""Characters before and after a seam that are read with it."""
MOST = 32_000
"""Characters of one text that are read again."""

COLOURED = re.compile(r"(?:\x1b|\\x1b|\\u001b|\\033)\[[0-9;?]{0,32}[A-Za-z]")
"""What a terminal is told, between the letters; also where it is written out."""

Cut = tuple[int, int]


def spans(text: str, finds: Callable[[str], Iterable[Span]]) -> Iterator[Span]:
    """What is found only where literals are put together, with what stands between them."""
    left = MOST
    for cuts in _near(text):
        first, last = max(0, cuts[0][0] - BESIDE), min(len(text), cuts[-1][1] + BESIDE)
        left -= last - first
        if left < 0:
            break
        yield from _across(text, first, last, cuts, finds)


def _near(text: str) -> Iterator[list[Cut]]:
    """Seams, those together that are read together."""
    group: list[Cut] = []
    for match in SEAM.finditer(text):
        start = match.start()
        while start and text[start - 1] == "\\":
            start -= 1
        if not start or not (text[start - 1].isalnum() or text[start - 1] in "+/=.-_"):
            continue
        if group and start - group[-1][1] > BESIDE:
            yield group
            group = []
        group.append((start, match.end()))
    if group:
        yield group


def uncoloured(text: str, finds: Callable[[str], list[Span]]) -> list[Span]:
    """What is found in a text as a terminal would show it."""
    cuts = [match.span() for match in COLOURED.finditer(text)] if "[" in text and COLOUR.search(text) else []
    if not cuts:
        return finds(text)
    bare, seams, starts = _without(text, 0, len(text), cuts)
    return [(_first(start, starts, seams), _last(end, starts, seams), rule) for start, end, rule in finds(bare)]


COLOUR = re.compile(r"\x1b|x1b|u001b|\\033")


def _across(
    text: str, first: int, last: int, cuts: list[Cut], finds: Callable[[str], Iterable[Span]]
) -> Iterator[Span]:
    bare, seams, starts = _without(text, first, last, cuts)
    for start, end, rule in finds(bare):
        if any(start <= seam < end for seam in seams):
            yield _first(start, starts, seams), _last(end, starts, seams), rule


def _without(text: str, first: int, last: int, cuts: list[Cut]) -> tuple[str, list[int], list[int]]:
    """The text without the cuts; where in it they were; where in the text each piece between them begins."""
    starts, ends = [first, *(end for _, end in cuts)], [*(start for start, _ in cuts), last]
    pieces = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    return "".join(pieces), list(accumulate(map(len, pieces[:-1]))), starts


def _first(at: int, starts: list[int], seams: list[int]) -> int:
    """The place in the text of the letter at a place of the bare one."""
    return _place(at, starts, seams, bisect_right(seams, at))


def _last(at: int, starts: list[int], seams: list[int]) -> int:
    """The place in the text behind the letter before a place of the bare one."""
    return _place(at, starts, seams, bisect_left(seams, at))


def _place(at: int, starts: list[int], seams: list[int], piece: int) -> int:
    return starts[piece] + at - (seams[piece - 1] if piece else 0)
