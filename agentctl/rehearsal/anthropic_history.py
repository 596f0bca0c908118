"""What the Messages API refuses in a history, in one pass over it."""

import re
from dataclasses import field

from agentctl.records import dataclass
from agentctl.rehearsal.exchange import Json, RefusedError, as_list, as_object

PREFILLED = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5")
"""Models that continue an assistant turn; later ones refuse it."""

SYSTEM_TURNS = (
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-fable-5-",
    "claude-mythos-5-",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
)
"""Models that know a system role among the messages; the others refuse it."""


@dataclass(slots=True)
class History:
    """What one pass over the messages has seen so far."""

    used: set[str] = field(default_factory=set[str])
    open: list[str] = field(default_factory=list[str])
    sealed: bool = False
    marks: list[str] = field(default_factory=list[str])
    last_starts_with: str = ""


def messages(body: Json, model: str, history: History) -> None:
    """Refuse a history that can't be; note its calls, thoughts and markers."""
    messages = array(body.get("messages"), "messages")
    if not messages:
        raise RefusedError("messages: at least one message is required")
    before = ""
    for index, value in enumerate(messages):
        where = f"messages.{index}"
        message = table(value, where)
        role = message.get("role")
        _role(role, before, where, model)
        blocks = _blocks(message.get("content"), where)
        if role == "assistant":
            _answered(history, index)
            _assistant(blocks, where, history)
        else:
            _user(blocks, where, history, index)
        before = str(role)
    _answered(history, len(messages))
    if before == "assistant" and not model.startswith(PREFILLED):
        raise RefusedError(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _role(role: object, before: str, where: str, model: str) -> None:
    if role not in {"user", "assistant", "system"}:
        raise RefusedError(f"{where}.role: Input should be 'user' or 'assistant'")
    if not before and role != "user":
        raise RefusedError('messages: first message must use the "user" role')
    if role == "system":
        if not model.startswith(SYSTEM_TURNS):
            raise RefusedError(f'{where}: Unexpected role "system". Use the top-level `system`.')
        if before != "user":
            raise RefusedError(f"{where}: a system message must follow a user message")
    if role == "user" and before == "system":
        raise RefusedError(f"{where}: a system message must be last or followed by assistant")


def _blocks(content: object, where: str) -> list[Json]:
    if isinstance(content, str):
        if not content:
            raise RefusedError(f"{where}: all messages must have non-empty content")
        content = [{"type": "text", "text": content}]
    blocks = array(content, f"{where}.content")
    if not blocks:
        raise RefusedError(f"{where}: all messages must have non-empty content")
    return [table(block, f"{where}.content.{at}") for at, block in enumerate(blocks)]


def _assistant(blocks: list[Json], where: str, history: History) -> None:
    for at, block in enumerate(blocks):
        place = f"{where}.content.{at}"
        kind = block.get("type")
        if kind == "text":
            text(block, place)
        elif kind == "tool_use":
            _tool_use(block, place, history)
        elif kind == "thinking":
            _signed(block, place)
            history.sealed = True
        elif kind in {"tool_result", "image", "document"} or not isinstance(kind, str):
            raise RefusedError(f"{place}: `{kind}` blocks can't be in `assistant` messages")
        mark(block, place, history)
    history.last_starts_with = str(blocks[0].get("type")) if history.open else ""


def _tool_use(block: Json, place: str, history: History) -> None:
    ident = block.get("id")
    if not isinstance(ident, str) or not re.fullmatch(r"[a-zA-Z0-9_-]+", ident):
        raise RefusedError(f"{place}.tool_use.id: String should match '^[a-zA-Z0-9_-]+$'")
    if ident in history.used:
        raise RefusedError(f"{place}: `tool_use` ids must be unique")
    if as_object(block.get("input")) is None:
        raise RefusedError(f"{place}.tool_use.input: Input should be a valid dictionary")
    if not isinstance(block.get("name"), str):
        raise RefusedError(f"{place}.tool_use.name: Field required")
    history.used.add(ident)
    history.open.append(ident)


def _signed(block: Json, place: str) -> None:
    if not isinstance(block.get("thinking"), str):
        raise RefusedError(f"{place}.thinking.thinking: Field required")
    if not isinstance(block.get("signature"), str):
        raise RefusedError(f"{place}.thinking.signature: Field required")
    if "cache_control" in block:
        raise RefusedError(f"{place}.thinking.cache_control: Extra inputs are not permitted")


def _user(blocks: list[Json], where: str, history: History, index: int) -> None:
    waiting, talked = set(history.open), False
    for at, block in enumerate(blocks):
        place = f"{where}.content.{at}"
        kind = block.get("type")
        if kind == "tool_result":
            if talked and waiting:
                _answered(history, index)
            _tool_result(block, place, waiting, history)
        elif kind == "text":
            talked = True
            text(block, place)
        elif kind in {"tool_use", "thinking", "redacted_thinking"} or not isinstance(kind, str):
            raise RefusedError(f"{place}: `{kind}` blocks can only be in `assistant` messages")
        mark(block, place, history)
    history.open = [ident for ident in history.open if ident in waiting]
    _answered(history, index)


def _tool_result(block: Json, place: str, waiting: set[str], history: History) -> None:
    ident = block.get("tool_use_id")
    if ident in waiting:
        waiting.discard(str(ident))
    elif ident in history.open:
        raise RefusedError(
            f"{place}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {ident}"
        )
    else:
        raise RefusedError(
            f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {ident}. Each"
            " `tool_result` block must have a corresponding `tool_use` block in the previous"
            " message."
        )
    for at, value in enumerate(as_list(block.get("content")) or []):
        part = table(value, f"{place}.content.{at}")
        if part.get("type") == "text":
            text(part, f"{place}.content.{at}")
        mark(part, f"{place}.content.{at}", history)


def _answered(history: History, index: int) -> None:
    """Refuse to go on while a call has no result. `index` is the message that should hold it."""
    if history.open:
        raise RefusedError(
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks"
            f" immediately after: {', '.join(history.open)}. Each `tool_use` block must have a"
            " corresponding `tool_result` block in the next message."
        )


def text(block: Json, place: str) -> None:
    """Refuse a text block that says nothing."""
    text = block.get("text")
    if not isinstance(text, str):
        raise RefusedError(f"{place}.text.text: Field required")
    if not text:
        raise RefusedError(f"{place}: text content blocks must be non-empty")
    if text.isspace():
        raise RefusedError(f"{place}: text content blocks must contain non-whitespace text")


def mark(block: Json, place: str, history: History) -> None:
    """Note the cache marker on a block, if any."""
    if block.get("cache_control") is not None:
        history.marks.append(lifetime(block, f"{place}.cache_control"))


def lifetime(block: Json, place: str) -> str:
    """Return the lifetime that a cache marker asks for."""
    control = table(block["cache_control"], place)
    ttl = control.get("ttl", "5m")
    if control.get("type") != "ephemeral" or ttl not in {"5m", "1h"}:
        raise RefusedError(f"{place}: Input should be 'ephemeral', with a ttl of '5m' or '1h'")
    return str(ttl)


def array(value: object, where: str) -> list[object]:
    """Return the value, a list."""
    found = as_list(value)
    if found is None:
        raise RefusedError(f"{where}: Input should be a valid list")
    return found


def table(value: object, where: str) -> Json:
    """Return the value, a dictionary."""
    found = as_object(value)
    if found is None:
        raise RefusedError(f"{where}: Input should be a valid dictionary")
    return found
