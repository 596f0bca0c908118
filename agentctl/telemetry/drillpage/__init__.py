"""The page of drills: one HTML file that asks nobody for anything, without a script.

It has the looks and the rules of the page of a run (`telemetry/page`): styles by hash, every text made visible and
escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files

from agentctl.telemetry import page as of_run
from agentctl.telemetry.drillpage.picture import TILE, WIDTH, drawn
from agentctl.telemetry.drillpage.values import Card, Mark, Page, Phase, Row, Word

__all__ = ["Card", "Mark", "Page", "Phase", "Row", "Word", "render"]


def render(page: Page, shown: Callable[[str], str]) -> str:
    """The page as HTML. `shown` makes each character of a text visible."""
    style = of_run.asset("page.css") + _asset("drills.css")
    across = max(1, WIDTH // TILE)
    tiles = [
        (card, (number % across) * TILE, (number // across) * TILE, number + 1)
        for number, card in enumerate(page.cards)
    ]
    return (
        of_run.environment(shown)
        .from_string(_asset("drills.html"))
        .render(
            page=page,
            drawn=[(card, drawn(card)) for card in page.cards],
            tiles=tiles,
            wide=min(across, max(1, len(tiles))) * TILE,
            high=-(-max(1, len(tiles)) // across) * TILE,
            naive=any(card.naive for card in page.cards),
            policy=f"default-src 'none'; style-src '{of_run.hashed(style)}'; base-uri 'none'; form-action 'none'",
            style=style,
        )
    )


@cache
def _asset(name: str) -> str:
    return files(__name__).joinpath(name).read_text("utf-8")
