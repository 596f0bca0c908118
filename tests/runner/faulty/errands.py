"""A hundred runs that meet a fault: 25 bad arguments, 25 contexts that overflow, 25 rate limits, 25 tools that fail.

Each has an errand: to find out where a parcel lies. Only a tool knows it (`fact`, drawn anew for each run), and the
script's last reply repeats it; so an answer is worth something where the request behind it holds what the tool said.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.runner.stage import APIS, Reply, Stage

SEED = 20_260_731
Lay = Callable[["Errand"], None]


@dataclass
class Errand:
    """One run on a stage of its own."""

    stage: Stage
    number: int
    dice: random.Random
    fact: str = field(init=False)
    tool: str = field(init=False)
    """Another name for each, since tools of one definition share a circuit."""

    def __post_init__(self) -> None:
        self.fact = f"aisle {self.dice.randrange(10**9)}"
        self.tool = f"find_parcel_{self.number}"
        self.stage.task["goal"] = f"Find out where parcel P-17 of order {self.number} lies."

    @property
    def told(self) -> str:
        """A tool's whole output, with the fact in it."""
        return f"printf '%s' '{json.dumps({'where': self.fact})}'"

    @property
    def ends(self) -> Reply:
        return Reply(text=f"Parcel P-17 lies in {self.fact}.")


@dataclass(frozen=True)
class Case:
    """What goes wrong, in a few words, and how."""

    name: str
    lay: Lay

    def on(self, stages: Callable[..., Stage], number: int) -> Errand:
        """The APIs take turns, and every draw follows from the seed and the case's number."""
        errand = Errand(stages(APIS[number % 3]), number, random.Random(SEED + number))
        self.lay(errand)
        return errand
