"""What a model costs, and how much it can hold: the policy's word first, then the price data that comes installed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from agentctl.core.guards.budget import PriceTable
from agentctl.core.guards.budget import Rules as Budget
from agentctl.core.policy import Policy, Provider
from agentctl.core.prices import Price, Rate
from agentctl.models.base import is_own

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, TieredPrices

NO_PRICE = "nobody knows the price of {}, and the policy limits USD"
PRICE_HINT = (
    "state it: price = { input = …, output = … } in [[providers]] (0 for a server of your own), "
    'or unknown_price = "assume" with assume_price in [budget]'
)
HOUR_OVER_DEFAULT = 1.6
"""What Anthropic asks for a cache of an hour over one of five minutes: 2 to 1.25 times the input price."""


def find_price(provider: Provider, budget: Budget) -> Price | None:
    """The price of a provider's model; None where nobody knows it and the policy would not assume one.

    A compatible server's price is unknown even where the model's name is known: the names are anybody's.
    """
    if provider.price is not None:
        return stated(provider, provider.price, "policy: price")
    if (model := known(provider)) is not None:
        return listed(model)
    if budget.unknown_price == "assume" and budget.assume_price is not None:
        return stated(provider, budget.assume_price, "policy: assume_price")
    return None


def priceless(policy: Policy) -> list[int]:
    """The places of the providers that would be refused: nobody knows their price, and the policy limits USD."""
    if not policy.budget.enabled:
        return []
    return [at for at, each in enumerate(policy.providers) if find_price(each, policy.budget) is None]


def context_window(provider: Provider) -> int | None:
    """The tokens that prompt and reply share, as far as anybody knows."""
    if provider.context_tokens is not None:
        return provider.context_tokens
    model = known(provider)
    return model.context_window if model else None


def known(provider: Provider) -> ModelInfo | None:
    """The model in the price data, found among its own provider's only."""
    if not is_own(provider):
        return None
    from genai_prices.data_snapshot import get_snapshot  # 0.3 s, and most commands price nothing

    try:
        return get_snapshot().find_provider_model(provider.model, None, provider.sdk, None)[1]
    except LookupError:
        return None


def stated(provider: Provider, table: PriceTable, source: str) -> Price:
    """A price from the policy. Cache prices that it leaves out are the input price.

    Nobody states the price of an hour's cache: for Anthropic's API it follows from the stated one.
    """
    written = table.input if table.cache_write is None else table.cache_write
    read = table.input if table.cache_read is None else table.cache_read
    longer = HOUR_OVER_DEFAULT if provider.sdk == "anthropic" and table.cache_write is not None else 1.0
    return Price((Rate(table.input, table.output, read, written, written * longer),), source)


def listed(model: ModelInfo) -> Price | None:
    """Today's price from the price data, a rate per tier; None where it names no price for tokens."""
    from importlib.metadata import version  # only where a price is looked up

    held: dict[str, Decimal | TieredPrices | None] = vars(model.get_prices(datetime.now(UTC)))
    given, output = held.get("input_mtok"), held.get("output_mtok")
    if given is None or output is None:
        return None
    read = first(held.get("cache_read_mtok"), given)
    default = first(held.get("cache_write_mtok"), given)
    written = first(held.get("cache_write_5m_mtok"), default)
    longer = first(held.get("cache_write_1h_mtok"), default)
    columns = (given, output, read, written, longer)
    steps = sorted({start for column in columns for start in starts(column)} | {0})
    rates = tuple(
        Rate(at(given, step), at(output, step), at(read, step), at(written, step), at(longer, step), above=step)
        for step in steps
    )
    return Price(rates, f"genai-prices {version('genai-prices')}")


def first(price: Decimal | TieredPrices | None, otherwise: Decimal | TieredPrices) -> Decimal | TieredPrices:
    """A price, unless there is none. Zero is one."""
    return otherwise if price is None else price


def starts(column: Decimal | TieredPrices) -> list[int]:
    """The prompt sizes above which a price changes."""
    return [] if isinstance(column, Decimal) else [tier.start for tier in column.tiers]


def at(column: Decimal | TieredPrices, step: int) -> float:
    """A price just above `step` tokens."""
    if isinstance(column, Decimal):
        return float(column)
    reached = [tier.price for tier in column.tiers if tier.start <= step]
    return float(reached[-1] if reached else column.base)
