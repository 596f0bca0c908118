"""Commands that have commands of their own: bare groups, and nouns that show something where they are named alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import typer

from agentctl.cli import budget, circuits

Member: TypeAlias = tuple[str, Callable[..., Any], str]
"""Name, command, example."""
Group: TypeAlias = tuple[str, str, str, tuple[Member, ...]]
"""Panel, name, what it is about, members."""
NOUNS: tuple[tuple[str, str, Callable[..., Any], str, tuple[Member, ...]], ...] = (
    (
        "See",
        "budget",
        budget.budget,
        "agentctl budget --user ada",
        (("reset", budget.reset, "agentctl budget reset user_daily_usd:ada"),),
    ),
    (
        "See",
        "circuits",
        circuits.circuits,
        "agentctl circuits --json",
        (("reset", circuits.reset, "agentctl circuits reset claude-sonnet-4-6"),),
    ),
)
"""Panel, name, command, example, members."""


def attach(app: typer.Typer, groups: tuple[Group, ...]) -> None:
    """Make them commands of the program."""
    for panel, name, about, members in groups:
        _add(app, typer.Typer(no_args_is_help=True, help=about), panel, name, members)
    for panel, name, command, example, members in NOUNS:
        noun = typer.Typer()
        noun.callback(invoke_without_command=True, epilog=f"Example: {example}")(command)
        _add(app, noun, panel, name, members)


def _add(app: typer.Typer, group: typer.Typer, panel: str, name: str, members: tuple[Member, ...]) -> None:
    for member, command, example in members:
        group.command(member, epilog=f"Example: {example}")(command)
    app.add_typer(group, name=name, rich_help_panel=panel)
