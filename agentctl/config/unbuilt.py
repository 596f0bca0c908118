"""What a file may say that this version does not do yet: refused where ignoring it would be unsafe, else one line.

A row goes when its guard comes; with the last one this file goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.config.problems import dotted
from agentctl.errors import Problem

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.task import LoadedTask

NOT_ENFORCED = "not enforced by this version; remove it to run without it"
TABLES = ("alerts", "telemetry")
"""Tables of a policy that nothing asks yet."""
UNSAFE = "reconcile"
"""Of a tool's `recovery`."""


def refusals(task: LoadedTask) -> list[Problem]:
    """What a task asks for that would silently not happen."""
    asked = (number for number, tool in enumerate(task.task.tools) if tool.recovery == UNSAFE)
    return [task.document.problem(("tools", number, "recovery"), NOT_ENFORCED) for number in asked]


def notices(policy: LoadedPolicy) -> list[str]:
    """Lines about what is not done yet and does no harm."""
    lines: list[str] = []
    keys = sorted(path for path in policy.explicit if len(path) == 2 and path[0] in TABLES)
    own = [dotted(path) for path in keys if path[1] != "enabled"]  # obeyed where there is nothing to enforce
    if own:
        lines.append(f"{policy.name}: without effect in this version: {', '.join(own)}")
    asked = [name for name in TABLES if getattr(policy.policy, name).enabled]
    if asked:
        lines.append(f"not enforced by this version: {', '.join(f'[{name}]' for name in asked)}")
    return lines
