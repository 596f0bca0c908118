"""Kills in a row at random failpoints: what `python -m tests.durability kills N` and the tests share."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.durability.errand import KILLED, Errand
from tests.durability.points import POINTS

IN_A_ROW = 4
FORGOTTEN: Final = ("after-intent", "before-outcome")
"""Where a driver dies that writes no intents: elsewhere they are hardly missed."""


@dataclass
class Tally:
    """What many errands came to."""

    errands: int = 0
    kills: int = 0
    duplicates: int = 0
    faults: list[str] = field(default_factory=list)
    at: Counter[str] = field(default_factory=Counter)
    """Where they were killed."""

    def add(self, errand: Errand) -> None:
        """Count an errand that is over."""
        self.errands += 1
        self.kills += sum(life.code == KILLED for life in errand.lives)
        self.duplicates += errand.duplicates()
        self.faults += [f"{errand.run_id}: {fault}" for fault in errand.faults()]


def play(errand: Errand, dice: random.Random, tally: Tally, *, forgetful: bool = False) -> None:
    """Four lives that may end at a random failpoint, with whatever a person has to say between; then to the end."""
    for _ in range(IN_A_ROW):
        # Most points are passed once in a life that is short; the writer's at every commit.
        points = FORGOTTEN if forgetful else POINTS[errand.kind]
        point, passage = dice.choice(points), 1 + int(dice.expovariate(0.5 if forgetful else 1.0))
        life = errand.live(f"{point}:{passage}", forgetful=forgetful)
        if life.code == KILLED:
            tally.at[point] += 1
        elif life.code == 12:
            errand.answer()
        elif life.code == 0:
            break
    else:
        errand.to_the_end(forgetful=forgetful)
    tally.add(errand)
