"""Clients and scripts that the rehearsal's tests share."""

import json
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from pydantic import TypeAdapter

from agentctl.rehearsal.script import Script
from agentctl.rehearsal.server import StandIn

HEADERS = {"x-api-key": "key", "anthropic-version": "2026-10-21"}

Start = Callable[..., Any]


def parsed(text: str) -> Script:
    """Read a script as the configuration does."""
    return TypeAdapter(Script).validate_python(tomllib.loads(text))


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start stand-ins that are stopped after the test."""
    async with AsyncExitStack() as stack:

        async def begin(text: str = "", **options: Any) -> StandIn:
            return await stack.enter_async_context(StandIn(parsed(text), **options))

        yield begin


class Raw:
    """A client that sends whatever it is given."""

    def __init__(self, client: httpx2.AsyncClient, standin: StandIn) -> None:
        self.client = client
        self.standin = standin

    async def post(
        self, path: str, body: Any, *, provider: str = "p", run: str = "", headers: Any = None
    ) -> httpx2.Response:
        url = self.standin.base_url(provider, "anthropic", run) + path
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(url, content=content, headers=HEADERS if headers is None else headers)


@pytest.fixture
async def raw() -> AsyncIterator[Callable[[StandIn], Raw]]:
    async with httpx2.AsyncClient(timeout=5) as client:
        yield lambda standin: Raw(client, standin)


@pytest.fixture
async def anthropic_client() -> AsyncIterator[Start]:
    import anthropic

    async with AsyncExitStack() as stack:

        async def connect(standin: StandIn, provider: str = "anthropic", run: str = "") -> Any:
            client = anthropic.AsyncAnthropic(
                api_key="key",
                base_url=standin.base_url(provider, "anthropic", run),
                max_retries=0,
                timeout=5,
            )
            return await stack.enter_async_context(client)

        yield connect


@pytest.fixture
async def openai_client() -> AsyncIterator[Start]:
    import openai

    async with AsyncExitStack() as stack:

        async def connect(standin: StandIn, provider: str = "openai", run: str = "") -> Any:
            client = openai.AsyncOpenAI(
                api_key="key",
                base_url=standin.base_url(provider, "openai", run),
                max_retries=0,
                timeout=5,
            )
            return await stack.enter_async_context(client)

        yield connect


@pytest.fixture
def read_script() -> Callable[[str], Script]:
    return parsed
