"""What lies between a translation and the wire, the same for both SDKs: time, faults, the environment."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from typing import Protocol, TypeVar

import httpx2

from agentctl.core.messages import Delta, Failure, FailureKind, Json, Outcome, Request, Usage
from agentctl.core.policy import Provider
from agentctl.errors import Invalid
from agentctl.models.faults import Broken, one_line
from agentctl.models.prefix import Last, Sent

CONNECT_S = 5.0
GRACE_S = 1.0
"""How long a reply that is complete may take to end its stream, so that the connection can serve the next call."""


NEVER_LEFT = (httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol)


class Reading(Protocol):
    """A reply that is coming in."""

    done: bool
    """True as soon as nothing is missing, even if the stream has not ended."""

    def feed(self, event: Json) -> None:
        """Take one event; raises `Broken` where it makes no sense or reports an error."""
        ...

    def outcome(self) -> Outcome:
        """What it came to; raises `Broken` where something is missing."""
        ...

    def partial(self, most: int) -> Usage | None:
        """What was billed at the most, for a reply that broke: `most` output tokens, unless the end was told."""
        ...


class Dialect(Protocol):
    """One wire API: requests to bytes, events to a reply."""

    path: str

    def body(self, request: Request) -> bytes:
        """The body of a streamed request."""
        ...

    def sent(self) -> Sent:
        """What caches look at of the last body."""
        ...

    def reading(self, body: bytes, on_delta: Callable[[Delta], None]) -> Reading:
        """Where the events of the reply go."""
        ...


Raised = TypeVar("Raised", bound=Exception)


def timeouts(provider: Provider) -> httpx2.Timeout:
    """Silence is `timeout_s`; the deadline of the whole call is `drive`'s, since no HTTP client has one."""
    return httpx2.Timeout(provider.deadline_s, connect=CONNECT_S, read=provider.timeout_s)


def certificates() -> ssl.SSLContext:
    """Whom this machine trusts: read once, since it takes 15 ms and a hundred runs may share a process."""
    return trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def trusted(file: str | None, folder: str | None) -> ssl.SSLContext:
    """What these two variables say, which `create_ssl_context` reads itself."""
    del file, folder
    return httpx2.create_ssl_context()


async def ask(
    dialect: Dialect,
    events: Callable[[bytes], AsyncGenerator[Json]],
    last: Last,
    deadline_s: float,
    request: Request,
    on_delta: Callable[[Delta], None],
) -> Outcome:
    """One request: translated, sent, read to its end, and compared with the one before it. `events` sends a body."""
    body = dialect.body(request)
    reading, sent = dialect.reading(body, on_delta), dialect.sent()
    outcome = await drive(events(body), reading, deadline_s, request.max_output_tokens)
    return last.compared(sent, outcome)


async def streamed(
    post: Callable[[], Awaitable[AbstractAsyncContextManager[AsyncIterable[Json]]]],
    provider: Provider,
    own: type[Raised],
    failure: Callable[[Raised], Failure],
) -> AsyncGenerator[Json]:
    """The events of one answer, by way of an SDK; `own` is the root of what it raises, and `failure` translates that.

    Raises `Broken`.
    """
    try:
        async with await post() as stream:
            async for event in stream:
                yield event
    except own as error:
        raise Broken(failure(error)) from error
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
        raise Broken(unreachable(error, provider)) from error
    except (ValueError, RecursionError) as error:
        raise Broken(unreadable(error)) from error


async def drive(events: AsyncGenerator[Json], reading: Reading, deadline_s: float, most: int) -> Outcome:
    """Read a reply of at most `most` tokens to its end or to whatever ends it first."""
    clock = asyncio.timeout(deadline_s)
    try:
        async with clock, aclosing(events):
            async for event in events:
                reading.feed(event)
                if reading.done:
                    break
            if reading.done:
                # Complete is complete: what breaks after it is nobody's loss.
                with suppress(Broken, TimeoutError):
                    async with asyncio.timeout(GRACE_S):
                        async for _ in events:
                            pass
    except Broken as broken:
        return with_usage(broken.failure, reading, most)
    except TimeoutError:
        if not clock.expired():
            raise
        if not reading.done:
            late = Failure("timeout", f"no complete reply within deadline_s = {deadline_s:g}")
            return with_usage(late, reading, most)
    try:
        return reading.outcome()
    except Broken as broken:
        return with_usage(broken.failure, reading, most)


def with_usage(failure: Failure, reading: Reading, most: int) -> Failure:
    """The failure, with what was billed for it as far as that can be believed."""
    try:
        return replace(failure, usage=reading.partial(most))
    except Broken:
        return failure


def unreachable(error: BaseException, provider: Provider) -> Failure:
    """What a fault of the connection, raised by httpx2 or wrapped by an SDK, comes to."""
    what = one_line(str(error)) or type(error).__name__
    host = httpx2.URL(provider.base_url).host if provider.base_url else f"{provider.sdk}'s API"
    never_left = isinstance(error, NEVER_LEFT)
    if isinstance(error, (httpx2.ConnectTimeout, httpx2.PoolTimeout)):
        return Failure("timeout", f"{host}: no connection within {CONNECT_S:g} s", sent=False)
    if isinstance(error, httpx2.TimeoutException):
        return Failure("timeout", f"{host}: silent for timeout_s = {provider.timeout_s:g}")
    if isinstance(error, (httpx2.LocalProtocolError, httpx2.InvalidURL)):
        return Failure("invalid", one_line(f"{host}: {what}"), sent=False)
    kind: FailureKind = "malformed" if isinstance(error, httpx2.DecodingError) else "connection"
    return Failure(kind, one_line(f"{host}: {what}"), sent=not never_left)


def unreadable(error: Exception) -> Failure:
    """What a stream that is no stream of JSON comes to."""
    return Failure("malformed", one_line(f"the reply is no stream of JSON: {error}"))


@contextmanager
def hidden_environment(prefix: str) -> Generator[None]:
    """Let an SDK be imported or made without what the environment tells it to do.

    A policy names base URL, key and headers. The SDKs would also obey `*_CUSTOM_HEADERS`, `OPENAI_ORG_ID`, `*_LOG`
    (which prints whole requests) and more, and offer no switch against it. Only at these two moments do they look;
    nothing else runs on this thread meanwhile.
    """
    held = {name: text for name, text in os.environ.items() if name.startswith(prefix)}
    for name in held:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(held)


@contextmanager
def usable_machine() -> Generator[None]:
    """Turn what makes an HTTP client impossible here into a line for a person."""
    try:
        yield
    except OSError as error:
        place = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or "the system's"
        raise Invalid(
            f"the certificates of this machine can't be read ({place}): {one_line(str(error))}",
            hint="set SSL_CERT_FILE to a file of PEM certificates, or unset it",
        ) from error
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        raise Invalid(
            f"no HTTP client can be made here: {one_line(str(error))}",
            hint="see base_url in the policy, and HTTP_PROXY, HTTPS_PROXY and ALL_PROXY",
        ) from error
