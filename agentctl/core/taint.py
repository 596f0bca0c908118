"""What a run knows of words that are somebody else's: facts, as values and as an event."""

from __future__ import annotations

from typing import Literal

from agentctl.records import dataclass

Label = Literal["untrusted", "private", "egress"]


@dataclass(frozen=True, slots=True)
class Copied:
    """A part of a call's arguments that stands in untrusted text too."""

    text: str
    """As the arguments have it; scrubbed where an event carries it."""
    source: str
    """The tool or variable (`var.NAME`) whose words they are."""
    recipient: bool = False
    """It is a host or an address that the run first saw there: no earlier approval covers it."""


@dataclass(frozen=True, slots=True)
class InjectionSuspected:
    """Somebody else's words read like orders to the model. Advice: nothing is decided by it. D109"""

    tool: str
    """Whose words they are: a tool, `goal`, or `var.NAME`."""
    kind: str
    call_id: str = ""
