"""The stand-in model: a loopback server that talks like the real ones and plays a script.

It speaks Anthropic's Messages (and its token counting), OpenAI's Chat Completions and OpenAI's
Responses, streamed or not, and refuses what they refuse. A path says who is asked and for whom:
`/p/<provider>[/r/<run>]/v1/…`; without it the provider is "" and only replies and faults for
everybody apply. Any key is accepted, none is not.

What it does NOT check, although the real ones do:
- whether the model exists, what it costs, its own context window (give `context_tokens`) or its
  largest output; `max_tokens` never cuts a reply
- spend, rate limits and the headers that report them (script a fault instead)
- tool schemas beyond their outermost object; arguments against schemas; structured outputs
- images, documents, audio, files, citations, server tools, containers, MCP servers, compaction,
  batches, stored responses, conversations, `include`, metadata, moderation, service tiers
- the values of `effort`, `temperature` (OpenAI), `stop_sequences`, `logprobs`, `n`, `seed`
- thinking in a message whose tool loop is closed: it may be left out, it may not be altered
- redacted thinking; a function call whose reasoning item was left out
- `prompt_cache_key`, the lifetimes that OpenAI is asked for, its prewarming and its diagnoses; the cache
  counts four bytes per token and sees pieces, not tokens
"""

import argparse
import asyncio
import contextlib
import signal
import sys
import time
import tomllib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from agentctl.rehearsal.cache import Entries
from agentctl.rehearsal.call import Seen
from agentctl.rehearsal.handler import Handler
from agentctl.rehearsal.script import Script
from agentctl.rehearsal.wire import Peer

__all__ = ["Seen", "StandIn", "serve_forever"]

BACKLOG = 1_024


class StandIn:
    """The server, as an async context manager."""

    def __init__(
        self,
        script: Script,
        *,
        keep_bodies: bool = False,
        context_tokens: int | None = None,
        seed: int = 0,
        position: int | Sequence[str] = 0,
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        secret: bytes = b"",
    ) -> None:
        """Prepare to play `script`; `port` 0 takes a free one.

        `context_tokens` is the window of every model. `seed` makes ids and signatures repeatable,
        `position` is where the run "" goes on, `clock` ages the cache, and `secret` keys its digests.
        """
        self.port = port
        self._handler = Handler(
            script, keep_bodies=keep_bodies, context_tokens=context_tokens, seed=seed, clock=clock, secret=secret
        )
        self._player = self._handler.player
        self._player.set_position("", position)
        self._server: asyncio.Server | None = None
        self._peers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen on 127.0.0.1."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=BACKLOG)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        peers = tuple(self._peers)
        for task in peers:
            task.cancel()
        await asyncio.gather(*peers, return_exceptions=True)

    @property
    def requests(self) -> deque[Seen]:
        """The last requests, oldest first; a bounded number of them."""
        return self._handler.seen

    @property
    def cached(self) -> Entries:
        """What its prompt cache holds; what another one held may be put in."""
        return self._handler.cache.entries

    def base_url(self, provider: str, sdk: str, run: str = "") -> str:
        """Return the base URL that makes the SDK "anthropic" or "openai" ask for this provider."""
        path = f"/p/{quote(provider, safe='')}" if provider else ""
        path += f"/r/{quote(run, safe='')}" if run else ""
        return f"http://127.0.0.1:{self.port}{path}" + ("/v1" if sdk == "openai" else "")

    def position(self, run: str = "") -> int:
        """How many replies the run has been given."""
        return self._player.position(run)

    def set_position(self, run: str, played: int | Sequence[str]) -> None:
        """Go on after so many replies, or after one for each of these providers in turn.

        The providers are exact where replies wait for theirs; a number takes the file's order.
        """
        self._player.set_position(run, played)

    def request_count(self, provider: str, run: str = "") -> int:
        """How many model requests of the run the provider has had."""
        return self._player.requests(run, provider)

    def set_request_count(self, provider: str, number: int, run: str = "") -> None:
        """Go on counting model requests, for faults, after `number`."""
        self._player.set_requests(run, provider, number)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._peers.add(task)
            task.add_done_callback(self._peers.discard)
        peer = Peer(reader, writer)
        with contextlib.suppress(asyncio.CancelledError):
            while (request := await peer.next_request()) is not None:
                await self._handler.serve(peer, request)
        peer.close()


async def serve_forever(script: Script, port: int = 0) -> None:
    """Serve until SIGTERM or SIGINT; the first line on stdout is `{"port": N}`."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    async with StandIn(script, port=port) as standin:
        sys.stdout.write(f'{{"port": {standin.port}}}\n')
        sys.stdout.flush()
        await done.wait()


def _load(path: Path) -> Script:
    """Read a script; validation is imported here, where only this process pays for it."""
    from pydantic import TypeAdapter

    return TypeAdapter(Script).validate_python(tomllib.loads(path.read_text("utf-8")))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve a script from the command line."""
    parser = argparse.ArgumentParser(prog="agentctl.rehearsal.server", description="Play a script.")
    parser.add_argument("script", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args(arguments)
    asyncio.run(serve_forever(_load(given.script), given.port))


if __name__ == "__main__":
    main()
