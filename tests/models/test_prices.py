"""Where a price comes from, and what happens where nobody knows one. The figures: `test_prices_oracle.py`."""

from decimal import Decimal

import pytest
from genai_prices.types import ModelPrice, TieredPrices

from agentctl.core.guards.budget import PriceTable
from agentctl.core.guards.budget import Rules as Budget
from agentctl.core.messages import Usage
from agentctl.core.policy import STANDARD_PROVIDERS
from agentctl.models.prices import context_window, find_price, listed
from tests.models.wires import provider

LOCAL = "http://127.0.0.1:8000/v1"


def test_a_long_context_has_its_own_rate():
    price = find_price(provider("responses", model="gpt-5.4"), Budget())

    assert price is not None
    assert [(rate.above, rate.input, rate.output) for rate in price.rates] == [(0, 2.5, 15.0), (272_000, 5.0, 22.5)]
    assert price.source.startswith("genai-prices ")


class Listed:
    """A model of the price data."""

    def __init__(self, **prices: Decimal | TieredPrices) -> None:
        self.prices = ModelPrice(**prices)

    def get_prices(self, _when):
        return self.prices


@pytest.mark.parametrize(
    ("caches", "expected"),
    [
        ({}, (3, 3, 3)),
        ({"cache_write_mtok": Decimal("3.75")}, (3, 3.75, 3.75)),
        ({"cache_write_mtok": Decimal("3.75"), "cache_write_1h_mtok": Decimal(6)}, (3, 3.75, 6)),
        ({"cache_read_mtok": Decimal(0), "cache_write_mtok": Decimal(0)}, (0, 0, 0)),
    ],
)
def test_a_cache_price_that_is_not_listed_is_the_next_broader_one_and_zero_is_a_price(caches, expected):
    price = listed(Listed(input_mtok=Decimal(3), output_mtok=Decimal(15), **caches))

    assert price is not None
    (rate,) = price.rates
    assert (rate.cache_read, rate.cache_write, rate.cache_write_1h) == expected


def test_the_price_of_an_hour_s_cache_follows_from_the_stated_one_to_the_last_digit():
    """1.6 times 3.3 is 5.279999999999999 in floats."""
    price = find_price(provider("messages", price=PriceTable(input=2.64, output=0.0, cache_write=3.3)), Budget())

    assert price is not None
    assert 5_280_000 == price.cost(Usage(cache_write_1h=10**6))
    assert 5_280 * 10**6 == price.cost(Usage(cache_write_1h=10**9))


def test_the_policy_s_price_comes_first():
    table = PriceTable(input=1.0, output=2.0, cache_read=0.1, cache_write=1.25)
    price = find_price(provider("messages", price=table), Budget())

    assert price is not None
    (rate,) = price.rates
    assert (rate.input, rate.output, rate.cache_read, rate.cache_write, rate.cache_write_1h) == (1, 2, 0.1, 1.25, 2)


@pytest.mark.parametrize("api", ["messages", "chat"])
def test_cache_prices_default_to_the_input_price(api):
    price = find_price(provider(api, price=PriceTable(input=3.0, output=0.0), base_url=LOCAL), Budget())

    assert price is not None
    (rate,) = price.rates
    assert (rate.cache_read, rate.cache_write, rate.cache_write_1h) == (3, 3, 3)


def test_a_free_server():
    price = find_price(provider("chat", base_url=LOCAL, price=PriceTable(input=0.0, output=0.0)), Budget())

    assert price is not None
    assert price.cost(Usage(10**6, 10**6)) == 0


@pytest.mark.parametrize("changes", [{"model": "claude-nobody-9"}, {"base_url": LOCAL}])
def test_what_nobody_knows(changes):
    entry = provider("messages", **changes)
    table = PriceTable(input=7.0, output=8.0)

    assert find_price(entry, Budget()) is None
    assert find_price(entry, Budget(assume_price=table)) is None
    assumed = find_price(entry, Budget(unknown_price="assume", assume_price=table))
    assert assumed is not None
    assert (assumed.rates[0].input, assumed.source) == (7.0, "policy: assume_price")
    assert find_price(entry, Budget(unknown_price="assume")) is None


def test_how_much_fits():
    """B02 G19"""
    assert context_window(provider("messages")) == 1_000_000
    assert context_window(provider("messages", context_tokens=5)) == 5
    assert context_window(provider("messages", base_url=LOCAL)) is None
    assert context_window(provider("chat", model="nobody")) is None


def test_every_standard_provider_has_a_price_and_a_window():
    assert all(find_price(entry, Budget()) and context_window(entry) for entry in STANDARD_PROVIDERS)
