"""Options that several commands share, and how they are read."""

from __future__ import annotations

import getpass
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import values
from agentctl.errors import Usage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from agentctl.journal.store import Store
    from agentctl.journal.tx import Tx


def filled(param: typer.CallbackParam, value: str | None) -> str | None:
    """A value that was given must not be empty: in a script that is an unset variable, and never what was meant."""
    if value == "":
        name = param.metavar if param.param_type_name == "argument" else param.opts[0]
        raise Usage(f"{name}: expected a value, got an empty text")
    return value


StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", callback=filled, help="The store; default: AGENTCTL_STORE, else your data folder"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object")]
LimitsOf = Annotated[
    str,
    typer.Option(
        "--policy", metavar="P", callback=filled, help="Whose limits and rules", autocompletion=values.policies
    ),
]
Rehearsed = Annotated[bool, typer.Option("--rehearsed", help="Those of rehearsals too")]
RunId = Annotated[
    str,
    typer.Argument(metavar="RUN", callback=filled, help="A run's id, or its beginning", autocompletion=values.run_ids),
]
WaitingRun = Annotated[
    str,
    typer.Argument(metavar="RUN", callback=filled, help="A run's id, or its beginning", autocompletion=values.parked),
]
RunningRun = Annotated[
    str,
    typer.Argument(metavar="RUN", callback=filled, help="A run's id, or its beginning", autocompletion=values.running),
]
UnfinishedRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN", callback=filled, help="A run's id, or its beginning", autocompletion=values.resumable
    ),
]

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
LONGEST_S = 10_000_000_000
"""Three hundred years: what is longer leads to no moment that could be written."""
duration = re.compile(r"(\d+)([smhdw])")
foreign = re.compile(r"[^A-Za-z0-9._@-]")
identifier = re.compile(r"[A-Za-z0-9._@-]{1,128}")


def open_journal(url: str | None) -> Store:
    """The store to read from; never made here."""
    from agentctl.runner import stores

    return stores.existing(url)


def reading(url: str | None) -> AbstractContextManager[Tx]:
    """The store's tables alone, for what has to be quick."""
    from agentctl.runner import stores

    return stores.tables(url)


def login() -> str:
    """Who sits here, in the letters that an id may have."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return foreign.sub("_", name)[:128] or "unknown"


def since(text: str | None) -> float:
    """The moment so long ago: `30m`, `12h`, `3d`, `2w`; 0 for None."""
    return 0.0 if text is None else time.time() - span("--since", text)


def span(flag: str, text: str) -> int:
    """A span of time in seconds: `30m`, `12h`, `3d`, `2w`."""
    found = duration.fullmatch(text)
    if found is None:
        raise Usage(f"{flag}: expected a span such as 30m, 12h, 3d or 2w, got {text!r}")
    return min(int(found[1]) * UNITS[found[2]], LONGEST_S)


def variables(pairs: list[str]) -> tuple[dict[str, str], str]:
    """`K=V` pairs, and the one that stdin was read for (`K=-`); empty: none."""
    values: dict[str, str] = {}
    used = ""
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise Usage(f"--var: expected NAME=VALUE, got {pair!r}", hint="NAME=- reads the value from stdin")
        if name in values:
            raise Usage(f"--var: {name} is given twice")
        if value == "-":
            if used:
                raise Usage("--var: only one variable can be read from stdin")
            used = name
            value = sys.stdin.read().removesuffix("\n")
        values[name] = value
    return values, used


def identity(flag: str, text: str | None) -> str:
    """A user, tenant or session; empty for None: it was not given."""
    if text is None:
        return ""
    if not identifier.fullmatch(text):
        raise Usage(f"{flag}: expected 1 to 128 of letters, digits, `.`, `_`, `-`, `@`, got {text[:140]!r}")
    return text


def leads_on(ctx: typer.Context) -> bool:
    """Whether a command after this one does the work. What was given before it would be given to nobody."""
    if ctx.invoked_subcommand is None:
        return False
    for param in ctx.command.params:
        source = ctx.get_parameter_source(param.name or "")
        if source is not None and source.name == "COMMANDLINE":
            raise Usage(f"{param.opts[0]}: expected after {ctx.invoked_subcommand!r}")
    return True
