"""What is guarded, as it was before a call, and put back after it.

No mount and no Landlock rule keeps a name that is not there yet from being made, or a folder above from being
renamed. So these are looked at before the call and after it. Calls side by side share what was there before the first
of them: none of them takes for given what another has just made. Everything is done beneath the root through
descriptors, because a program may leave a link where a folder was.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from agentctl.records import dataclass
from agentctl.tools.sandbox import restoring
from agentctl.tools.sandbox.guarded import ENTRIES, TooMany, all_of, guarded
from agentctl.tools.sandbox.restoring import Kept

KEPT_BYTES = 1_000_000
"""Of a file: what can be put back. A longer one is only compared."""
ALL_BYTES = 64_000_000
"""Of all files together."""
MOST = 20_000
"""Guarded files of a tree."""

Seen = dict[Path, Kept]


@dataclass(frozen=True, slots=True)
class Watch:
    """What was there when a call began."""

    roots: tuple[Path, ...]
    fixed: tuple[Path, ...]
    tops: tuple[Path, ...]
    """The guarded files and folders themselves."""
    common: Seen
    """Those that are guarded for everybody, with what is in them."""
    own: Seen
    """The `fixed` ones."""
    locked: frozenset[Path]
    """Folders that somebody had closed, and that stay so."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What a program had changed, for people."""

    changed: tuple[str, ...] = ()
    """And was put back."""
    left: tuple[str, ...] = ()
    """And could not be put back, or not be looked at."""


standing: list[Watch] = []
"""Those of the calls that run now, in this process."""


def begin(roots: Sequence[Path], fixed: Sequence[Path] = ()) -> Watch:
    """Look at everything.

    Raises:
        TooMany: there is too much of it, so that nothing may be started.
    """
    tops: list[Path] = []
    locked: set[Path] = set()
    for root in roots:
        found = guarded(root)
        if not found.complete:
            raise _too_many(root, f"{ENTRIES:,} files")
        tops += found.paths
        locked |= found.locked
    common, complete = _seen(tops)
    if not complete:
        raise _too_many(roots[0], f"{MOST:,} hooks, CI files and the like")
    inside = tuple(path for path in fixed if _root_of(path, roots) is not None)
    own, _ = _seen([path for path in inside if _is_plain(path, roots)])
    _agreed(common, own, roots, inside)
    watch = Watch(tuple(roots), inside, tuple(tops), common, own, frozenset(locked))
    standing.append(watch)
    return watch


def end(watch: Watch) -> Undone:
    """Put back what was changed, made or removed. Never raises."""
    standing[:] = [each for each in standing if each is not watch]
    before = watch.common | watch.own
    after, unseen = _after(watch)
    wrong = sorted(path for path in before.keys() | after.keys() if not _same(before.get(path), after.get(path)))
    for path in reversed(wrong):
        root = _root_of(path, watch.roots)
        if path not in before and root is not None:
            with suppress(OSError):
                restoring.remove(root, path)
    for path in wrong:
        root = _root_of(path, watch.roots)
        if path in before and root is not None:
            with suppress(OSError):
                restoring.restore(root, path, before[path])
    ways = {above for path in before for above in path.parents}  # folders again, with nothing in them but those
    left = [path for path in wrong if path not in ways and not _same(before.get(path), _now(path, watch.roots))]
    changed = tuple(str(path) for path in wrong if path not in left)
    return Undone(changed, (*map(str, left), *unseen))


def _agreed(common: Seen, own: Seen, roots: Sequence[Path], fixed: Sequence[Path]) -> None:
    """Take what the calls that run already found, where they look at the same."""
    for other in standing:
        for path in [each for each in common if _root_of(each, other.roots) is not None]:
            if path not in other.common:
                del common[path]
        common |= {path: kept for path, kept in other.common.items() if _root_of(path, roots) is not None}
        for path in set(fixed) & set(other.fixed):
            own.pop(path, None)
            if path in other.own:
                own[path] = other.own[path]


def _after(watch: Watch) -> tuple[Seen, list[str]]:
    tops: list[Path] = []
    unseen: list[str] = []
    for root in watch.roots:
        found = guarded(root, watch.locked)
        tops += found.paths
        if not found.complete:
            unseen.append(f"{root} (more than {ENTRIES:,} files, not all could be looked at)")
    fixed = [path for path in watch.fixed if _is_plain(path, watch.roots)]
    after, complete = _seen([*tops, *fixed])
    if not complete:
        unseen.append(f"{watch.roots[0]} (more than {MOST:,} hooks, CI files and the like, not all could be looked at)")
    if unseen:
        after |= {path: kept for path in watch.common if (kept := _now(path, watch.roots)) is not None}
    return after, unseen


def _seen(tops: Iterable[Path]) -> tuple[Seen, bool]:
    """Files, and folders with all that is in them; whether that was all."""
    found: Seen = {}
    pending = list(tops)
    left = ALL_BYTES
    while pending:
        if len(found) >= MOST:
            return found, False
        path = pending.pop()
        with suppress(OSError):
            kept = restoring.look(path, min(left, KEPT_BYTES))
            left -= len(kept.content or b"")
            found[path] = kept
            if stat.S_ISDIR(kept.mode):
                pending += all_of(path)
    return found, True


def _now(path: Path, roots: Sequence[Path]) -> Kept | None:
    if not _is_plain(path, roots):
        return None
    try:
        return restoring.look(path, KEPT_BYTES)
    except OSError:
        return None


def _same(one: Kept | None, other: Kept | None) -> bool:
    return one is other if one is None or other is None else one.same(other)


def _root_of(path: Path, roots: Sequence[Path]) -> Path | None:
    return next((root for root in roots if path.is_relative_to(root) and path != root), None)


def _is_plain(path: Path, roots: Sequence[Path]) -> bool:
    """Whether it lies where it says: no folder on the way is a link."""
    root = _root_of(path, roots)
    if root is None:
        return False
    return not any(above.is_symlink() for above in path.parents if above.is_relative_to(root) and above != root)


def _too_many(root: Path, what: str) -> TooMany:
    return TooMany(
        f"{root} holds more than {what}, and no program is started where they can't all be looked after; "
        "a person can narrow [sandbox] write"
    )


def words(changed: Sequence[str], left: Sequence[str]) -> str:
    """What was changed and is back, and what is not, for the model and for people; empty: nothing was."""
    said: list[str] = []
    if changed:
        said.append(f"it was put back: {_some(changed)}")
    if left:
        said.append(f"it could not be put back, a person has to look at it: {_some(left)}")
    return "; ".join(said)


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
    return f"{', '.join(paths[:3])}{more}"
