"""How a model is asked, whoever made it.

`open_model` gives an adapter; the SDK that it stands on is imported there and not before, since importing one takes
longer than everything else that a short command does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from agentctl.core.messages import Delta, Outcome, Request
from agentctl.core.policy import Provider
from agentctl.errors import Invalid

CacheTtl = Literal["5m", "1h", "off"]
OWN_URL = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
"""Always passed to the SDK: otherwise it obeys `ANTHROPIC_BASE_URL` and `OPENAI_BASE_URL`."""
NO_KEY = "no-key"
"""What a server of one's own is given where there is no key: the SDKs insist on one."""


class Model(Protocol):
    """One provider of the policy, ready to be asked. Belongs to the event loop that it was opened in."""

    @property
    def provider(self) -> Provider:
        """The entry of the policy that this is."""
        ...

    async def ask(self, request: Request, on_delta: Callable[[Delta], None]) -> Outcome:
        """One HTTP request, streamed. Whatever goes wrong out there is a `Failure`, never an exception."""
        ...

    async def close(self) -> None:
        """Let the connections go."""
        ...


def is_own(provider: Provider) -> bool:
    """Whether this is the SDK's own provider, not a server that merely speaks its API."""
    own = OWN_URL[provider.sdk]
    return provider.base_url is None or provider.base_url.rstrip("/") == own


def open_model(
    provider: Provider, key: str | None, *, cache_ttl: CacheTtl = "5m", tag: str = "", endpoint: str | None = None
) -> Model:
    """An adapter for `provider`.

    `tag` says which requests share a prefix (the task's digest): OpenAI routes by it, so that they meet their cache.
    `endpoint` is a base URL that stands in for the provider's own: everything else stays as the provider would get it.
    What stands in asks for no key.
    """
    key = usable_key(provider, key or (NO_KEY if endpoint else None))
    check_headers(provider)
    if provider.sdk == "anthropic":
        from agentctl.models.transport import hidden_environment  # httpx2: 0.1 s

        with hidden_environment("ANTHROPIC_"):
            from agentctl.models.anthropic import Anthropic  # the SDK: seconds
        return Anthropic(provider, key, cache_ttl=cache_ttl, endpoint=endpoint)
    from agentctl.models.transport import hidden_environment  # httpx2: 0.1 s

    with hidden_environment("OPENAI_"):
        from agentctl.models.openai import OpenAI  # the SDK: a second
    return OpenAI(provider, key, cache_ttl=cache_ttl, tag=tag, endpoint=endpoint)


def usable_key(provider: Provider, key: str | None) -> str:
    """The key, if it can stand in a header at all."""
    key = (key or "").strip()
    if not key:
        if is_own(provider):
            raise Invalid(f"provider {provider.name} has no key")
        return NO_KEY
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise Invalid(
            f"the key of provider {provider.name} holds characters that no key has",
            hint=f"agentctl auth set {provider.name}",
        )
    return key


def check_headers(provider: Provider) -> None:
    """Refuse headers that HTTP can't carry, before they break a request."""
    for name, text in provider.headers.items():
        token = name.replace("-", "").replace("_", "")
        if not (token.isascii() and token.isalnum() and text.isascii() and text.isprintable()):
            raise Invalid(f"provider {provider.name}: header {name!r} is not one that HTTP can carry")
