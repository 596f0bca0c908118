"""OpenAI's SDK: its client, its exceptions. Imported by `open_model` alone.

The body is made by `responses` or `chat` and handed over as bytes, and events come back as plain JSON: given the
history as parameters, the SDK would transform all of it for each call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpx2Client, OpenAIError

from agentctl.core.messages import Delta, Failure, Json, Outcome, Request
from agentctl.core.policy import Provider
from agentctl.models.base import OWN_URL, CacheTtl
from agentctl.models.chat import Chat
from agentctl.models.faults import refused
from agentctl.models.prefix import Last
from agentctl.models.responses import Responses
from agentctl.models.transport import (
    Dialect,
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


class OpenAI:
    """A provider that speaks Responses or Chat Completions."""

    def __init__(
        self,
        provider: Provider,
        key: str,
        *,
        cache_ttl: CacheTtl = "5m",
        tag: str = "",
        endpoint: str | None = None,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        """`endpoint` is asked in the place of the provider's own; `http_client` is for tests."""
        self.provider = provider
        self._key = key
        spoken = Chat if provider.wire == "chat" else Responses
        self._dialect: Dialect = spoken(provider, tag, cache_ttl)
        self._last = Last()
        with usable_machine(), hidden_environment("OPENAI_"):
            self._client = AsyncOpenAI(
                api_key=key,
                base_url=endpoint or provider.base_url or OWN_URL["openai"],
                timeout=timeouts(provider),
                max_retries=0,
                default_headers=provider.headers,
                # The SDK's defaults, proxies included, but nobody is sent the history whom the policy does not name.
                # One that the SDK makes itself cries out on stderr when it can't be made.
                http_client=http_client
                or DefaultAsyncHttpx2Client(timeout=timeouts(provider), verify=certificates(), follow_redirects=False),
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

        return streamed(post, self.provider, OpenAIError, self._failure)

    def _failure(self, error: OpenAIError) -> Failure:
        match error:
            case openai.APIStatusError():
                return self._refused(error, error.status_code, error.response.headers)
            case openai.APIConnectionError():
                return unreachable(error.__cause__ or error, self.provider)
            case openai.APIError():
                return self._refused(error, 200, httpx2.Headers())
            case _:
                return unreadable(error)

    def _refused(self, error: openai.APIError, status: int, headers: httpx2.Headers) -> Failure:
        told = as_object(error.body)
        return refused(
            status,
            code=error.code,
            kind=error.type,
            message=told.get("message"),
            headers=headers,
            secret=self._key,
        )
