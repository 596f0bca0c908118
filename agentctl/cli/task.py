"""`agentctl task schema`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import render

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject

OneLine = Annotated[bool, typer.Option("--json", help="On one line")]


def schema(as_json: OneLine = False) -> None:
    """Print the JSON Schema of task files, for editors"""
    from agentctl.config import json_schema

    printed(json_schema.task(), one_line=as_json)


def printed(made: JsonObject, *, one_line: bool) -> None:
    """A schema, as a file that a person may read."""
    render.out(json.dumps(made, ensure_ascii=False, indent=None if one_line else 2))
