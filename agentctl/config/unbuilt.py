"""What a policy may say that this version does not do yet, in one line each.

A row goes when its guard comes; with the last one this file goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.config.problems import dotted

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy

TABLES: tuple[str, ...] = ()
"""Tables of a policy that nothing asks yet."""


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
