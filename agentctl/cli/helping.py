"""Help without a parser of Markdown: typer imports rich's for a kind of help text that none of ours is.

That import is a sixth of what `agentctl --help` takes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from agentctl.cli import completion

NAME = "rich.markdown"


class Markdown:
    """Stands in signatures of typer's; nobody makes one."""


def lighten(arguments: Sequence[str]) -> None:
    """Where help is asked for, import typer's with this one in the place of rich's, which anybody else still gets."""
    asked = not arguments or "--help" in arguments
    if NAME in sys.modules or completion.wanted() or not asked:
        return
    module = ModuleType(NAME)
    module.Markdown = Markdown  # type: ignore[attr-defined]  # all that typer takes from it
    sys.modules[NAME] = module
    try:
        import_module("typer.rich_utils")
    finally:
        del sys.modules[NAME]
