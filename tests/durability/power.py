"""The power goes out at any moment of an errand: what `python -m tests.durability power` and the tests share."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.durability import disk
from tests.durability.errand import Errand

CUTS = ("undone", "torn")


@dataclass
class Recording:
    """An errand that went well, and all that it did to its disk."""

    errand: Errand
    ops: list[disk.Op]
    effects: list[str]
    bill: list[int]

    @classmethod
    def of(cls, errand: Errand, *, careless: bool = False) -> "Recording":
        """Play it once, watched."""
        log = errand.folder / "ops"
        life = errand.live(io={"folder": str(errand.home), "log": str(log)}, careless=careless)
        assert 0 == life.code, life
        assert [] == errand.faults()
        bill = [each.at_ns for each in errand.model.bill[errand.billed_from :]]
        return cls(errand, list(disk.read(log)), errand.effects_file.read_text().splitlines(), bill)


@dataclass
class Cuts:
    """What came of many power cuts."""

    cuts: int = 0
    duplicates: int = 0
    told: int = 0
    """Stores that were damaged, and said so."""
    anew: int = 0
    """Runs that had not begun on the disk."""
    faults: list[str] = field(default_factory=list)
    before: Counter[str] = field(default_factory=Counter)
    """What was about to be done."""


def cut(recording: Recording, number: int, how: str, cuts: Cuts) -> None:
    """Cut the power just before an operation, and go on with what the disk has kept."""
    errand, op = recording.errand, recording.ops[number]
    state = disk.Disk()
    for each in recording.ops[:number]:
        state.apply(each)
    state.leave(errand.home, disk.undone if how == "undone" else disk.torn(f"{number}"))
    happened = [line for line in recording.effects if int(line.split()[0]) < op.at_ns]
    errand.effects_file.write_text("".join(f"{line}\n" for line in happened))
    errand.begin_again(sum(at_ns < op.at_ns for at_ns in recording.bill))
    cuts.cuts += 1
    cuts.before[op.kind] += 1
    if not errand.run_id:
        cuts.anew += 1
        if happened:
            cuts.faults.append(f"{how} before {number}: effects, and no run")
    if not errand.over and (end := errand.to_the_end()).code == 3:
        cuts.told += 1
        cuts.faults.append(f"{how} before {number}: {end.said}")
        return
    cuts.duplicates += errand.duplicates()
    cuts.faults += [f"{how} before {number} {op.kind} {op.path}: {fault}" for fault in errand.faults()]


def moments(recording: Recording, wanted: int) -> Sequence[int]:
    """So many operations, evenly spread; all of them where fewer."""
    every = max(1, len(recording.ops) // wanted)
    return range(1, len(recording.ops), every)


def after_effects(recording: Recording) -> Sequence[int]:
    """The first operation after each effect: it has happened, and nothing of its outcome is written."""
    times = [int(line.split()[0]) for line in recording.effects]
    return [next(n for n, op in enumerate(recording.ops) if op.at_ns > time) for time in times]
