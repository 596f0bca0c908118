"""The disk breaks at any operation: what `python -m tests.durability broken` and the tests share."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.durability.errand import Errand
from tests.durability.preload import EIO_ONCE, FULL

KINDS = {"EIO once": EIO_ONCE, "disk full": FULL}
STORE = 3
"""The exit code of a store that can't be written."""


@dataclass
class Breaks:
    """What came of many broken operations."""

    tried: int = 0
    duplicates: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    """Exit codes of the drivers that it befell."""
    faults: list[str] = field(default_factory=list)


def broken(errand: Errand, kind: str, at: int, breaks: Breaks) -> None:
    """A driver whose disk breaks at an operation; then there is room again, and the run goes on."""
    life = errand.live(io={"folder": str(errand.home), "kind": KINDS[kind], "at": at})
    breaks.tried += 1
    breaks.ended[life.code] += 1
    told = [*_told(life.code, life.said)]
    if not errand.over and errand.to_the_end().code != 0:
        told.append(f"it can't be resumed: {errand.lives[-1]}")
    breaks.duplicates += errand.duplicates()
    breaks.faults += [f"{kind} at {at}: {fault}" for fault in (*told, *errand.faults())]


def _told(code: int, said: dict[str, str]) -> Iterator[str]:
    if code == 0:
        return
    if code != STORE or said.get("kind") != "store":
        yield f"it ended with {code}: {said}"
        return
    lines = (said["error"], said["hint"])
    if any("\n" in line or not line for line in lines):
        yield f"that is no clear line: {lines}"
    if "store" not in said["error"] and "seal.key" not in said["error"]:
        yield f"it does not say what broke: {lines}"
