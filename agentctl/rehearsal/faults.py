"""How a fault spoils an answer: pure functions from one answer to another."""

from dataclasses import replace

from agentctl.rehearsal.exchange import Answer, RefusedError, Wire
from agentctl.rehearsal.script import Fault, FaultKind

INSTEAD = frozenset({"status", "hang", "garbage", "empty", "wrong_shape", "context_exceeded"})
"""Kinds that answer before the request is read, in place of any reply."""

PLAYED = frozenset({"slow", "bad_args", "absurd_usage"})
"""Kinds whose reply counts as played: the client receives all of it."""

JSON = "application/json"
STREAM = "text/event-stream"
PAGE = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
STRANGE = b'{"object":"list","data":[],"has_more":false}'


def instead(fault: Fault, wire: Wire, request_id: str, *, stream: bool) -> Answer:
    """Answer a request without reading it."""
    kind = STREAM if stream else JSON
    if fault.kind == "hang":
        return Answer(0, ())
    if fault.kind == "garbage":
        return Answer(200, (PAGE,), "text/html")
    if fault.kind == "empty":
        return Answer(200, (), kind)
    if fault.kind == "wrong_shape":
        return Answer(200, (b"data: " + STRANGE + b"\n\n" if stream else STRANGE,), kind)
    if fault.kind == "context_exceeded":
        return Answer(400, (wire.error(wire.too_long(210_000, 200_000), request_id),))
    body = wire.error(scripted(fault), request_id)
    return Answer(fault.status, (body,), headers=tuple(fault.headers.items()))


def spoiled(answer: Answer, fault: Fault, wire: Wire) -> Answer:
    """Spoil a reply on its way."""
    if fault.kind == "slow":
        stream = answer.content_type == STREAM
        parts = answer.parts if stream else _sliced(b"".join(answer.parts))
        return replace(answer, parts=parts, pause_s=fault.delay_s)
    begun = halved(answer)
    endings: dict[FaultKind, Answer] = {
        "reset": replace(begun, end="reset"),
        "stall": replace(begun, end="stall"),
        "truncate": begun,
        "bad_json": _cut(begun),
        "error_event": _interrupted(begun, fault, wire),
    }
    return endings.get(fault.kind, answer)


def scripted(fault: Fault) -> RefusedError:
    """Return the error that a fault stands for."""
    message = fault.message or f"The rehearsal script answers with {fault.status}."
    return RefusedError(message, status=fault.status, code=fault.code or None)


def halved(answer: Answer) -> Answer:
    """Keep the first half of what is sent: some content has been seen, the end has not."""
    parts = answer.parts
    if len(parts) > 1:
        return replace(answer, parts=parts[: (len(parts) + 1) // 2])
    body = b"".join(parts)
    return replace(answer, parts=(body[: len(body) // 2],))


def _cut(begun: Answer) -> Answer:
    """Cut the last event in two, and end it as if it were whole."""
    if begun.content_type != STREAM:
        return begun
    last = begun.parts[-1]
    return replace(begun, parts=(*begun.parts[:-1], last[: -len(last) // 3] + b"\n\n"))


def _interrupted(begun: Answer, fault: Fault, wire: Wire) -> Answer:
    """Follow the first half with an error; without a stream, a 200 that holds one."""
    if begun.content_type != STREAM:
        return replace(begun, parts=(wire.error(scripted(fault), ""),))
    return replace(begun, parts=(*begun.parts, wire.error_event(scripted(fault))))


def _sliced(body: bytes) -> tuple[bytes, ...]:
    size = max(1, -(-len(body) // 8))
    return tuple(body[start : start + size] for start in range(0, len(body), size))
