"""Commands that have commands of their own: bare groups, and nouns that show something where they are named alone.

What a command is stands here and in `app` as `module.function`: to import and to build them all is a sixth of what
`agentctl runs` takes, so that each is built when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

Member: TypeAlias = tuple[str, str, str]
"""Name, function, example."""
Group: TypeAlias = tuple[str, str, str, tuple[Member, ...]]
"""Panel, name, what it is about, members."""
NOUNS: tuple[tuple[str, str, str, str, tuple[Member, ...]], ...] = (
    (
        "See",
        "runs",
        "runs.runs",
        "agentctl runs --status parked --since 3d",
        (("prune", "pruning.prune", "agentctl runs prune --older-than 30d --dry-run"),),
    ),
    (
        "See",
        "budget",
        "budget.budget",
        "agentctl budget --user ada",
        (("reset", "budget.reset", "agentctl budget reset user_daily_usd:ada"),),
    ),
    (
        "See",
        "circuits",
        "circuits.circuits",
        "agentctl circuits --json",
        (("reset", "circuits.reset", "agentctl circuits reset claude-sonnet-4-6"),),
    ),
    (
        "See",
        "alerts",
        "alerts.alerts",
        "agentctl alerts --open",
        (
            ("list", "alerts.listed", "agentctl alerts list --since 7d"),
            ("check", "alerting.check", "agentctl alerts check --policy demo/policy.toml"),
            ("test", "alerting.tried", "agentctl alerts test --policy demo/policy.toml"),
        ),
    ),
)
"""Panel, name, function, example, members."""


def command(panel: str, name: str, path: str, example: str) -> Any:  # noqa: ANN401 -- typer hides the type
    """Build a command alone."""
    alone = typer.Typer(add_completion=False)
    alone.command(name, rich_help_panel=panel, epilog=_shown(example))(_function(path))
    return get_command(alone)


def group(panel: str, name: str, about: str, members: tuple[Member, ...]) -> TyperGroup:
    """Build a bare group."""
    return _with(members, typer.Typer(name=name, no_args_is_help=True, help=about), panel)


def noun(panel: str, name: str, path: str, example: str, members: tuple[Member, ...]) -> TyperGroup:
    """Build a group that is a command too."""
    made = typer.Typer(name=name)
    made.callback(invoke_without_command=True, epilog=_shown(example))(_function(path))
    return _with(members, made, panel)


def _with(members: tuple[Member, ...], made: typer.Typer, panel: str) -> TyperGroup:
    for name, path, example in members:
        made.command(name, epilog=_shown(example))(_function(path))
    built = get_group(made)
    built.rich_help_panel = panel  # typer drops that of a group which stands in no other of its own
    return built


def _shown(example: str) -> str:
    return f"Example: {example}"


def _function(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"agentctl.cli.{module}"), name)
    return found
