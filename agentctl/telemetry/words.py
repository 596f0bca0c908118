"""The names of the GenAI conventions, and what agentctl's own values are called there.

The conventions have moved to a repository of their own and nothing in them is stable, so the names stand here.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from agentctl.core import events as e
from agentctl.telemetry.span import Attributes

FINISH = {"end_turn": "stop", "tool_use": "tool_call", "max_tokens": "length", "refusal": "content_filter"}
HOSTS = {"anthropic": "api.anthropic.com", "openai": "api.openai.com"}
PORTS = {"http": 80, "https": 443}
LABELS = {"answer": "llm.completion", "landing": "llm.landing", "summary": "llm.summary"}
UNKNOWN = "unknown_outcome"
"""The error of a call whose outcome nobody saw."""


def sdk(identity: str) -> str:
    """`anthropic` of `anthropic||claude-sonnet-4-6`."""
    return identity.partition("|")[0]


def server(identity: str) -> Attributes:
    """Where requests of this identity go; nothing where that is no URL."""
    name, _, rest = identity.partition("|")
    base = rest.partition("|")[0] or f"https://{HOSTS.get(name, '')}"
    try:
        parts = urlsplit(base)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return {}
    if not parts.hostname:
        return {}
    return {"server.address": parts.hostname, **({"server.port": port} if port else {})}


def usage(reply: e.ModelReplied) -> Attributes:
    """Tokens, the cached ones among the input as the conventions count them."""
    used = reply.usage
    return {
        "gen_ai.usage.input_tokens": used.prompt,
        "gen_ai.usage.output_tokens": used.output,
        "gen_ai.usage.cache_read.input_tokens": used.cache_read,
        "gen_ai.usage.cache_write.input_tokens": used.cache_write + used.cache_write_1h,
    }


def failure(kind: str, status: int | None) -> str:
    """`529 overloaded`."""
    return f"{status} {kind}" if status else kind


def first(reason: str) -> str:
    """The part of a reason that agentctl itself wrote; behind a colon may stand what a server said."""
    return reason.partition(":")[0][:80]
