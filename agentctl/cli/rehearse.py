"""`agentctl rehearse`: the stand-in model as a server of its own, and what its scripts may say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import render
from agentctl.cli.options import AsJson
from agentctl.cli.task import OneLine, printed

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.rehearsal.script import Script
    from agentctl.rehearsal.server import StandIn


def serve(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A rehearsal script")],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where to listen; 0: a free port")] = 0,
    as_json: AsJson = False,
) -> None:
    """Serve a script to any program that speaks to Anthropic or OpenAI, until Ctrl-C

    Every provider is served from its own path, /p/NAME, so that a script's replies and faults may name one.
    """
    import asyncio

    from agentctl.config import schema, toml
    from agentctl.errors import Invalid
    from agentctl.rehearsal.script import Script

    played = schema.validate(Script, toml.load(script))
    try:
        asyncio.run(_serve(played, script, port, as_json=as_json))
    except OSError as error:
        raise Invalid(
            f"127.0.0.1:{port}: {error.strerror or error}", hint="Without --port a free one is taken."
        ) from None


async def _serve(played: Script, script: Path, port: int, *, as_json: bool) -> None:
    import asyncio
    import signal
    import sys

    from agentctl.rehearsal.server import StandIn

    done, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    async with StandIn(played, port=port) as standin:
        _say(standin, script, as_json=as_json)
        sys.stdout.flush()
        await done.wait()


def _say(standin: StandIn, script: Path, *, as_json: bool) -> None:
    """One line, so that a program can wait for it."""
    import json
    import sys

    urls = {sdk: standin.base_url("", sdk) for sdk in ("anthropic", "openai")}
    if as_json:
        body: JsonObject = {"port": standin.port, "base_url": dict(urls), "script": str(script)}
        sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
        return
    render.out(f"port {standin.port} · anthropic {urls['anthropic']} · openai {urls['openai']}")
    render.say(f"plays {script} for anybody on this machine; any key will do; Ctrl-C ends it", "quiet")


def describe(
    drill: Annotated[bool, typer.Option("--drill", help="That of drills of your own")] = False, as_json: OneLine = False
) -> None:
    """Print the JSON Schema of rehearsal scripts, for editors"""
    from agentctl.config import json_schema
    from agentctl.rehearsal.drills.own import OwnDrill
    from agentctl.rehearsal.script import Script

    made = (
        json_schema.of(OwnDrill, "A drill: a rehearsal, how tools misbehave in it, and what is expected")
        if drill
        else json_schema.of(Script, "A rehearsal: what the stand-in model answers, and how it misbehaves")
    )
    printed(made, one_line=as_json)
