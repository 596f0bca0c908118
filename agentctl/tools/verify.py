"""The program that a tool names as `verify`: whether a call whose outcome nobody saw has happened. E30

It is given the call as one JSON object on stdin, and answers with one on stdout: `{"happened": true, "result": …}` or
`{"happened": false}`. Whatever else it does, another exit code than 0 or silence among it, says that it can't tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.records import dataclass
from agentctl.tools.command import last_line
from agentctl.tools.plain import parse
from agentctl.tools.process import Ended
from agentctl.tools.sandbox.box import Box, run_boxed


@dataclass(frozen=True, slots=True)
class Found:
    """What it said."""

    happened: bool | None
    """None: it can't tell, and `why` says why not."""
    result: Json = None
    why: str = ""


async def verify(
    command: tuple[str, ...], box: Box, env: Mapping[str, str], call: JsonObject, timeout_s: float
) -> Found:
    """Ask it once; nothing is raised."""
    try:
        ended = await run_boxed(box, command, dict(env), json.dumps(call).encode(), timeout_s)
    except (OSError, ValueError) as error:
        return Found(None, why=f"verify could not be started: {error}")
    if ended.how != "exited" or ended.changed or ended.left:
        return Found(None, why=_stopped(ended, timeout_s))
    if ended.code:
        line = last_line(ended.stderr)
        return Found(None, why=f"verify could not tell{': ' if line else ''}{line} (exit {ended.code})")
    try:
        said = parse(ended.stdout.decode())
    except ValueError as error:
        return Found(None, why=f"what verify said is not JSON: {error}")
    if not is_object(said) or not isinstance(said.get("happened"), bool):
        return Found(None, why='verify said neither {"happened": true} nor {"happened": false}')
    return Found(said["happened"] is True, said.get("result"))


def _stopped(ended: Ended, timeout_s: float) -> str:
    if ended.changed or ended.left:
        return "verify changed what decides what is done later"
    return f"verify did not answer within {timeout_s:g}s" if ended.how == "timeout" else "verify did too much"
