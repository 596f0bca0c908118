"""What each provider's prompt cache takes and keeps: where it is marked, from what size on, for how long."""

from __future__ import annotations

import re

from agentctl.core.messages import JsonObject
from agentctl.core.policy import Provider
from agentctl.models.base import CacheTtl, is_own

markable = re.compile(r"gpt-(5\.([6-9]|\d\d)|[6-9]|1\d)(?!\d)")
"""OpenAI's models that take breakpoints. Older ones refuse them and cache by themselves."""
BREAKPOINT: JsonObject = {"mode": "explicit"}
OPTIONS: JsonObject = {"mode": "implicit", "ttl": "30m"}
"""OpenAI adds a breakpoint of its own at the end. 12 hours, which one of its APIs knows too, have no known price."""
NOTHING: JsonObject = {"mode": "explicit"}
"""Without any breakpoint: nothing is cached, so no write is paid for."""

# The stand-in has these figures for itself (`rehearsal/cache.py`), since it checks what is done by these.
MINIMUMS = (
    ("claude-opus-4-8", 1_024),
    ("claude-opus-4-7", 2_048),
    ("claude-opus-4-6", 4_096),
    ("claude-opus-4-5", 4_096),
    ("claude-haiku-4-5", 4_096),
    ("claude-sonnet-5-5", 512),
    ("claude-sonnet", 1_024),
    ("claude", 512),
)
"""The smallest prefix that is cached, in tokens, by the beginning of the model's name."""
USUAL_MINIMUM = 1_024
LIFETIMES = {"5m": 300.0, "1h": 3_600.0}
BREAKPOINT_LIFE_S = 1_800.0
AUTOMATIC_LIFE_S = 300.0
"""The least that OpenAI promises where it caches by itself."""
LEAST_OUTPUT = {"anthropic": 1, "openai": 16}
"""The fewest output tokens that each API lets one ask for."""


def takes_breakpoints(provider: Provider) -> bool:
    """Whether OpenAI's own breakpoints may be sent. A compatible server would refuse them, or worse."""
    return provider.sdk == "openai" and is_own(provider) and markable.match(provider.model) is not None


def options(provider: Provider, ttl: CacheTtl) -> JsonObject | None:
    """`prompt_cache_options` for this provider; None: it knows none."""
    if not takes_breakpoints(provider):
        return None
    return NOTHING if ttl == "off" else OPTIONS


def least_tokens(provider: Provider) -> int:
    """The smallest prefix that the provider caches, in tokens."""
    return next((least for start, least in MINIMUMS if provider.model.startswith(start)), USUAL_MINIMUM)


def lifetime_s(provider: Provider, ttl: CacheTtl) -> float:
    """How long an entry lives after the start of the last request that wrote or read it, in seconds, at the least."""
    if provider.sdk == "anthropic":
        return LIFETIMES.get(ttl, 0.0)
    return BREAKPOINT_LIFE_S if takes_breakpoints(provider) else AUTOMATIC_LIFE_S
