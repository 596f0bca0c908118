"""What a shell command is made of, and how dangerous that is.

`tools/shell_reading.py` reads the text with a real grammar; what it found is judged here. Fails closed: a command is
safe only as one plain command of literal words whose program and options are in the table. Of a compound each part is
judged alone and shown, the strictest decides, and it asks in any case: what its parts do to each other nobody judged.
"""

from __future__ import annotations

from agentctl.core import programs
from agentctl.core.tiers import Tier
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One command within a command."""

    text: str
    words: tuple[str, ...] = ()
    """What the program will be given; empty: that can't be said beforehand."""
    why: str = ""
    """Why not."""
    spellings: tuple[str, ...] = ()
    """The commands in it without quotes and wrappers, as far as they can be told: for rules that make it stricter."""
    more: bool = False
    """There are more than these: it counts as holding what is forbidden."""


@dataclass(frozen=True, slots=True)
class Command:
    """All that a shell would start for one text."""

    parts: tuple[Part, ...]
    why: str = ""
    """Why it is more than one plain command; empty: it is one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The tier of a part, and what set it."""

    tier: Tier
    why: str


def judge(part: Part) -> Verdict:
    """One part alone."""
    if not part.words:
        return Verdict(Tier.HIGH, part.why or "can't be judged")
    why = programs.check(part.words)
    return Verdict(Tier.HIGH, why) if why else Verdict(Tier.SAFE, f"{part.words[0]} only reads here")


def plain(command: Command) -> bool:
    """Whether it is one plain command of literal words."""
    return not command.why and len(command.parts) == 1 and bool(command.parts[0].words)


def only_reads(command: Command | None) -> bool:
    """Whether the table knows that it writes nothing, whatever a rule makes of it."""
    return command is not None and ruling(command).tier is Tier.SAFE


def ruling(command: Command) -> Verdict:
    """The whole."""
    if plain(command):
        return judge(command.parts[0])
    found = [judge(part) for part in command.parts]
    reasons = dict.fromkeys(
        [command.why or "more than one command", *(each.why for each in found if each.tier > Tier.SAFE)]
    )
    return Verdict(Tier.HIGH, "; ".join(list(reasons)[:3]))
