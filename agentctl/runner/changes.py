"""What a call would do to a file, for people: nothing that differs is left unsaid.

Only a line feed ends a line. Whatever else a reader takes for one stays within its line, where the prompt shows it.
"""

from __future__ import annotations

import difflib

from agentctl.core.contract import Change
from agentctl.runner.world import World

MOST_LINES = 5_000
"""Of a file: more are not compared, only counted."""
NO_END = "\n\\ No newline at end of file"
MASKED = "--- {old}\n+++ {new}\nthey differ in only what is masked"


def of_file(world: World, found: Change | None) -> str:
    """The change, scrubbed; empty: it changes nothing that can be told of."""
    if found is None:
        return ""
    before, after = (found.before or b"").decode(errors="replace"), found.after
    path = world.scrub.text(found.path).replace("\n", "\\n")  # or its name could go on as lines of the change
    name = "/dev/null" if found.before is None and not found.unread else path
    if found.unread:
        return f"--- {name}\n+++ {path}\nwhat is there can't be shown: {found.unread}"
    old, new = (world.scrub.text(world.vault.hidden(each)) for each in (before, after))
    if before != after and old == new:
        return MASKED.format(old=name, new=path)
    return compared(old, new, name, path)


def compared(before: str, after: str, name: str, path: str, around: int = 3) -> str:
    """Line by line, with so many lines `around` each difference."""
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MOST_LINES:
        return f"--- {name}\n+++ {path}\n{len(old):,} lines become {len(new):,}: too many to be compared"
    return "\n".join(difflib.unified_diff(old, new, name, path, lineterm="", n=around))


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*lines, f"{last}{NO_END}"] if last else lines
