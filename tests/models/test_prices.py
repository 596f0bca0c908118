"""Money: against the price data's own arithmetic, and where the data says nothing."""

from decimal import Decimal

import pytest
from genai_prices import Usage as Oracle
from genai_prices import calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.guards.budget import PriceTable
from agentctl.core.guards.budget import Rules as Budget
from agentctl.core.messages import Usage
from agentctl.core.policy import STANDARD_PROVIDERS
from agentctl.models.prices import context_window, find_price
from tests.models.wires import provider

CLAUDE = (
    *("claude-haiku-4-5", "claude-haiku-5-5", "claude-sonnet-4-6", "claude-sonnet-5", "claude-sonnet-5-5"),
    *("claude-opus-4-8", "claude-opus-5", "claude-opus-5-5", "claude-fable-5-1", "claude-fable-5-2"),
)
GPT = (
    *("gpt-5.4", "gpt-5.4-mini", "gpt-5.5", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-6-sol"),
    *("gpt-6-luna", "gpt-6-astra", "gpt-6.1-sol", "gpt-6.1-terra"),
)
MODELS = [("messages", model) for model in CLAUDE] + [("responses", model) for model in GPT]
tokens = st.one_of(st.integers(0, 500), st.integers(0, 400_000))
usages = st.builds(Usage, tokens, tokens, tokens, tokens, tokens)
LOCAL = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(("api", "model"), MODELS)
@given(usage=usages)
@settings(max_examples=60, deadline=None)
def test_the_price_data_s_own_arithmetic(api, model, usage):
    price = find_price(provider(api, model=model), Budget())
    assert price is not None

    oracle = calc_price(
        Oracle(
            input_tokens=usage.prompt,
            output_tokens=usage.output,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write + usage.cache_write_1h,
            cache_write_5m_tokens=usage.cache_write,
            cache_write_1h_tokens=usage.cache_write_1h,
        ),
        model,
        provider_id=provider(api).sdk,
    )

    assert abs(Decimal(price.cost(usage)) - oracle.total_price * 1_000_000) <= 1


@pytest.mark.parametrize(("api", "model"), MODELS)
@given(usage=usages)
@settings(max_examples=20, deadline=None)
def test_the_worst_case_is_never_beaten(api, model, usage):
    price = find_price(provider(api, model=model), Budget())
    assert price is not None

    assert price.cost(usage) <= price.worst(usage.prompt, usage.output) + 1


def test_a_long_context_has_its_own_rate():
    price = find_price(provider("responses", model="gpt-5.4"), Budget())

    assert price is not None
    assert [(rate.above, rate.input, rate.output) for rate in price.rates] == [(0, 2.5, 15.0), (272_000, 5.0, 22.5)]
    assert price.source.startswith("genai-prices ")


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
    assert context_window(provider("messages")) == 1_000_000
    assert context_window(provider("messages", context_tokens=5)) == 5
    assert context_window(provider("messages", base_url=LOCAL)) is None
    assert context_window(provider("chat", model="nobody")) is None


def test_every_standard_provider_has_a_price_and_a_window():
    assert all(find_price(entry, Budget()) and context_window(entry) for entry in STANDARD_PROVIDERS)
