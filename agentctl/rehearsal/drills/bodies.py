"""What stands in a request that reached the provider."""

from __future__ import annotations

from collections.abc import Iterator

from agentctl.core import recap
from agentctl.rehearsal.call import WIRES
from agentctl.rehearsal.drills.scene import Request
from agentctl.rehearsal.prefix import measure


def texts(value: object) -> Iterator[str]:
    """Every text in a JSON value."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            waiting.extend(node.values())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # JSON
        elif isinstance(node, list):
            waiting.extend(node)  # pyright: ignore[reportUnknownArgumentType]  # JSON


def says(request: Request, words: str) -> bool:
    """Whether these words stand in it."""
    return any(words in text for text in texts(dict(request.body)))


def summarises(request: Request) -> bool:
    """Whether it asks for a summary of what is left out: a conversation of its own."""
    return says(request, recap.INSTRUCTION)


def size(request: Request) -> int:
    """The tokens of its prompt, as the provider counts them."""
    for api, wire in WIRES.items():
        if api == request.api:
            return measure(wire.pieces(dict(request.body))).tokens
    return 0
