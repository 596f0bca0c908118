"""`run --require-p95-under`: what has to hold before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agentctl.runner.order import Order

P95 = Annotated[
    float | None,
    typer.Option(metavar="USD", help="Run only if the p95 of earlier such runs cost less, else end with 17"),
]


def passed(orders: Sequence[Order], p95_under: float | None, store: str | None) -> None:
    """Go on where the p95 of each task is under it, or nobody asked. GateFailed: it is not, or nobody can say."""
    if p95_under is not None:
        from agentctl.runner import expecting

        expecting.require(orders, p95_under, store)
