"""Drills played from a test: a task from Python values, a policy with keys set to other values, what each came to.

Tools are `cat`: a drill plays them, none is started.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.registry import DRILLS
from agentctl.rehearsal.drills.scene import Change, Finding, Seen
from agentctl.runner.drills.altering import with_change
from agentctl.runner.drills.drilling import Outcome, Wanted, run
from agentctl.runner.order import Order

SHAPE = {
    "type": "object",
    "properties": {"status": {"type": "string"}},
    "required": ["status"],
    "additionalProperties": False,
}
FORBIDS = """version = 1
extends = "standard"

[[risk.rules]]
tool = "wipe"
tier = "forbid"
why = "nobody wipes anything here"
"""


def tool(name: str, effects: str = "none", **more: Any) -> dict[str, Any]:
    """A tool that takes one text."""
    parameters = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    return {
        "name": name,
        "description": f"Does {name}.",
        "command": ["cat"],
        "parameters": parameters,
        "side_effects": effects,
        **more,
    }


FREE = (tool("search_notes"), tool("read_note", max_calls_per_session=3), tool("wipe", "irreversible"))


def a_task(folder: Path, *tools: Mapping[str, Any], **more: Any) -> Path:
    """A task file in this folder."""
    path = folder / "task.toml"
    policy = folder / "policy.toml"
    policy.write_text(FORBIDS)
    body = {"version": 1, "name": "drilled", "policy": policy.name, "system": "You look things up."}
    body |= {"goal": "Find out what the notes say of tidal power.", "tools": [dict(each) for each in tools], **more}
    path.write_text(tomli_w.dumps(body))
    return path


@dataclass
class Played:
    """What a drill came to, and what it was judged by."""

    outcome: Outcome
    ground: Ground | None = None

    def judged(self, **changed: Any) -> Finding:
        """The verdict, had something else been seen."""
        seen = self.outcome.seen
        assert seen is not None
        assert self.ground is not None
        return self.outcome.drill.judge(self.ground, replace(seen, **changed))

    @property
    def seen(self) -> Seen:
        """What was seen of it."""
        assert self.outcome.seen is not None
        return self.outcome.seen


class Quiet:
    """Nobody watches."""

    def begun(self, *_: object) -> None:
        """One begins."""

    def ended(self, *_: object) -> None:
        """One has ended."""


def play(task: Path, folder: Path, *names: str, policy: str | None = None, **keys: Any) -> dict[str, Played]:
    """Play these drills under the task's policy, or another, with keys (`retry__jitter=False`) set."""
    changes = [Change(name.replace("__", "."), value) for name, value in keys.items()]
    played: dict[str, Played] = {}

    def altered(under: Any) -> Any:
        for change in changes:
            under = with_change(under, change)
        return under

    def listening(drill: Any) -> Any:
        def judge(ground: Ground, seen: Seen) -> Finding:
            grounds.setdefault(drill.name, ground)  # the first time: not under a remedy
            return drill.judge(ground, seen)

        return replace(drill, judge=judge)

    grounds: dict[str, Ground] = {}
    drills = tuple(listening(drill) for drill in DRILLS if drill.name in names)
    assert len(names) == len(drills)
    folder.mkdir(exist_ok=True)
    for outcome in run(Wanted(Order(task, policy), drills, folder, alter=altered), Quiet()):
        name = outcome.drill.name
        played[name] = Played(outcome, grounds.get(name))
    return played


def verdicts(played: Mapping[str, Played]) -> dict[str, bool | None]:
    """Which held; None: it does not apply."""
    return {name: each.outcome.passed for name, each in played.items()}
