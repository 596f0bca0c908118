"""OpenAI's SDK: its client, its exceptions. Imported by `open_model` alone.

The body is made by `responses` or `chat` and handed over as bytes, and events come back as plain JSON: given the
history as parameters, the SDK would transform all of it for each call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpx2Client

from agentctl.core.messages import Delta, Failure, Json, Outcome, Request
from agentctl.core.policy import Provider
from agentctl.models.base import OWN_URL, CacheTtl
from agentctl.models.chat import Chat
from agentctl.models.faults import Broken, refused
from agentctl.models.prefix import Last
from agentctl.models.responses import Responses
from agentctl.models.transport import (
    Dialect,
    certificates,
    drive,
    hidden_environment,
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
        body = self._dialect.body(request)
        reading, sent = self._dialect.reading(body, on_delta), self._dialect.sent()
        outcome = await drive(self._events(body), reading, self.provider.deadline_s, request.max_output_tokens)
        return self._last.compared(sent, outcome)

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    async def _events(self, body: bytes) -> AsyncGenerator[Json]:
        try:
            stream = await self._client.post(
                self._dialect.path,
                cast_to=object,
                content=body,
                stream=True,
                stream_cls=AsyncStream[object],
            )
            async with stream:
                async for event in stream:
                    yield event
        except openai.APIStatusError as error:
            raise Broken(self._refused(error, error.status_code, error.response.headers)) from error
        except openai.APIConnectionError as error:
            raise Broken(unreachable(error.__cause__ or error, self.provider)) from error
        except openai.APIError as error:
            raise Broken(self._refused(error, 200, httpx2.Headers())) from error
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise Broken(unreachable(error, self.provider)) from error
        except (ValueError, RecursionError, openai.OpenAIError) as error:
            raise Broken(unreadable(error)) from error

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
