"""The flags of `run` that take more than a word to say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentctl.cli import values
from agentctl.cli.options import filled

Tasks = Annotated[list[Path], typer.Argument(metavar="TASK", readable=False, help="The task file, or several")]
PolicyName = Annotated[
    str | None,
    typer.Option(
        metavar="P", callback=filled, help="A policy's name or file, over the task's", autocompletion=values.policies
    ),
]
Variables = Annotated[
    list[str] | None,
    typer.Option(metavar="K=V", help="A variable; K=- reads it from stdin", autocompletion=values.variables),
]
Tier = Annotated[
    str | None,
    typer.Option(metavar="TIER", callback=filled, help="Lowers what runs without asking: safe, low, medium"),
]
LinesFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", callback=filled, help="One run per line of variables, JSON objects; - reads stdin"),
]
LogFile = Annotated[
    Path | None, typer.Option("--log-json", metavar="FILE", help="Append the events to a file as JSON lines")
]
