"""`agentctl scrub test`: what would be masked in a text, by which rule. The secrets themselves are never printed."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl import ownkeys
from agentctl.cli import options, render, values
from agentctl.cli.options import AsJson
from agentctl.errors import Invalid

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.core.tokenforms import Span

MOST = 10_000_000
"""Characters of a text."""


def tried(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A text; default: stdin")] = None,
    policy: Annotated[
        str,
        typer.Option(
            metavar="P", callback=options.filled, help="Whose scrubbing is tried", autocompletion=values.policies
        ),
    ] = "standard",
    as_json: AsJson = False,
) -> None:
    """Show what would be masked in a text, and by which rule; never the secret"""
    from agentctl.approvals.printable import printable
    from agentctl.config.load import load_policy
    from agentctl.config.masking import mask

    rules = load_policy(policy).policy.scrub
    names = mask(rules, ())
    filter_ = mask(rules, {value for name, value in os.environ.items() if names.sensitive(name)} | ownkeys.values())
    text = _read(file)
    found = filter_.spans(text) if rules.enabled else []  # first: what is masked is known afterwards
    masked = filter_.text(text)
    rows = [_row(text, span, masked) for span in found]
    if as_json:
        items: list[JsonObject] = [{"line": line, "characters": size, "rule": rule} for line, size, rule in rows]
        render.as_list(items)
        return
    for line, size, rule in rows:
        render.out(f"line {line}: {size} characters, {printable(rule, lines=False)}")
    kinds = Counter(rule.partition(":")[0] for _, _, rule in rows)
    counted = ", ".join(f"{count} by {kind}" for kind, count in kinds.most_common())
    render.say(f"{len(rows)} would be masked{f': {counted}' if counted else ''}")


def _row(text: str, span: Span, masked: str) -> tuple[int, int, str]:
    """Line, characters, rule. A rule tells the name before a secret, where that name is itself none."""
    start, end, rule = span
    kind, _, name = rule.partition(":")
    shown = rule if kind != "name" or name in masked else kind
    return text.count("\n", 0, start) + 1, end - start, shown


def _read(file: Path | None) -> str:
    try:
        if file is None:
            raw = sys.stdin.read(MOST + 1)
        else:
            with file.open(encoding="utf-8", errors="replace") as opened:
                raw = opened.read(MOST + 1)
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror or error}") from None
    if len(raw) > MOST:
        raise Invalid(f"the text has more than {MOST:,} characters", hint="Try a part of it.")
    return raw
