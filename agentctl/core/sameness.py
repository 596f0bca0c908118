"""What a result says, as a set of words that can be compared with another's.

Left out is what changes from call to call and says nothing: ids, times, dates, durations, and the order of keys (G3).
A word of an object carries its key, so that the same words under other keys are others. Text without spaces (Chinese,
Japanese, Thai …) is taken in pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

from agentctl.core.messages import Json, is_list, is_object

MOST_CHARS = 8_000
"""Of one result, so that words and memory are bounded; of a longer text its head and its tail."""
DEEPEST = 100
FEW_IDS = 3
"""So many ids are noise beside however little else there is."""
EDGES = "\"'`.,;:!?()[]{}<>…“”‘’«»。、，！？「」"  # noqa: RUF001  # typographic marks are meant

noise = re.compile(
    r"""
    (
        [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
        | \d{4}-\d{2}-\d{2}(?:[t ]\d{2}:\d{2}(?::\d{2})?[\d.,]*\s?(?:z|utc|[+-]\d{2}:?\d{2})?)?
        | \b(?:
            (?:\d{4}[./]\d{1,2}[./]\d{1,2} | \d{1,2}/\d{1,2}/\d{2,4} | \d{1,2}\.\d{1,2}\.\d{4})\b
            | (?:\d{1,2}\s)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?\s(?:\d{1,2},?\s)?\d{4}\b
            | \d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]m\b)?
            | \d+(?:\.\d+)?\s?(?:ns|us|ms)\b | \d+\.\d+\s?s(?:ec|econds)?\b
            | (?=[a-f]*\d)[0-9a-f]{8,}\b
            | (?=(?:[a-z_-]{0,20}\d){3})(?=\d*[a-z])[a-z0-9_-]{12,}\b
        )
        | \d{6,}
    )
    """,
    re.VERBOSE | re.ASCII,
)
"""UUIDs; dates; times of day; durations; hex; other ids of letters and digits; long runs of digits."""
unspaced = re.compile(
    "[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
measured = re.compile(r"(?:^|_)(?:ms|took|elapsed|duration|latency|seconds|timestamp|ts|time)$", re.IGNORECASE)
"""Keys of numbers that are times or durations."""
EPOCHS = 100_000_000
"""Whole numbers from here on are ids or times rather than amounts."""
EMPTY = frozenset({"", "0", "none", "null", "false", "no", "empty"})
"""Words that, beside what the call itself said, hold no news."""


def words(value: Json) -> frozenset[str]:
    """The words of a result or of arguments, normalised. Where there is little but ids, the ids are what is said."""
    found, ids = set[str](), set[str]()
    for key, leaf in _leaves(value):
        mark = f"{key}=" if key else ""
        said, dropped = _text(leaf) if isinstance(leaf, str) else _plain(key, leaf)
        found.update(f"{mark}{word}" for word in said)
        ids.update(dropped)
    return frozenset(found | ids if len(ids) > FEW_IDS + 2 * len(found) else found)


def news(said: Json, args: frozenset[str], *, failed: bool) -> frozenset[str]:
    """The words of a result, without those that the call itself brought where the result says nothing else.

    A search that finds nothing often repeats the query, and an error the name that it does not know: two of them say
    the same although the words of the call differ.
    """
    found = words(said)
    bare = frozenset(_bare(word) for word in args) - EMPTY
    rest = frozenset(word for word in found if _bare(word) not in bare)
    barren = all(_bare(word) in EMPTY for word in rest)
    return rest if rest and (failed or barren) else found


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard: common words over all words; two empty results are the same. C36"""
    together = len(one | other)
    return len(one & other) / together if together else 1.0


def _bare(word: str) -> str:
    return word.rpartition("=")[2]


def _leaves(value: Json) -> Iterator[tuple[str, Json]]:
    """Every value that holds no others, with the nearest key above it, as far as there is room."""
    left = MOST_CHARS
    open_: list[tuple[str, Json, int]] = [("", value, 0)]
    while open_ and left > 0:
        key, node, level = open_.pop()
        if level > DEEPEST:
            continue
        if is_object(node) and node:
            open_.extend((name.lower(), node[name], level + 1) for name in sorted(node))
        elif is_list(node) and node:
            open_.extend((key, each, level + 1) for each in reversed(node))
        elif isinstance(node, str):
            yield key, node if len(node) <= left else f"{node[: left // 2]} {node[-left // 2 :]}"
            left -= len(node)
        else:
            yield key, node
            left -= 1


def _plain(key: str, leaf: Json) -> tuple[Iterable[str], Iterable[str]]:
    """The word of a value that is no text, or the id that it is."""
    match leaf:
        case bool() | None:
            return (str(leaf).lower(),), ()
        case int() | float():
            number = repr(int(leaf) if isinstance(leaf, float) and leaf.is_integer() else leaf)
            counts = isinstance(leaf, float) or abs(leaf) < EPOCHS
            return ((number,), ()) if counts and not measured.search(key) else ((), (number,))
        case _:
            return ("",), ()


def _text(text: str) -> tuple[Iterable[str], Iterable[str]]:
    """The words of a text, and the ids in it."""
    pieces = noise.split(unicodedata.normalize("NFKC", text).lower())
    ids = pieces[1::2]
    said: list[str] = []
    for raw in set(" ".join(pieces[::2]).split()):
        word = raw.strip(EDGES) or raw
        runs = () if word.isascii() else unspaced.findall(word)
        for run in runs:
            said.extend((a + b for a, b in pairwise(run)) if len(run) > 1 else run)
        said.extend(unspaced.sub(" ", word).split() if runs else (word,))
    return said if said or ids else ("",), ids
