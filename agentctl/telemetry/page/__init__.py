"""The page of a run: one HTML file that asks nobody for anything.

Its styles and its script stand in it, and its content policy lets no others run, load or send anything: a policy of
hashes, which no text of a run can meet. All texts pass `shown` first, which makes every character visible, and then
Jinja's escaping. Without its script it is the same page, less search and keys.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

from agentctl.core.people import moment
from agentctl.core.remarks import usd
from agentctl.core.tracepage import Entry, Page
from agentctl.telemetry.page import chart
from agentctl.telemetry.page.words import digits, first, heading, is_long, meters, span, title

if TYPE_CHECKING:
    from jinja2 import Environment, Template

MOST_OPEN = 8
"""Rows that are open from the start: what waits or failed, the last of them."""


def render(page: Page, shown: Callable[[str], str]) -> str:
    """The page as HTML, the same text for the same run. `shown` makes each character of a run's text visible."""
    style, script = asset("page.css"), asset("page.js")
    template = _template(shown)
    trouble = [entry.row.seq for entry in page.entries if entry.word in {"failed", "open"}]
    words = [entry.word for entry in page.entries]
    return template.render(
        page=page,
        title=title(page),
        heading=heading(page),
        meters=meters(page),
        money=chart.money(page),
        context=chart.context(page),
        table=chart.table(page),
        steps=_steps(page.entries),
        trouble=trouble,
        open=frozenset(trouble[-MOST_OPEN:]),
        counts={word: words.count(word) for word in ("failed", "open", "warning")},
        policy=f"default-src 'none'; style-src '{hashed(style)}'; script-src '{hashed(script)}'; base-uri 'none'; "
        "form-action 'none'",
        style=style,
        script=script,
    )


def _steps(entries: tuple[Entry, ...]) -> list[tuple[int, list[Entry], int]]:
    """Runs of rows of the same step, and what each cost in micro-dollars."""
    found: list[tuple[int, list[Entry], int]] = []
    for step, grouped in groupby(entries, lambda entry: entry.row.step):
        listed = list(grouped)
        found.append((step, listed, sum(entry.row.cost_micro for entry in listed)))
    return found


@cache
def asset(name: str) -> str:
    """A file beside this one."""
    return files(__name__).joinpath(name).read_text("utf-8")


def hashed(text: str) -> str:
    """As a content policy names a style or a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def environment(shown: Callable[[str], str]) -> Environment:
    """Templates in which every text is shown and escaped."""
    from jinja2 import Environment, StrictUndefined

    def visible(value: object) -> object:
        """What any expression of the template comes to, before it is escaped; markup is our own."""
        return shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=visible, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Callable[..., Any]] = {
        "usd": usd,
        "span": span,
        "moment": moment,
        "digits": digits,
        "long": is_long,
        "first": first,
    }
    environment.filters |= filters
    return environment


@cache
def _template(shown: Callable[[str], str]) -> Template:
    return environment(shown).from_string(asset("page.html"))
