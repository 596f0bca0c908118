"""What a call costs: pure arithmetic in whole micro-dollars. The rates come from `models/prices.py` or the policy."""

from __future__ import annotations

from dataclasses import dataclass

from agentctl.core.messages import Usage

MICRO = 1_000_000
MOST_OUTPUT = 1_000_000_000
"""Output tokens that nobody asks for: a free model's room."""


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars per million tokens, for requests whose whole prompt is above `above` tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    above: int = 0

    def cost(self, usage: Usage) -> float:
        """The cost in micro-dollars (dollars per million tokens, times tokens)."""
        return (
            self.input * usage.input
            + self.output * usage.output
            + self.cache_read * usage.cache_read
            + self.cache_write * usage.cache_write
            + self.cache_write_1h * usage.cache_write_1h
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
        """What this usage cost, in micro-dollars, rounded to the nearest."""
        return round(self.rate(usage.prompt).cost(usage))

    def worst(self, prompt_tokens: int, output_tokens: int) -> int:
        """The most that such a call can cost, in micro-dollars: every token at its dearest, rounded up."""
        dearest = 0.0
        for rate in self.rates:
            if rate.above and prompt_tokens <= rate.above:
                continue
            hourly = rate.cache_write_1h if self.hourly_cache else 0.0
            dear = max(rate.input, rate.cache_write, hourly, rate.cache_read)
            dearest = max(dearest, dear * prompt_tokens + rate.output * output_tokens)
        return -int(-dearest // 1)

    def affordable(self, prompt_tokens: int, micro_usd: int) -> int:
        """The output tokens that `micro_usd` still buys after such a prompt; 0 when not even the prompt is."""
        left = micro_usd - self.worst(prompt_tokens, 0)
        if left < 0:
            return 0
        dearest = max(rate.output for rate in self.rates if not rate.above or prompt_tokens > rate.above)
        return int(min(left // dearest, MOST_OUTPUT)) if dearest else MOST_OUTPUT


def micro(usd: float) -> int:
    """Dollars to micro-dollars, to the nearest."""
    return round(usd * MICRO)
