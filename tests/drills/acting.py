"""Tasks that are drilled, and a drill played on one: what came of it, and what was seen."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import agentctl
from agentctl.core.policy import Policy
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.registry import DRILLS, Drill
from agentctl.rehearsal.drills.scene import Change, Finding, Seen
from agentctl.runner.drills import drilling
from agentctl.runner.drills.altering import with_change
from agentctl.runner.drills.drilling import Outcome, Wanted
from agentctl.runner.order import Order
from agentctl.runner.plan import unchanged

TEMPLATE = Path(agentctl.__file__).parent / "cli" / "template"
SYSTEM = (
    "You look things up for people and keep notes of what was found, in plain words that anybody can understand, never"
    " making promises that the shop cannot keep, and always naming where a fact came from before you conclude."
)
READS = """
[[tools]]
name = "look_up"
description = "Looks something up."
command = ["true"]
side_effects = "none"
untrusted = true
private = false
egress = false

[tools.parameters]
type = "object"
properties = { query = { type = "string" }, page = { type = "integer" } }
required = ["query"]
additionalProperties = false
"""
POSTS = """
[[tools]]
name = "post"
description = "Posts a text for everybody to read."
command = ["true"]
side_effects = "external"

[tools.parameters]
type = "object"
properties = { text = { type = "string" }, to = { type = "string" } }
required = ["text", "to"]
additionalProperties = false
"""


class Silent:
    """Nobody watches."""

    def begun(self, drill: Drill, number: int, of: int) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...


def shop(folder: Path, **changed: str) -> Path:
    """The task that `init` writes; `changed` replaces what stands in it."""
    shutil.copytree(TEMPLATE, folder, dirs_exist_ok=True)
    file = folder / "task.toml"
    text = file.read_text()
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file


def free(folder: Path, tools: str = READS + POSTS, more: str = "", system: str = SYSTEM) -> Path:
    """A task whose tools take any text."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "task.toml"
    head = f'version = 1\nname = "free"\nsystem = "{system}"\ngoal = "Find out about {{{{topic}}}}."\n'
    file.write_text(f'{head}[vars.topic]\ndefault = "parcels"\n{tools}{more}')
    return file


def played(
    task: Path, *names: str, policy: str = "standard", alter: Callable[[Policy], Policy] = unchanged
) -> dict[str, Outcome]:
    """The drills of these names on a task, by name."""
    assert set(names) <= {drill.name for drill in DRILLS}
    return _outcomes(task, tuple(drill for drill in DRILLS if drill.name in names), policy, alter)


def judged(
    task: Path, name: str, *doctored: Callable[[Seen], Seen], alter: Callable[[Policy], Policy] = unchanged
) -> list[Finding]:
    """What a drill finds when it sees something else than what was there: once for each way to doctor it."""
    drill = next(each for each in DRILLS if each.name == name)
    found: list[Finding] = []

    def judge(ground: Ground, seen: Seen) -> Finding:
        found.extend(drill.judge(ground, change(seen)) for change in doctored)
        return found[0]

    _outcomes(task, (dataclasses.replace(drill, judge=judge),), "standard", alter)
    return found[: len(doctored)]


def _outcomes(
    task: Path, drills: tuple[Drill, ...], policy: str, alter: Callable[[Policy], Policy]
) -> dict[str, Outcome]:
    folder = task.parent / f"drills-{len(list(task.parent.glob('drills-*')))}"
    folder.mkdir()
    outcomes = drilling.run(Wanted(Order(task, policy), drills, folder, alter=alter), Silent())
    return {outcome.drill.name: outcome for outcome in outcomes}


def changed(**keys: Any) -> Callable[[Policy], Policy]:
    """A policy with these keys, `scrub__enabled=False`."""

    def alter(policy: Policy) -> Policy:
        for name, value in keys.items():
            policy = with_change(policy, Change(name.replace("__", "."), value))
        return policy

    return alter
