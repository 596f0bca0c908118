"""How dangerous one exact call is, and whether it may run without asking.

Rules.
1. Of the `[[risk.rules]]` that match, the strictest decides, wherever it stands; a rule that matches says more than
   a tier by name, that more than a built-in's own tier, that more than the contract, and that more than `unknown`.
2. So once a rule speaks, another rule can only make the call stricter.
3. Under `contracts = "raise_only"` nothing is below what the contract says, whoever said it.
4. What a server that nobody trusts says of its tool may only raise, and gives way only to a policy that names the tool.
5. Where a path has a `[*]`, a rule matches when every element does. Where only some do it speaks too, and may only make
   the call stricter: one bad recipient is enough to ask, and one good one is not enough to let run.
6. `forbid` is no tier: the call is refused, whatever may run by itself and whoever would say yes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Literal

from agentctl.core import envelope
from agentctl.core.argpath import covers, lookup
from agentctl.core.bounds import Name, table
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.core.task import SideEffects
from agentctl.core.tiers import Tier
from agentctl.records import dataclass, replace

Verdict = Literal["safe", "low", "medium", "high", "forbid"]
Held = Literal["every", "some", "none"]
"""How many of the values at its paths a rule is about."""
WORDS: dict[Tier, Verdict] = {Tier.SAFE: "safe", Tier.LOW: "low", Tier.MEDIUM: "medium", Tier.HIGH: "high"}
NAMED = {
    "search_web": Tier.SAFE,
    "read_file": Tier.SAFE,
    "write_file": Tier.LOW,
    "send_email": Tier.MEDIUM,
    "post_tweet": Tier.MEDIUM,
    "delete_record": Tier.HIGH,
    "process_payment": Tier.HIGH,
}


@table
class Rule:
    """One entry of `[[risk.rules]]`."""

    tool: Name
    """A tool's name; `*` stands for any characters."""
    tier: Verdict
    """`forbid`: the tool is not even shown to the model."""
    args: dict[str, str] = field(default_factory=dict[str, str])
    """JSON path (`to[0].address`, `to[*]`, `["a.b"]`) to RE2 pattern; all must match."""
    why: str = ""
    match: tuple[JsonObject, ...] = ()
    """Arguments that this rule must match; checked at load."""
    not_match: tuple[JsonObject, ...] = ()
    """Arguments that this rule must not match; checked at load."""


@table
class Rules:
    """The policy's `[risk]`."""

    enabled: bool = True
    """False is printed at every start."""
    auto_approve: Tier = Tier.LOW
    """Tiers up to this one run without asking. B40"""
    unknown: Tier = Tier.HIGH
    """A tool that nobody classified. B39"""
    contracts: Literal["classify", "raise_only"] = "classify"
    """classify: a tool's side_effects give its tier; raise_only: they may only raise it."""
    tiers: dict[str, Tier] = field(default_factory=lambda: dict(NAMED))
    """Tiers by tool name; merged with the inherited ones. B32-B38"""
    rules: tuple[Rule, ...] = ()
    """The strictest matching rule decides; rules of parents come first."""


EFFECT_TIERS: dict[SideEffects, Tier] = {
    "none": Tier.SAFE,
    "local": Tier.LOW,
    "external": Tier.MEDIUM,
    "irreversible": Tier.HIGH,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """What setup knows of the rules and the core can't: how a pattern is looked for, and where each rule stands."""

    finds: Callable[[str, str], bool]
    """Whether a pattern is found in a text."""
    places: tuple[str, ...] = ()
    """`policy.toml:12`, in the order of the rules; for people."""
    tiers: Mapping[str, str] = field(default_factory=dict[str, str])
    """The same for each tier by name."""


def _unread(pattern: str, text: str) -> bool:
    # A rule that can't be looked for is not passed over.
    raise LookupError(f"nobody gave a reader for {pattern!r}, to look in {len(text)} characters")


UNREAD = Reader(_unread)
"""Enough for rules without patterns."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The tier of a call and what set it."""

    tier: Tier
    rule: str
    forbidden: bool = False
    """It is refused; nobody is asked."""
    spoke: tuple[int, ...] = ()
    """The numbers of all rules that matched, in their order."""
    decided: int | None = None
    """The number of the rule that set the tier; None: none did."""

    @property
    def word(self) -> Verdict:
        """What a rule would have to say for this."""
        return "forbid" if self.forbidden else WORDS[self.tier]


def tier(
    rules: Rules,
    contract: Contract,
    args: JsonObject | None = None,
    reader: Reader = UNREAD,
    own: Ruling | None = None,
) -> Ruling:
    """The tier of a call: by rule, by name, else the built-in's own, else its contract, else unknown. B39

    Without `args` it is that of the tool: rules about arguments stay silent. `own` takes the place of the built-in's
    own tier, where one looks at its arguments.
    """
    ruling = _ruled(rules, contract, args, reader, _unruled(rules, contract, reader, own))
    return max([ruling, *_floors(rules, contract, ruling)], key=lambda each: rank(each.word))  # the first


def _floors(rules: Rules, contract: Contract, ruling: Ruling) -> Iterator[Ruling]:
    """What it can't be below: its contract where that may only raise, and what its server says against itself.

    The second gives way to a policy that names this very tool, unless contracts only raise.
    """
    effects, warned = contract.side_effects, contract.warned
    only_raise = rules.contracts == "raise_only"
    if effects is not None and only_raise:
        yield Ruling(EFFECT_TIERS[effects], f'side_effects = "{effects}"', spoke=ruling.spoke)
    if warned is not None and (only_raise or not _by_name(rules, contract, ruling)):
        yield Ruling(EFFECT_TIERS[warned], f'its server says "{warned}"', spoke=ruling.spoke)


def _by_name(rules: Rules, contract: Contract, ruling: Ruling) -> bool:
    own = (contract.name, contract.wire)
    if ruling.decided is not None:
        return rules.rules[ruling.decided].tool in own
    return any(name in rules.tiers for name in own)


def _ruled(rules: Rules, contract: Contract, args: JsonObject | None, reader: Reader, unruled: Ruling) -> Ruling:
    """What the strictest matching rule says, of several the first; where none matches, what is said without rules.

    A rule that only some elements match is heard beside that.
    """
    spoke = {at: held for at, rule in enumerate(rules.rules) if (held := holds(rule, contract, args, reader)) != "none"}
    fully = [at for at, held in spoke.items() if held == "every"]
    base = _said(rules, max(fully, key=lambda at: rank(rules.rules[at].tier)), reader) if fully else unruled
    partly = [at for at, held in spoke.items() if held == "some"]
    found = max([base, *(_said(rules, at, reader) for at in partly)], key=lambda each: rank(each.word))  # the first
    return replace(found, spoke=tuple(spoke))


def _said(rules: Rules, at: int, reader: Reader) -> Ruling:
    """What one rule says."""
    rule, place = rules.rules[at], reader.places[at] if at < len(reader.places) else f"risk.rules[{at}]"
    said = f"{place} ({rule.why})" if rule.why else place
    forbidden = rule.tier == "forbid"
    return Ruling(Tier.HIGH if rule.tier == "forbid" else Tier.of(rule.tier), said, forbidden, decided=at)


def _unruled(rules: Rules, contract: Contract, reader: Reader, own: Ruling | None) -> Ruling:
    """What is said of the tool itself."""
    effects = contract.side_effects
    for name in (contract.name, contract.wire):  # the name on the wire is another way to write it, not another tool
        if name in rules.tiers:
            place = f" ({reader.tiers[name]})" if name in reader.tiers else ""
            return Ruling(rules.tiers[name], f"risk.tiers.{name}{place}")
    if contract.base_tier is not None:
        return own or Ruling(contract.base_tier, "built-in")
    if effects is not None and rules.contracts == "classify":
        return Ruling(EFFECT_TIERS[effects], f'side_effects = "{effects}"')
    return Ruling(rules.unknown, "risk.unknown")


def rank(verdict: Verdict) -> int:
    """Verdicts as numbers, the strictest the largest."""
    return len(Tier) if verdict == "forbid" else Tier.of(verdict)


def names(rule: Rule, contract: Contract) -> bool:
    """Whether a rule is about this tool, by its name as shown or on the wire."""
    return covers(rule.tool, contract.name) or covers(rule.tool, contract.wire)


def matches(rule: Rule, contract: Contract, args: JsonObject | None, reader: Reader) -> bool:
    """Whether a rule speaks about this call: every pattern is found in every value at its path."""
    return holds(rule, contract, args, reader) == "every"


def holds(rule: Rule, contract: Contract, args: JsonObject | None, reader: Reader) -> Held:
    """How far a rule is about this call."""
    if not names(rule, contract) or (rule.args and args is None):
        return "none"
    return found(rule.args, args or {}, reader.finds)


def found(patterns: Mapping[str, str], args: JsonObject, finds: Callable[[str, str], bool]) -> Held:
    """Whether each pattern is found in every value at its path, in some, or one of them in none."""
    held: Held = "every"
    for path, pattern in patterns.items():
        hits = [text is not None and finds(pattern, text) for text in lookup(args, path)]
        if not any(hits):
            return "none"
        held = held if all(hits) else "some"
    return held


def check(rules: Rules, contract: Contract, args: JsonObject | None = None, reader: Reader = UNREAD) -> Ruling | None:
    """The ruling that keeps the call from running by itself, or None. Compared as numbers (H1)."""
    ruling = tier(rules, contract, args, reader)
    return ruling if forbids(rules, ruling) or above(rules, ruling.tier) else None


def above(rules: Rules, tier: Tier) -> bool:
    """Whether a tier is more than may run without asking."""
    return rules.enabled and tier > rules.auto_approve


def forbids(rules: Rules, ruling: Ruling) -> bool:
    """Whether the call is refused."""
    return rules.enabled and ruling.forbidden


def hidden(rules: Rules, contract: Contract) -> bool:
    """Whether the tool is forbidden whatever its arguments: then the model is not even shown it."""
    return forbids(rules, tier(rules, contract))


def refusal(contract: Contract, ruling: Ruling) -> Envelope:
    """The answer to a forbidden call."""
    text = f"Not run: the policy forbids this call of {contract.name}: {ruling.rule}."
    return envelope.permanent(text, code="FORBIDDEN", hint="Do it in another way, or answer without it.")
