"""By hand: `python -m tests.durability kills [N] [SEED]`: so many kills, four in a row; a table at the end."""

# ruff: noqa: T201  # it prints its figures

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.books.fleet import Fleet
from tests.durability.errand import REPLIES, Errand
from tests.durability.kills import Tally, play
from tests.durability.model import Model

FORGETFUL_SHARE = 10
"""The negative control gets a tenth of the kills."""
LIVES_OF_A_FLEET = 200


@contextmanager
def errands() -> Iterator[Iterator[Errand]]:
    """Errand after errand; each is cleared away when the next one is asked for."""

    def made() -> Iterator[Errand]:
        count = 0
        while True:
            with Model(REPLIES) as model:
                fleet = Fleet(home / f"fleet{count}", warm=True, work="tests.durability.acts")
                try:
                    while fleet.born < LIVES_OF_A_FLEET:
                        count += 1
                        errand = Errand(home / f"errand{count}", model, fleet)
                        yield errand
                        shutil.rmtree(errand.folder)
                finally:
                    fleet.close()

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        line = made()
        try:
            yield line
        finally:
            line.close()


def kills(wanted: int, seed: int) -> bool:
    """Kill so often; whether everything held and the control was caught."""
    tallies = {"intent + outcome": Tally(), "outcome only": Tally()}
    began = time.monotonic()
    with errands() as line:
        for name, tally in tallies.items():
            forgetful = name == "outcome only"
            dice = random.Random(seed)
            while tally.kills < (wanted // FORGETFUL_SHARE if forgetful else wanted):
                play(next(line), dice, tally, forgetful=forgetful)
                print(f"\r{name}: {tally.kills} kills, {tally.duplicates} duplicates", end="", file=sys.stderr)
            print(file=sys.stderr)
    good, control = tallies.values()
    print(f"{'':<20}{'kills':>8}{'errands':>9}{'duplicates':>12}{'faults':>8}")
    for name, tally in tallies.items():
        print(f"{name:<20}{tally.kills:>8,}{tally.errands:>9,}{tally.duplicates:>12,}{len(tally.faults):>8,}")
    print()
    for point, times in sorted(good.at.items()):
        print(f"  {point:<26}{times:>6,}")
    print(f"\n{time.monotonic() - began:,.0f} s, seed {seed}")
    for fault in good.faults:
        print(f"FAULT {fault}")
    return not good.faults and not good.duplicates and control.duplicates > 0


if __name__ == "__main__":
    _, what, *rest = [*sys.argv, "kills"] if len(sys.argv) == 1 else sys.argv
    numbers = [int(word) for word in rest]
    sys.exit(0 if what == "kills" and kills(*[*numbers, *(1_000, 7)[len(numbers) :]][:2]) else 1)
