"""Secrets in two literals that a program puts together, `"AK" + "IA…"`: the text is read again as if they were one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from agentctl.core.tokenforms import Span

SEAM = re.compile(r"""(["'])\s{0,8}(?:[+.&]|\\\n)?\s{0,8}\\{0,3}\1(?=[\w+/=.\-])""")
BESIDE = 200
"""Characters before and after a seam that are read with it."""
MOST = 32_000
"""Characters of one text that are read again."""

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


def _across(
    text: str, first: int, last: int, cuts: list[Cut], finds: Callable[[str], Iterable[Span]]
) -> Iterator[Span]:
    starts, ends = [first, *(end for _, end in cuts)], [*(start for start, _ in cuts), last]
    pieces = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    seams: list[int] = []
    for piece in pieces[:-1]:
        seams.append((seams[-1] if seams else 0) + len(piece))
    for start, end, rule in finds("".join(pieces)):
        if any(start <= seam < end for seam in seams):
            before, after = sum(seam <= start for seam in seams), sum(seam < end for seam in seams)
            yield _place(start, starts, seams, before), _place(end, starts, seams, after), rule


def _place(at: int, starts: list[int], seams: list[int], piece: int) -> int:
    """Where a place of the joined text is in the text."""
    return starts[piece] + at - (seams[piece - 1] if piece else 0)
