"""Money, to the micro-dollar: against a price table of others, over every model that both tables know.

A half of a micro-dollar goes up, here and there.
"""

import dataclasses
import functools
import itertools

import pytest
from genai_prices import Usage as Counted
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.guards.budget import Rules
from agentctl.core.messages import Usage
from agentctl.core.policy import Provider
from agentctl.models.prices import find_price
from tests.models.oracle import FIELDS, Oracle

ORACLE = Oracle()
UNKNOWN = {
    *("claude-mythos-5", "claude-mythos-5-1", "claude-mythos-preview", "daybreak-blue-latest", "daybreak-red-latest"),
    *("ft:gpt-4.1-2025-04-14", "ft:gpt-4.1-mini-2025-04-14", "ft:gpt-4.1-nano-2025-04-14", "ft:o4-mini-2025-04-16"),
    *("gpt-5-search-api-2025-10-14", "gpt-5.5-cyber-preview", "gpt-6-astra-law", "gpt-daybreak-blue-latest"),
    "gpt-daybreak-red-latest",
}
"""Models of the oracle that the price data does not know: no run begins on them unless the policy states a price."""
FINE_TUNED = "the price data has one entry for all tunings of a model and no cached price: too much is reported"
SEARCH = "the price data names no cached price for the search models: too much is reported"
DISAGREEMENTS = {
    ("ft:gpt-4o-2024-08-06", "cache_read"): FINE_TUNED,
    ("ft:gpt-4o-mini-2024-07-18", "cache_read"): FINE_TUNED,
    ("ft:gpt-4o-2024-11-20", "cache_write"): "the oracle: half the input price is OpenAI's for reads; it bills no "
    "writes on this model and reports none",
    ("ft:gpt-4o-2024-11-20", "cache_write_1h"): "as its other writes",
    ("gpt-4o-search-preview", "cache_read"): SEARCH,
    ("gpt-4o-search-preview-2025-03-11", "cache_read"): SEARCH,
    ("claude-sonnet-4-5", 200_000): "a beta header made longer prompts possible, at this price; the oracle has "
    "dropped it, and agentctl never sent it: the window is 200,000 tokens",
    ("claude-sonnet-4-5-20250929", 200_000): "as claude-sonnet-4-5",
    ("gpt-5.6-cyber", 272_000): "the price data lacks the tier that all other models of the family have: too little "
    "is reported above it, until the data has it",
}
"""What the tables do not agree on: a column, or all prompts above a size."""
KNOWN = sorted(ORACLE.models.keys() - UNKNOWN)
OTHERS = sorted(
    (sdk, model.id)
    for sdk in ("anthropic", "openai")
    for model in next(each for each in get_snapshot().providers if each.id == sdk).models
)
"""Every model of the price data, also those that the oracle does not know."""
counts = st.one_of(st.integers(0, 500), st.integers(0, 400_000))
usages = st.builds(Usage, counts, counts, counts, counts, counts)


@functools.cache
def price_of(model, sdk=""):
    return find_price(Provider(name="p", sdk=sdk or ORACLE.sdk(model), model=model), Rules())


def excused(model, usage):
    """Whether a known disagreement has a part in this."""
    spots = [spot for name, spot in DISAGREEMENTS if name == model]
    return any(getattr(usage, spot) if isinstance(spot, str) else usage.prompt > spot for spot in spots)


def expected(model, usage):
    return ORACLE.micro(model, dataclasses.asdict(usage))


def cases(model):
    """Every column alone, all together, nothing, and prompts around each size at which a price changes."""
    yield Usage()
    for column in FIELDS:
        for number in (1, 5, 333, 12_345):  # fives of small prices end on a half
            yield Usage(**{column: number})
            yield Usage(**({column: number} | ({} if column == "output" else {"output": 77})))
    yield Usage(1_001, 203, 30_303, 4_007, 509)
    price = price_of(model)
    assert price is not None
    for size in {*ORACLE.thresholds(model), *(rate.above for rate in price.rates if rate.above)}:
        for prompt in (size - 1, size, size + 1):
            yield from (Usage(**{column: prompt, "output": 1_003}) for column in FIELDS if column != "output")
            yield Usage(prompt - 60_006, 1_003, 10_001, 20_002, 30_003)


def test_the_two_tables_share_their_models():
    assert 146 == len(ORACLE.models)
    assert 132 == len(KNOWN)
    assert [] == [model for model in KNOWN if price_of(model) is None]


@pytest.mark.parametrize("model", sorted(UNKNOWN))
def test_a_model_that_is_excepted_is_unknown_indeed(model):
    assert price_of(model) is None


@pytest.mark.parametrize("model", KNOWN)
def test_every_model_costs_what_the_oracle_says(model):
    """A19, C22: plain, cache reads, both lifetimes of cache writes, long prompts."""
    price = price_of(model)
    checked = [usage for usage in cases(model) if not excused(model, usage)]

    assert [expected(model, usage) for usage in checked] == [price.cost(usage) for usage in checked]
    assert len(checked) >= 25


@pytest.mark.parametrize("model", KNOWN)
@given(usage=usages)
@settings(max_examples=30, deadline=None)
def test_any_usage_costs_what_the_oracle_says(model, usage):
    price = price_of(model)

    assert excused(model, usage) or expected(model, usage) == price.cost(usage)


@pytest.mark.parametrize(("model", "spot"), DISAGREEMENTS)
def test_a_disagreement_is_one_indeed(model, spot):
    """Once the tables agree, the exception has to go."""
    usage = Usage(**{spot: 100_000}) if isinstance(spot, str) else Usage(spot + 1, 1_000)

    assert expected(model, usage) != price_of(model).cost(usage)


def test_only_one_disagreement_reports_too_little():
    """All others err on the side of the budget."""
    low = [
        (model, spot)
        for model, spot in DISAGREEMENTS
        for usage in [Usage(**{spot: 100_000}) if isinstance(spot, str) else Usage(spot + 1, 1_000)]
        if price_of(model).cost(usage) < expected(model, usage)
    ]

    assert [("gpt-5.6-cyber", 272_000)] == low


@st.composite
def calls(draw):
    """The most that a call may use, and what it did use of it."""
    prompt, output = draw(counts), draw(counts)
    cuts = sorted(draw(st.lists(st.integers(0, prompt), min_size=4, max_size=4)))
    parts = [high - low for low, high in itertools.pairwise([0, *cuts])]
    return prompt, output, Usage(parts[0], draw(st.integers(0, output)), *parts[1:])


@pytest.mark.parametrize(("sdk", "model"), sorted({*OTHERS, *((ORACLE.sdk(model), model) for model in KNOWN)}))
@given(call=calls())
@settings(max_examples=20, deadline=None)
def test_what_is_reserved_bounds_what_is_billed(sdk, model, call):
    """Whatever is used of a reservation, by agentctl's table and by the oracle's."""
    (prompt, output, usage), price = call, price_of(model, sdk)
    if price is None:  # priced by the hour, the character, or not at all
        return
    daily = dataclasses.replace(price, hourly_cache=False)
    never = dataclasses.replace(usage, cache_write_1h=0)

    assert price.cost(usage) <= price.worst(prompt, output)
    assert daily.cost(never) <= daily.worst(prompt, output)
    if model in KNOWN and not excused(model, usage):
        assert expected(model, usage) <= price.worst(prompt, output)


@pytest.mark.parametrize(("sdk", "model"), OTHERS)
@given(usage=usages)
@settings(max_examples=20, deadline=None)
def test_every_model_costs_what_the_price_data_s_own_arithmetic_says(sdk, model, usage):
    """Also those that the oracle does not know."""
    price = price_of(model, sdk)
    if price is None:
        return
    counted = Counted(
        input_tokens=usage.prompt,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write + usage.cache_write_1h,
        cache_write_5m_tokens=usage.cache_write,
        cache_write_1h_tokens=usage.cache_write_1h,
    )
    exact = calc_price(counted, model, provider_id=sdk).total_price * 10**6

    assert abs(price.cost(usage) * 2 - exact * 2) <= 1
