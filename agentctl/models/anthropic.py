"""Anthropic's SDK: its client, its exceptions. Imported by `open_model` alone.

The body is made by `messages_api` and handed over as bytes, and events come back as plain JSON: the SDK does what it
is for (credentials, headers, proxies, TLS, statuses, server-sent events) and never walks the history.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import anthropic
import httpx2
from anthropic import AnthropicError, AsyncAnthropic, AsyncStream, DefaultAsyncHttpxClient

from agentctl.core.messages import Delta, Failure, Json, Outcome, Request
from agentctl.core.policy import Provider
from agentctl.models.base import OWN_URL, CacheTtl
from agentctl.models.faults import refused
from agentctl.models.messages_api import Messages
from agentctl.models.prefix import Last
from agentctl.models.transport import (
    ask,
    certificates,
    hidden_environment,
    streamed,
    timeouts,
    unreachable,
    unreadable,
    usable_machine,
)
from agentctl.models.wire import as_object

DIAGNOSES = "cache-diagnosis-2026-04-07"
"""The beta that says why the cache could not be read."""


class Anthropic:
    """A provider that speaks the Messages API."""

    def __init__(
        self,
        provider: Provider,
        key: str,
        *,
        cache_ttl: CacheTtl = "5m",
        endpoint: str | None = None,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        """`endpoint` is asked in the place of the provider's own; `http_client` is for tests."""
        self.provider = provider
        self._key = key
        self._dialect = Messages(provider, cache_ttl)
        self._last = Last()
        with usable_machine(), hidden_environment("ANTHROPIC_"):
            self._client = AsyncAnthropic(
                api_key=key,
                base_url=endpoint or provider.base_url or OWN_URL["anthropic"],
                timeout=timeouts(provider),
                max_retries=0,
                default_headers=with_beta(provider.headers) if self._dialect.diagnoses else provider.headers,
                open_telemetry=False,
                # The SDK's defaults, proxies included, but nobody is sent the history whom the policy does not name.
                # One that the SDK makes itself cries out on stderr when it can't be made.
                http_client=http_client
                or DefaultAsyncHttpxClient(timeout=timeouts(provider), verify=certificates(), follow_redirects=False),
            )

    async def ask(self, request: Request, on_delta: Callable[[Delta], None]) -> Outcome:
        """One HTTP request, streamed."""
        return await ask(self._dialect, self._events, self._last, self.provider.deadline_s, request, on_delta)

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    def _events(self, body: bytes) -> AsyncGenerator[Json]:
        def post() -> Awaitable[AsyncStream[object]]:
            return self._client.post(
                self._dialect.path, cast_to=object, content=body, stream=True, stream_cls=AsyncStream[object]
            )

        return streamed(post, self.provider, AnthropicError, self._failure)

    def _failure(self, error: AnthropicError) -> Failure:
        match error:
            case anthropic.APIStatusError():
                return self._refused(error)
            case anthropic.APIConnectionError():
                return unreachable(error.__cause__ or error, self.provider)
            case _:
                return unreadable(error)

    def _refused(self, error: anthropic.APIStatusError) -> Failure:
        told = as_object(as_object(error.body).get("error"))
        return refused(
            error.status_code,
            code=error.error_code,
            kind=error.type or told.get("type"),
            message=told.get("message"),
            headers=error.response.headers,
            secret=self._key,
        )


def with_beta(headers: Mapping[str, str]) -> dict[str, str]:
    """The policy's headers, and the beta beside those that they name."""
    named = next((name for name in headers if name.lower() == "anthropic-beta"), "anthropic-beta")
    return {**headers, named: ",".join(filter(None, (headers.get(named), DIAGNOSES)))}
