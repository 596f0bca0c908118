"""A file of calls and what a policy should make of them, for `policy test --cases FILE`.

[[cases]]
tool = "shell"
args = { command = "git push" }
expect = "ask"
"""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Literal

from agentctl.config import schema, toml
from agentctl.config.problems import invalid
from agentctl.core.bounds import Name, table
from agentctl.core.messages import JsonObject
from agentctl.core.tiers import Tier
from agentctl.records import dataclass

Decision = Literal["allow", "ask", "deny"]


@table
class Case:
    """One entry of `[[cases]]`."""

    tool: Name
    """A tool's name."""
    expect: Decision
    """allow: it runs by itself; ask: a person decides; deny: it is refused."""
    args: JsonObject = field(default_factory=dict[str, object])
    """Its arguments."""
    tier: Tier | None = None
    """The tier that it should have."""
    untrusted: bool = False
    """Whether somebody else's words are in the run by then."""
    why: str = ""
    """What the case is there for."""


@table
class Cases:
    """A whole file."""

    version: int = 1
    """The version of this format."""
    cases: tuple[Case, ...] = ()
    """The calls."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A case and where it stands."""

    case: Case
    file: str
    line: int


def load(path: Path) -> tuple[Placed, ...]:
    """The cases of a file.

    Raises:
        Invalid: with every problem; also where there are none, since a test of nothing would pass.
    """
    document = toml.load(path)
    found = schema.validate(Cases, document)
    if not found.cases:
        raise invalid([document.problem(("cases",), "expected at least one [[cases]]")])
    lines = (document.place(("cases", number))[0] for number in range(len(found.cases)))
    return tuple(Placed(case, document.file, line) for case, line in zip(found.cases, lines, strict=True))
