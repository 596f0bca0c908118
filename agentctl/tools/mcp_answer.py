"""What an MCP server answered, as an envelope: results, their errors, errors of the protocol, broken connections.

Structured content is preferred to its text. Only text is handed on: what else came is named. Whatever the SDK raises
is one line, groups of exceptions too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.tools.plain import clean, json_safe

if TYPE_CHECKING:
    from mcp_types import CallToolResult, ContentBlock

LINE = 400
MOST_LEAVES = 3
ERROR_TEXT = 4_000
"""Characters of a server's own words about a failure."""
TRACEBACK = "Traceback (most recent call last)"
ARGUMENTS = ("-32602", "Input validation")
"""How servers say, in words, that arguments do not fit."""
ADVERT = "For further information visit"
"""What pydantic says after its findings."""
INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
TIMED_OUT = -32001
CLOSED = -32000
GONE = "Connection closed"
CUT = "SSE stream"
"""How the SDK words -32000, which servers use for errors of their own too: nothing works any more, or one answer is
lost."""
UNSAID_WAIT_S = 30.0
"""After HTTP 429 without a `Retry-After` in seconds."""
Refusals = list[tuple[int, str]]
"""Statuses from 400 on and what `Retry-After` said, in their order."""
FITTING = "Send arguments that fit the tool's schema."


# --- Results -------------------------------------------------------------------------------------


def of_result(result: CallToolResult) -> Envelope:
    """The envelope of a result, which may be that the tool failed."""
    texts = [text for block in result.content if (text := _text(block)) is not None]
    left_out = [named for block in result.content if (named := _declined(block))]
    if result.is_error:
        return _failed("\n".join([*texts, *left_out]))
    if result.structured_content is not None:
        hint = f"Left out, since only text is handed on: {', '.join(left_out)}." if left_out else ""
        return Envelope("success", data=json_safe(result.structured_content), hint=hint)
    notes = [f"[left out, since only text is handed on: {named}]" for named in left_out]
    return envelope.success(clean("\n".join([*texts, *notes])))


def _text(block: ContentBlock) -> str | None:
    if block.type == "text":
        return block.text
    if block.type == "resource":
        text = getattr(block.resource, "text", None)
        return None if text is None else str(text)
    return None


def _declined(block: ContentBlock) -> str:
    match block.type:
        case "image" | "audio":
            article = "an image" if block.type == "image" else "a sound"
            return f"{article} ({_word(block.mime_type)}, {_size(block.data)})"
        case "resource_link":
            return f"a link to {_word(block.uri)}"
        case "resource":
            blob: str | None = getattr(block.resource, "blob", None)
            return "" if blob is None else f"the file {_word(block.resource.uri)} ({_size(blob)})"
        case _:
            return ""


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4:,} bytes"


def _word(text: str) -> str:
    return _line(text)[:200]


def _failed(text: str) -> Envelope:
    """The tool ran, or would not, and says so in a result."""
    said = clean(text.strip())
    if TRACEBACK in said:
        said = said.splitlines()[-1]
    said = said[:ERROR_TEXT] or "The tool failed and said nothing."
    if any(word in said for word in ARGUMENTS):
        return envelope.bad_arguments(said, FITTING)
    return envelope.permanent(said)


# --- Failures ------------------------------------------------------------------------------------


def of_error(error: BaseException, seconds: float, refused: Refusals) -> Envelope:
    """What the SDK raised for a call on a connection that is whole."""
    code, said = code_of(error), one_line(error)
    status, wait = refused[-1] if refused else (0, "")
    if is_late(error):
        return envelope.timed_out(seconds)
    if status and code not in (INVALID_PARAMS, METHOD_NOT_FOUND):
        return _of_status(status, wait, said)
    if code == INVALID_PARAMS:
        return envelope.bad_arguments(said, FITTING)
    return envelope.permanent(f"The server refused the call: {said}" if code else f"Its answer can't be used: {said}")


def _of_status(status: int, wait: str, said: str) -> Envelope:
    if status == 429:
        return envelope.rate_limited(float(wait) if wait.isdecimal() else UNSAID_WAIT_S)
    if status >= 500:
        return envelope.server_error(status)
    if status in (401, 403):
        return envelope.forbidden(f"the MCP server answered HTTP {status}")
    return envelope.permanent(f"The MCP server answered HTTP {status}: {said}")


def broken(contract: Contract, server: str, why: str) -> Envelope:
    """The connection ended in the middle of the call. What may have happened must not be done again blindly."""
    said = f"The MCP server '{server}' ended in the middle of the call" + (f": {why}" if why else "")
    if contract.read_only or contract.idempotent:
        return envelope.transient(f"{said}.")
    return envelope.permanent(
        f"{said}; the outcome of {contract.name} is unknown.", hint="Look whether it happened before you do it again."
    )


def is_late(error: BaseException) -> bool:
    """Whether this says that no answer came in time."""
    return isinstance(error, TimeoutError) or code_of(error) == TIMED_OUT


def is_gone(error: BaseException) -> bool:
    """Whether this says that the connection is no more."""
    return code_of(error) == CLOSED and one_line(error).startswith(GONE)


def is_cut(error: BaseException) -> bool:
    """Whether this says that the answer to this one call is lost."""
    return code_of(error) == CLOSED and one_line(error).startswith(CUT)


def is_forgotten(error: BaseException) -> bool:
    """Whether an HTTP server does not know this session: the call was not looked at."""
    return code_of(error) is not None and one_line(error).startswith("Session terminated")


def code_of(error: BaseException) -> int | None:
    """The code of an error of the protocol."""
    code: object = getattr(error, "code", None)
    return code if isinstance(code, int) else None


def one_line(error: BaseException) -> str:
    """An exception in words: of a group its first members, each once."""
    said = list(dict.fromkeys(_line(_words(leaf)) for leaf in _leaves(error)))
    return "; ".join(said[:MOST_LEAVES])[:LINE]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(each)
    else:
        yield error


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error).partition(ADVERT)[0] or type(error).__name__


def _line(text: str) -> str:
    printable = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(printable.split())
