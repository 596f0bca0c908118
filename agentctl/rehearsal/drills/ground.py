"""What a task and its policy offer a drill: the tools that can be made to fail, with arguments that they accept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field

from agentctl.core import sampling
from agentctl.core.contract import Contract
from agentctl.core.guards import risk
from agentctl.core.messages import JsonObject, is_object
from agentctl.core.policy import Policy, Provider
from agentctl.core.setup import Setup
from agentctl.core.task import Var
from agentctl.records import dataclass
from agentctl.rehearsal.script import Call, Person, Reply, Script

YES = 20
"""How often a person lets each tool run: more than any drill asks."""


@dataclass(frozen=True, slots=True)
class Target:
    """A tool, and arguments for it."""

    contract: Contract
    examples: tuple[JsonObject, ...]
    """That the task's own script uses."""

    @property
    def name(self) -> str:
        """As shown and ruled."""
        return self.contract.name

    @property
    def varies(self) -> bool:
        """Whether there is more than one way to call it."""
        return sampling.varies(self.contract.parameters)

    def args(self, number: int = 0) -> JsonObject:
        """Arguments that fit; another number gives others, where it varies."""
        if number < len(self.examples):
            return self.examples[number]
        made = sampling.value(self.contract.parameters, number)
        return made if is_object(made) else {}

    def call(self, number: int = 0) -> Call:
        """The model calls it."""
        return Call(self.contract.wire, dict(self.args(number)))

    def calls(self, count: int) -> list[Call]:
        """The first of them, made in one go: each alone would be made after all those before it."""
        made = [each if is_object(each) else {} for each in sampling.values(self.contract.parameters, count)]
        return [Call(self.contract.wire, dict(args)) for args in (*self.examples, *made[len(self.examples) :])][:count]


@dataclass(frozen=True, slots=True)
class Ground:
    """See the module."""

    setup: Setup
    system: str
    """The system prompt, variables filled."""
    goal: str
    output: JsonObject | None
    """The shape that the answer must have; None: any."""
    examples: Mapping[str, tuple[JsonObject, ...]]
    """Arguments of tools in the task's own rehearsal, by the tool's name."""
    variables: Mapping[str, str]
    seed: int
    declared: Mapping[str, Var] = field(default_factory=dict[str, Var])
    """The task's `[vars]`."""

    @property
    def policy(self) -> Policy:
        """The policy that is drilled."""
        return self.setup.policy

    @property
    def answering(self) -> tuple[Provider, ...]:
        """Who may answer, in their order."""
        ready = (one for one in self.policy.providers if one.name in self.setup.ready and "answer" in one.roles)
        return tuple(sorted(ready, key=lambda provider: provider.priority))

    def contracts(self) -> tuple[Contract, ...]:
        """What each tool promises, once."""
        return tuple({contract.name: contract for contract in self.setup.contracts.values()}.values())

    def targets(self) -> Iterator[Target]:
        """Every tool that the model is shown and that accepts what can be made up for it."""
        for contract in self.contracts():
            if risk.hidden(self.policy.risk, contract) or contract.gone:
                continue
            target = Target(contract, self.examples.get(contract.name, ()))
            if contract.check(target.args()) is None:
                yield target

    def readers(self) -> list[Target]:
        """The tools that only read, the freest first."""
        found = [each for each in self.targets() if each.contract.read_only and not each.contract.requires_check]
        return sorted(found, key=_bound)

    def reader(self) -> Target | None:
        """A tool that only reads, the freest first; None: the task has none."""
        return next(iter(self.readers()), None)

    def effect(self) -> Target | None:
        """A tool that changes something, the gravest first; None: the task has none."""
        found = [each for each in self.targets() if not each.contract.read_only and not each.contract.requires_check]
        return min(found, key=_gravity, default=None)

    def final(self) -> Reply:
        """The model's last word, in the shape that the task asks for."""
        return Reply(text=self.good_answer())

    def good_answer(self) -> str:
        """An answer that the task accepts."""
        return "Done." if self.output is None else json.dumps(sampling.value(self.output))

    def yes(self) -> tuple[Person, ...]:
        """A person who lets every tool run, as often as a drill may ask."""
        return tuple(Person(each.name, "y", "the drill lets it run") for each in self.targets() for _ in range(YES))

    def script(self, *replies: Reply, **more: object) -> Script:
        """A script in which a person lets everything run."""
        given: dict[str, object] = {"person": self.yes(), **more}
        return Script(reply=(*replies, self.final()), **given)  # type: ignore[arg-type]  # the fields of a script


def _bound(target: Target) -> tuple[bool, bool, bool]:
    """How little it can be called."""
    contract = target.contract
    limited = contract.max_calls_per_session is not None or contract.max_calls_per_minute is not None
    return not target.varies, limited, contract.remote


def _gravity(target: Target) -> tuple[int, bool]:
    order = ("irreversible", "external", None, "local")
    return order.index(target.contract.side_effects) if target.contract.side_effects in order else 9, False
