"""`agentctl doctor`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from agentctl.cli import render
from agentctl.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from agentctl.cli.render import Tone

TONES: dict[str, Tone] = {"ok": "good", "warn": "warn", "fail": "bad"}


def doctor(as_json: AsJson = False, store: StoreUrl = None) -> None:
    """Say what this machine has for a run, and how to mend what it lacks: exit 3 where the store can't be used"""
    from agentctl.approvals.printable import printable
    from agentctl.runner import health

    found = list(health.checks(store))
    failed = any(each.state == "fail" for each in found)
    if as_json:
        names = health.Check.__slots__
        items = [{name: getattr(each, name) for name in names} for each in found]
        render.as_json({"items": items, "truncated": False, "ok": not failed})
        raise typer.Exit(3 if failed else 0)
    width = max(len(each.name) for each in found)
    area = ""
    for each in found:
        if each.area != area:
            area = each.area
            render.out(area, "bold")
        word = render.paint(f"{each.state:<4}", TONES[each.state], sys.stdout)
        render.out(f"  {word}  {each.name:<{width}}  {printable(each.said, lines=False)}")
        if each.fix:
            render.out(f"        {'':<{width}}  → {printable(each.fix, lines=False)}", "hint")
    raise typer.Exit(3 if failed else 0)
