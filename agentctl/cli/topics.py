"""`agentctl help`: the documentation, inside the program. A topic is a Markdown file in `help/`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from agentctl.cli import render, values
from agentctl.cli.options import AsJson

FOLDER = Path(__file__).parent / "help"
ORDER = (
    *("start", "tasks", "tools", "mcp", "policies", "rules", "backtest", "approvals", "trust", "sandbox"),
    *("scrubbing", "budgets", "circuits", "cache", "resume", "replay", "sessions", "rehearse", "drills", "store"),
    *("upkeep", "bundles", "monitor", "stats", "alerts", "telemetry", "audit", "exit-codes"),
)
"""As one would read them."""
CODES = "<!-- exit codes -->"
title = re.compile(r"# (.+)")


def show(
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="What about; default: the list", autocompletion=values.topics)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Read about a topic: start, tasks, policies, budgets, approvals and more; without one, list them"""
    if not topic:
        _list(as_json=as_json)
    elif topic not in ORDER and _is_command(topic):
        from agentctl.cli.main import main

        raise typer.Exit(main([topic, "--help"]))
    elif as_json:
        render.as_json({"topic": topic, "text": text(topic)})
    else:
        _print(text(topic))


def titles() -> Iterator[tuple[str, str]]:
    """Each topic with its heading."""
    for name in ORDER:
        with (FOLDER / f"{name}.md").open(encoding="utf-8") as file:
            found = title.match(file.readline())
        yield name, found[1] if found else name


def text(topic: str) -> str:
    """The Markdown of a topic.

    Raises:
        Usage: there is none of this name.
    """
    from agentctl.config.problems import did_you_mean
    from agentctl.errors import Usage

    if topic not in ORDER:
        guess = did_you_mean(topic, ORDER)
        raise Usage(f"no topic {topic!r}{f': {guess}' if guess else ''}", hint="agentctl help lists them")
    from agentctl.cli import codes

    return (FOLDER / f"{topic}.md").read_text("utf-8").replace(CODES, codes.markdown())


def _list(*, as_json: bool) -> None:
    if as_json:
        render.as_list([{"topic": name, "title": heading} for name, heading in titles()])
        return
    render.table(("topic", "about"), list(titles()))
    render.say("\nread:    agentctl help TOPIC    a command: agentctl COMMAND --help", "hint")


def _is_command(name: str) -> bool:
    from agentctl.cli.nouns import NOUNS
    from agentctl.cli.table import COMMANDS, GROUPS

    return any(name == each for _, each, *_ in (*COMMANDS, *NOUNS, *GROUPS))


def _print(markdown: str) -> None:
    """Set for a screen; as it is where it is piped."""
    if not render.colours(sys.stdout):
        sys.stdout.write(markdown)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(markdown))
