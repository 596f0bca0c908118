"""Connections are lost in the middle of errands: what `python -m tests.durability lost` and the tests share."""

import random
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.durability.errand import Errand, Life
from tests.durability.ground import OnServer
from tests.journal import server

BETWEEN_S: Final = {"sessions ended": 0.12, "server restarted": 0.4, "server crashed": 0.4}
"""Seconds between two losses, at the mean: a driver lives for half a second."""
LIVES: Final = 8
"""Of an errand; after that it is left in peace."""
MOST: Final = {"sessions ended": 8, "server restarted": 2, "server crashed": 2}
"""Losses in one life."""
ENDS: Final = {"sessions ended": {0, 12}, "server restarted": {0, 3, 12}, "server crashed": {0, 3, 12, 20}}
"""What may be lost, and how a driver may end then.

Who comes while the server is away is told so, with 3. A server that crashes forgets the last commits that were not
durable, as a disk does when the power goes out: a driver that outlives it stops, with 20, and the run goes on from what
is there.
"""
WORDS: Final = {3: "it can't be connected to", 20: "the store is behind|there is no run"}


@dataclass
class Losses:
    """What came of many lost connections."""

    errands: int = 0
    times: int = 0
    """How often the sessions were ended or the server crashed."""
    sessions: int = 0
    """How many were ended one by one."""
    duplicates: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    """Exit codes of the drivers."""
    faults: list[str] = field(default_factory=list)


def lose(errand: Errand, how: str, dice: random.Random, losses: Losses) -> None:
    """An errand whose drivers lose the server again and again, to its end."""
    for _ in range(LIVES):
        life = _harried(errand, how, dice, losses)
        losses.ended[life.code] += 1
        if life.code == 12:
            errand.answer()
        elif life.code == 0:
            break
        if how == "server crashed":
            _look_again(errand)
    else:
        errand.to_the_end()
    losses.errands += 1
    losses.duplicates += errand.duplicates()
    losses.faults += [f"{how}: {errand.run_id}: {fault}" for fault in (*errand.faults(), *_told(errand, how))]


def _harried(errand: Errand, how: str, dice: random.Random, losses: Losses) -> Life:
    assert isinstance(errand.ground, OnServer)
    member = errand.start()
    for _ in range(MOST[how]):
        time.sleep(dice.expovariate(1 / BETWEEN_S[how]))
        if errand.fleet.ended(member) is not None:
            break
        losses.times += 1
        if how == "sessions ended":
            losses.sessions += errand.ground.cut()
        else:
            server.restart(signal.SIGQUIT if how == "server crashed" else signal.SIGINT)
    return errand.buried(member)


def _look_again(errand: Errand) -> None:
    """A run of which nothing durable was written may be gone, and its user begins anew."""
    run_id, errand.run_id = errand.run_id, ""
    errand.find_run()
    if errand.run_id != run_id:
        errand.lost += ["effects, and no run"] * bool(errand.effects())
        errand.acks.write_text("")


def _told(errand: Errand, how: str) -> list[str]:
    """Every driver came to an end of its own, or said in a line what it had lost."""
    return [
        f"it ended with {life.code}: {life.said}"
        for life in errand.lives
        if life.code not in ENDS[how] or (life.code in WORDS and not re.search(WORDS[life.code], life.said["error"]))
    ]
