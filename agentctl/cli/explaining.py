"""What `run --explain` says, for people: any object as an outline, lists of alike objects as tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from agentctl.approvals.printable import printable
from agentctl.cli import render
from agentctl.core.messages import Json, JsonObject

if TYPE_CHECKING:
    from agentctl.runner.order import Order


def explain(order: Order, store: str | None, *, as_json: bool) -> None:
    """Say it, and send nothing."""
    from agentctl.runner import api

    explanation = api.explain(order, store=store)
    if as_json:
        render.as_json(explanation)
    else:
        tell(explanation)


def tell(explanation: JsonObject) -> None:
    """Print it, in its own order."""
    for key, value in explanation.items():
        match value:
            case dict():
                render.out(f"\n{key}", "bold")
                for name, each in cast("JsonObject", value).items():
                    render.out(f"  {name}: {_cell(each)}")
            case list() if value and isinstance(value[0], dict):
                render.out(f"\n{key}", "bold")
                items = cast("list[JsonObject]", value)
                render.table(list(items[0]), [[_cell(each) for each in item.values()] for item in items])
            case list():
                for each in cast("list[Json]", value):
                    render.out(f"{key.removesuffix('s')}: {_cell(each)}", "quiet")
            case str() if "\n" in value or len(value) > 100:
                render.out(f"\n{key}", "bold")
                for line in printable(value).splitlines():
                    render.out(f"  {line}")
            case str() | int() | float() | None:
                render.out(f"{key}: {_cell(value)}")
            case _:
                pass


def _cell(value: Json) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case str():
            return printable(value, lines=False)
        case _:
            return json.dumps(value, ensure_ascii=False)
