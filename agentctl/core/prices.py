"""What a call costs: pure arithmetic in whole micro-dollars. The rates come from `models/prices.py` or the policy."""

from __future__ import annotations

from dataclasses import field

from agentctl.core.messages import Usage
from agentctl.records import dataclass

MICRO = 1_000_000
FINE = 1_000_000_000
"""Parts of a micro-dollar that are counted in: floats miss a micro-dollar where a sum ends on a half."""
MOST_OUTPUT = 1_000_000_000
"""Output tokens that nobody asks for: a free model's room."""


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars per million tokens, for requests whose whole prompt is above `above` tokens.

    Nine decimals of a price count: up to millions of dollars a float holds that many.
    """

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    above: int = 0
    fine: tuple[int, int, int, int, int] = field(init=False, repr=False, compare=False)
    """The five prices as parts of a micro-dollar per token."""

    def __post_init__(self) -> None:
        prices = self.input, self.output, self.cache_read, self.cache_write, self.cache_write_1h
        given, output, read, written, longer = (round(price * FINE) for price in prices)
        object.__setattr__(self, "fine", (given, output, read, written, longer))

    def cost(self, usage: Usage) -> int:
        """The exact cost, in parts of a micro-dollar."""
        given, output, read, written, longer = self.fine
        return (
            given * usage.input
            + output * usage.output
            + read * usage.cache_read
            + written * usage.cache_write
            + longer * usage.cache_write_1h
        )


@dataclass(frozen=True, slots=True)
class Price:
    """The rates of one model, ascending in `above`.

    The last one that the prompt exceeds holds for the whole request.
    """

    rates: tuple[Rate, ...]
    source: str = ""
    """Where it is from: `genai-prices 0.2.3`, `policy.toml:12`."""
    hourly_cache: bool = True
    """Whether requests may write the dear cache of an hour."""

    def rate(self, prompt_tokens: int) -> Rate:
        """The rate that a prompt of this size is billed at."""
        held = self.rates[0]
        for rate in self.rates:
            if prompt_tokens > rate.above:
                held = rate
        return held

    def cost(self, usage: Usage) -> int:
        """What this usage cost, in micro-dollars, rounded to the nearest; a half goes up."""
        return (2 * self.rate(usage.prompt).cost(usage) + FINE) // (2 * FINE)

    def worst(self, prompt_tokens: int, output_tokens: int) -> int:
        """The most that such a call can cost, in micro-dollars: every token at its dearest, rounded up."""
        dearest = 0
        for rate in self._within(prompt_tokens):
            given, output, read, written, longer = rate.fine
            dear = max(given, read, written, longer if self.hourly_cache else 0)
            dearest = max(dearest, dear * prompt_tokens + output * output_tokens)
        return -(-dearest // FINE)

    def affordable(self, prompt_tokens: int, micro_usd: int) -> int:
        """The output tokens that `micro_usd` still buys after such a prompt; 0 when not even the prompt is."""
        left = micro_usd - self.worst(prompt_tokens, 0)
        if left < 0:
            return 0
        dearest = max(rate.fine[1] for rate in self._within(prompt_tokens))
        return min(left * FINE // dearest, MOST_OUTPUT) if dearest else MOST_OUTPUT

    def _within(self, prompt_tokens: int) -> list[Rate]:
        """The rates that a prompt of at most this size may be billed at."""
        return [rate for rate in self.rates if not rate.above or prompt_tokens > rate.above]


def micro(usd: float) -> int:
    """Dollars to micro-dollars, to the nearest."""
    return round(usd * MICRO)
