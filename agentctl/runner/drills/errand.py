"""What a process that is to be killed is told to do, and what it leaves behind: JSON between it and the drill."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from agentctl.config import schema
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.errors import Defect
from agentctl.records import dataclass
from agentctl.rehearsal.drills.scene import Use
from agentctl.rehearsal.script import Script
from agentctl.runner import starting
from agentctl.runner.order import Order


@dataclass(frozen=True, slots=True)
class Errand:
    """One drive of a run, in a process of its own."""

    order: Order
    policy: Policy
    script: Script
    folder: Path
    """Of the drill's store."""
    servers: str
    """The store that knows the tools of the task's servers."""
    now: float
    """When they were listed at the latest, in seconds since the epoch, by the clock that skips waiting."""
    port: int
    """Of the stand-in."""
    hangs: str
    """The tool that is at work until it is killed, the first time that it is called; empty: none."""
    run_id: str = ""
    """The run to go on with; empty: a new one."""

    @property
    def receipts(self) -> Path:
        """A line for each call that reached a tool."""
        return self.folder / "receipts.jsonl"

    @property
    def ended(self) -> Path:
        """What it came to, if it came to an end."""
        return self.folder / "ended.json"


def packed(errand: Errand) -> bytes:
    """As one line."""
    said = {
        "order": starting.spec_of(errand.order),
        "variables": errand.order.variables,
        "policy": schema.plain(errand.policy),
        "script": asdict(errand.script),
        "folder": str(errand.folder.absolute()),
        **{name: getattr(errand, name) for name in ("servers", "now", "port", "hangs", "run_id")},
    }
    return json.dumps(said).encode() + b"\n"


def unpacked(line: bytes) -> Errand:
    """What `packed` wrote.

    Raises:
        Defect: a policy or a script that can't be read back.
    """
    said = json.loads(line)
    policy, wrong = schema.read(Policy, said.pop("policy"))
    script, broken = schema.read(Script, said.pop("script"))
    if policy is None or script is None:
        raise Defect("Errand", f"the drill's policy or script can't be read back: {[*wrong, *broken][:1]}")
    order = replace(starting.order_of("", said.pop("order")), variables=said.pop("variables"))
    return Errand(order, policy, script, Path(said.pop("folder")), **said)


def use_of(line: str, act: int) -> Use:
    """A receipt, as what reached a tool."""
    said: JsonObject = json.loads(line)
    return Use(act, **said)  # type: ignore[arg-type]  # what `receipt` wrote


def receipt(use: Use) -> bytes:
    """One line; the act is the drill's to know."""
    kept = asdict(use)
    del kept["act"]
    return json.dumps(kept).encode() + b"\n"
