"""What a person's yes is bound to, part by part: a drift is found by the whole, and named by the part.

Rules. A yes is for one tool as it is defined, with these arguments to the letter and in this order, under this policy,
with these files as they were. It is looked at again at the moment of execution. It does not last: who said yes an hour
ago may know better by now. D70
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from agentctl.core.clock import past
from agentctl.core.messages import Json

LASTS_S: Final = 3600.0
"""Seconds that an answer counts."""
NAMED: Final = 3
"""Parts of a drift that are named."""

Bound: TypeAlias = tuple[tuple[str, str], ...]
"""Each part by its name for people, with its digest."""
Digest: TypeAlias = Callable[[bytes], str]
"""Keyed, so that nobody tries guesses against what is written down."""


def bound(
    digest: Digest, tool: str, definition: str, args: Json, policy: str, files: Iterable[tuple[str, str]] = ()
) -> Bound:
    """The parts of one exact action. `files`: path and digest of what it runs or changes."""
    exact = json.dumps(args, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
    return (
        ("its definition", digest(f"{tool}\0{definition}".encode(errors="surrogatepass"))),
        ("the arguments", digest(exact)),
        ("the policy", policy),
        *((f"the file {path}", said) for path, said in files),
    )


def whole(digest: Digest, parts: Bound) -> str:
    """The one digest of all parts; empty: there are none."""
    return digest(json.dumps(parts).encode()) if parts else ""


def drift(before: Bound, now: Bound) -> str:
    """What is another by now, for people."""
    old, new = dict(before), dict(now)
    names = [name for name in (old | new) if old.get(name) != new.get(name)]
    if not before or not names:
        return "tool, arguments or policy"
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    listed = [*names[:NAMED], *more]
    return " and ".join((", ".join(listed[:-1]), listed[-1])) if len(listed) > 1 else listed[0]


def counts(said_at: float, now: float) -> bool:
    """Whether an answer of then still counts. One from a clock that was set back since is over."""
    return past(said_at, now) and now - said_at <= LASTS_S
