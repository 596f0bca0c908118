"""The items, in the order of their rows, and what they come to.

Each is yes or no, decided from what runs decide by. Where a row asks for several things it fails for want of any of
them; a thing that several rows ask for is missing in each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentctl.core.audit import gates, limits, outside, sight, tooling
from agentctl.core.audit.cautions import cautions
from agentctl.core.audit.degradation import Way, paths, ways
from agentctl.core.audit.facts import Facts, Lack, Said
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the checklist."""

    id: str
    text: str
    judge: Callable[[Facts], Said]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an item came to."""

    id: str
    item: str
    lacks: tuple[Lack, ...]
    holds: str
    """What was found where nothing is missing."""

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return not self.lacks

    @property
    def why(self) -> str:
        """What was found."""
        return "; ".join(each.why for each in self.lacks) or self.holds

    @property
    def fix(self) -> str:
        """All that mends it; empty where nothing is missing."""
        return "; ".join(dict.fromkeys(each.fix for each in self.lacks))


@dataclass(frozen=True, slots=True)
class Audit:
    """The whole of it."""

    items: tuple[Verdict, ...]
    degradation: tuple[Way, ...]
    warnings: tuple[str, ...]

    @property
    def missing(self) -> tuple[Verdict, ...]:
        """What does not hold."""
        return tuple(each for each in self.items if not each.ok)

    @property
    def ok(self) -> bool:
        """Whether it may touch production. Anything missing is a real risk. E37"""
        return not self.missing


ITEMS: tuple[Item, ...] = (
    Item("B52", "a step limit is set and enforced", limits.steps),
    Item("B53", "a token budget is set and tracked", limits.tokens),
    Item("B54", "loops are detected", limits.loops),
    Item("B55", "tool failures are handled", tooling.failures),
    Item("B56", "high-risk calls wait for a yes", gates.high),
    Item("B57", "every action is recorded", sight.recorded),
    Item("B58", "somebody hears of failures", sight.receivers),
    Item("B59", "a person decides what can't be taken back", gates.irreversible),
    Item("C48", "arguments are checked strictly, errors are structured", limits.arguments),
    Item("C49", "a window per minute, retries with jitter", limits.pace),
    Item("C50", "the context is trimmed by tokens", limits.window),
    Item("C51", "guardrails of several kinds", limits.guardrails),
    Item("C52", "a circuit, and a second provider", outside.second),
    Item("C53", "the cache is on and watched", outside.cached),
    Item("C54", "secrets are masked before anything is written", sight.masked),
    Item("C55", "loops, cache misses and circuits are events", sight.events),
    Item("D51", "instrumented before shipping", sight.instrumented),
    Item("D64", "what is retried is idempotent", tooling.repeats),
    Item("D65", "each tool has a bound in time", tooling.time),
    Item("D66", "arguments and results are typed", tooling.types),
    Item("D67", "whether to retry is explicit", tooling.retries),
    Item("D68", "what sends, writes or charges outside is gated", gates.effects),
    Item("D96", "there is evidence, sight and a way back", sight.evidence),
    Item("D111", "the contracts pass review before launch", tooling.contracts),
    Item("E28", "steps and each request have a hard budget", limits.request),
    Item("E29", "time and circuit on every external call", outside.bounded),
    Item("E30", "saved at each call, nothing is done twice", tooling.once),
    Item("E31", "a trace replays any run", sight.replayed),
    Item("E32", "a way down for every dependency", paths),
)


def audit(facts: Facts, only: Sequence[str] = ()) -> Audit:
    """Judge every item, or only those; the ways down and the warnings are of the whole."""
    chosen = [item for item in ITEMS if not only or item.id in only]
    return Audit(tuple(_judged(facts, item) for item in chosen), ways(facts), tuple(cautions(facts)))


def _judged(facts: Facts, item: Item) -> Verdict:
    said = list(item.judge(facts))
    lacks = tuple(dict.fromkeys(each for each in said if isinstance(each, Lack)))
    return Verdict(item.id, item.text, lacks, ", ".join(each for each in said if isinstance(each, str)))
