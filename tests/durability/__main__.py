"""By hand, with a table at the end; the exit code is 0 where everything held.

python -m tests.durability kills [N] [SEED]   so many kills, four in a row, and a tenth of them without intents
python -m tests.durability lost [N] [SEED]    so often all sessions end, a tenth as often the server restarts, crashes
python -m tests.durability power [N]          the power goes out before N operations, or all: undone, then torn
python -m tests.durability broken [N]         N operations fail, or all: once, then for want of room

`kills` takes `--store postgres`: each errand has a database of its own, on a server that is started for it.
"""

# ruff: noqa: T201  # it prints its figures

import argparse
import itertools
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.books.fleet import Fleet
from tests.durability import preload
from tests.durability.broken import KINDS, Breaks, broken
from tests.durability.errand import REPLIES, Errand
from tests.durability.ground import GROUNDS
from tests.durability.kills import Tally, play
from tests.durability.lost import ENDS, Losses, lose
from tests.durability.model import Model
from tests.durability.power import CUTS, Cuts, Recording, cut, moments

FORGETFUL_SHARE = RESTARTING_SHARE = 10
LIVES_OF_A_FLEET = 200
ALL = 1_000_000


@contextmanager
def errands(*, kind: str = "sqlite", watched: bool = False) -> Iterator[Iterator[Errand]]:
    """Errand after errand, none of which waits for a person where its disk is `watched`."""
    with tempfile.TemporaryDirectory() as name, Model(REPLIES) as model:
        line = _errands(Path(name), model, kind, watched=watched)
        try:
            yield line
        finally:
            line.close()


def _errands(home: Path, model: Model, kind: str, *, watched: bool) -> Iterator[Errand]:
    """Each is cleared away when the next one is asked for."""
    env = {"LD_PRELOAD": str(preload.built(home))} if watched else {}
    numbers = itertools.count()
    while True:
        fleet = Fleet(home / f"fleet{next(numbers)}", warm=True, work="tests.durability.acts", **env)
        try:
            while fleet.born < LIVES_OF_A_FLEET:
                errand = Errand(home / f"errand{next(numbers)}", model, fleet, asks=not watched, kind=kind)
                yield errand
                errand.ground.clear()
                shutil.rmtree(errand.folder)
        finally:
            fleet.close()


def kills(wanted: int = 1_000, seed: int = 7, kind: str = "sqlite") -> bool:
    tallies = {"intent + outcome": Tally(), "outcome only": Tally()}
    with errands(kind=kind) as line:
        for name, tally in tallies.items():
            forgetful = name == "outcome only"
            dice = random.Random(seed)
            while tally.kills < (wanted // FORGETFUL_SHARE if forgetful else wanted):
                play(next(line), dice, tally, forgetful=forgetful)
                progress(f"{name}: {tally.kills} kills, {tally.duplicates} duplicates")
    good, control = tallies.values()
    print(f"{'':<20}{'kills':>8}{'errands':>9}{'duplicates':>12}{'faults':>8}")
    for name, tally in tallies.items():
        print(f"{name:<20}{tally.kills:>8,}{tally.errands:>9,}{tally.duplicates:>12,}{len(tally.faults):>8,}")
    print(*(f"  {point:<26}{times:>6,}" for point, times in sorted(good.at.items())), sep="\n")
    return held(good.faults) and not good.duplicates and control.duplicates > 0


def lost(wanted: int = 300, seed: int = 7) -> bool:
    found = {how: Losses() for how in ENDS}
    with errands(kind="postgres") as line:
        for how, losses in found.items():
            dice = random.Random(seed)
            while losses.times < (wanted if how == "sessions ended" else wanted // RESTARTING_SHARE):
                lose(next(line), how, dice, losses)
                progress(f"{how}: {losses.times} times, {losses.duplicates} duplicates, {len(losses.faults)} faults")
    print(f"{'':<18}{'times':>8}{'sessions':>10}{'errands':>9}{'duplicates':>12}{'faults':>8}   exit codes")
    for how, losses in found.items():
        figures = f"{losses.times:>8,}{losses.sessions:>10,}{losses.errands:>9,}{losses.duplicates:>12,}"
        print(f"{how:<18}{figures}{len(losses.faults):>8,}   {dict(losses.ended)}")
    return held([fault for losses in found.values() for fault in losses.faults])


def power(wanted: int = ALL) -> bool:
    found = {how: Cuts() for how in CUTS}
    with errands(watched=True) as line:
        recording = Recording.of(next(line))
        for how, cuts in found.items():
            for number in moments(recording, wanted):
                cut(recording, number, how, cuts)
                progress(f"{how}: {cuts.cuts} cuts, {cuts.duplicates} duplicates, {len(cuts.faults)} faults")
    print(f"{len(recording.ops)} operations")
    print(f"{'not synced is':<14}{'cuts':>8}{'not begun':>11}{'damaged':>9}{'duplicates':>12}{'faults':>8}")
    for how, cuts in found.items():
        figures = f"{cuts.cuts:>8,}{cuts.anew:>11,}{cuts.told:>9,}{cuts.duplicates:>12,}{len(cuts.faults):>8,}"
        print(f"{how:<14}{figures}")
    return held([fault for cuts in found.values() for fault in cuts.faults])


def one_broken(wanted: int = ALL) -> bool:
    found = {kind: Breaks() for kind in KINDS}
    with errands(watched=True) as line:
        whole = next(line)
        operations = whole.live(io={"folder": str(whole.home)}).said["operations"]
        for kind, breaks in found.items():
            for at in range(1, operations, max(1, operations // wanted)):
                broken(next(line), kind, at, breaks)
                progress(f"{kind}: {breaks.tried} of {operations}, {len(breaks.faults)} faults")
    print(f"{operations} operations")
    print(f"{'':<12}{'tried':>8}{'exit 0':>8}{'exit 3':>8}{'duplicates':>12}{'faults':>8}")
    for kind, breaks in found.items():
        codes = f"{breaks.ended[0]:>8,}{breaks.ended[3]:>8,}"
        print(f"{kind:<12}{breaks.tried:>8,}{codes}{breaks.duplicates:>12,}{len(breaks.faults):>8,}")
    return held([fault for breaks in found.values() for fault in breaks.faults])


def held(faults: list[str]) -> bool:
    print(*(f"FAULT {fault}" for fault in faults), sep="\n")
    return not faults


def progress(text: str) -> None:
    print(f"\r{text}", end="", file=sys.stderr)


def main() -> int:
    commands: dict[str, Callable[..., bool]] = {"kills": kills, "lost": lost, "power": power, "broken": one_broken}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=commands)
    parser.add_argument("numbers", nargs="*", type=int, metavar="N")
    parser.add_argument("--store", choices=GROUNDS, default="sqlite")
    asked = parser.parse_args()
    more = {"kind": asked.store} if asked.what == "kills" else {}
    began = time.monotonic()
    whole = commands[asked.what](*asked.numbers, **more)
    print(f"{time.monotonic() - began:,.0f} s")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
