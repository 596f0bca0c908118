"""The commands of `agentctl`, in panels."""

from __future__ import annotations

from collections import UserDict
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agentctl import __version__
from agentctl.cli import completion, nouns, render
from agentctl.cli.table import COMMANDS, GROUPS, PANELS


class Commands(UserDict[str, Any]):
    """The commands by name, in the order of their panels; each is built when it is asked for."""

    def __init__(self) -> None:
        """Know how."""
        rows = [
            *((*row[:2], partial(nouns.command, *row)) for row in COMMANDS),
            *((*row[:2], partial(nouns.group, *row)) for row in GROUPS),
            *((*row[:2], partial(nouns.noun, *row)) for row in nouns.NOUNS),
        ]
        super().__init__({name: build for _, name, build in sorted(rows, key=lambda row: PANELS.index(row[0]))})

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 -- typer hides the type
        """Build it."""
        return super().__getitem__(name)()


class Program(TyperGroup):
    """The commands, listed without building them."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 -- typer's
        """Made by typer, which knows of no command."""
        super().__init__(**settings)
        self.commands = Commands()

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 -- typer's
        """Names, as the help prints them."""
        return list(self.commands)


if completion.wanted():
    completion.lighten()
app = typer.Typer(
    name="agentctl",
    cls=Program,
    no_args_is_help=True,
    add_completion=completion.wanted(),
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        render.out(f"agentctl {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version")]


@app.callback(epilog="Start with: agentctl init demo")
def about(version: Version = False) -> None:
    """Run LLM agents under a policy: budgets, approvals, fallbacks, and a journal of everything"""
