"""What Chat Completions refuses, for one request, in one pass over its messages."""

from collections.abc import Mapping
from dataclasses import field

from agentctl.records import dataclass
from agentctl.rehearsal import openai_checks as openai
from agentctl.rehearsal.exchange import Asked, Json, RefusedError, as_list, as_object

PARAMETERS = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
PARTS = {
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
}


@dataclass(slots=True)
class _History:
    """Calls seen so far, and those that still wait for their message."""

    used: set[str] = field(default_factory=set[str])
    open: list[str] = field(default_factory=list[str])
    answered: set[str] = field(default_factory=set[str])
    model: str = ""


def check(body: Json, headers: Mapping[str, str]) -> Asked:  # noqa: ARG001 - every format's shape
    """Refuse what the real one refuses; else say what is asked for."""
    openai.parameters(body, PARAMETERS)
    model = openai.model(body)
    _limits(body, model)
    names = _tools(body, model)
    implicit = openai.cache_options(body, model, ("30m",))
    calls = openai.calls_allowed(body, names, _forced(body))
    _messages(body, model)
    stream = body.get("stream") is True
    options = as_object(body.get("stream_options"))
    if options is not None and not stream:
        raise RefusedError(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    return Asked(
        model=model,
        stream=stream,
        calls=calls,
        thinking="off",
        usage_chunk=(options or {}).get("include_usage") is True,
        implicit=implicit,
    )


def _limits(body: Json, model: str) -> None:
    openai.at_least(body, "max_tokens", 1)
    openai.at_least(body, "max_completion_tokens", 1)
    if body.get("max_tokens") is not None and openai.REASONING.match(model):
        raise RefusedError(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
            " 'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )


def _tools(body: Json, model: str) -> set[str]:
    names: set[str] = set()
    for index, value in enumerate(openai.array(body.get("tools") or [], "tools")):
        where = f"tools[{index}]"
        tool = openai.table(value, where)
        if tool.get("type") != "function":
            raise openai.wrong_value(f"{where}.type", tool.get("type"), ("function", "custom"))
        if "function" not in tool:
            raise openai.missing(f"{where}.function")
        function = openai.table(tool["function"], f"{where}.function")
        openai.tool(function, f"{where}.function", names)
    if names and body.get("reasoning_effort", "none") != "none" and openai.REASONING.match(model):
        raise RefusedError(
            f"Function tools with reasoning_effort are not supported for {model} in"
            " /v1/chat/completions. Please use /v1/responses instead.",
            param="reasoning_effort",
        )
    return names


def _forced(body: Json) -> str | None:
    choice = as_object(body.get("tool_choice"))
    if choice is None:
        return None
    function = as_object(choice.get("function"))
    if choice.get("type") != "function" or function is None:
        raise openai.missing("tool_choice.function")
    return str(function.get("name"))


def _messages(body: Json, model: str) -> None:
    if "messages" not in body:
        raise openai.missing("messages")
    messages = openai.array(body["messages"], "messages")
    if not messages:
        raise RefusedError(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    history = _History(model=model)
    for index, value in enumerate(messages):
        where = f"messages[{index}]"
        message = openai.table(value, where)
        role = message.get("role")
        if role == "tool":
            _tool_message(message, where, history)
            continue
        _all_answered(history)
        if role not in ROLES:
            raise openai.wrong_value(f"{where}.role", role, ROLES)
        calls = as_list(message.get("tool_calls")) if role == "assistant" else None
        _content(message, str(role), where, history, optional=calls is not None)
        if calls is not None:
            _calls(calls, where, history)
    _all_answered(history)


def _content(message: Json, role: str, where: str, history: _History, *, optional: bool) -> None:
    content = message.get("content")
    if isinstance(content, str) or (content is None and (optional or message.get("refusal"))):
        return
    parts = as_list(content)
    if parts is None:
        raise RefusedError(
            "Invalid value for 'content': expected a string, got"
            f" {'null' if content is None else type(content).__name__}.",
            param=f"{where}.content",
        )
    if not parts:
        raise RefusedError(
            f"Invalid '{where}.content': empty array. Expected an array with minimum length 1.",
            param=f"{where}.content",
            code="empty_array",
        )
    supported = PARTS.get(role, ("text",))
    for at, value in enumerate(parts):
        part = openai.table(value, f"{where}.content[{at}]")
        if part.get("type") not in supported:
            raise openai.wrong_value(f"{where}.content[{at}].type", part.get("type"), supported)
        openai.check_breakpoint(part, f"{where}.content[{at}]", history.model)


def _calls(calls: list[object], where: str, history: _History) -> None:
    if not calls:
        raise RefusedError(
            f"Invalid '{where}.tool_calls': empty array. Expected an array with minimum length 1.",
            param=f"{where}.tool_calls",
            code="empty_array",
        )
    history.answered.clear()
    for at, value in enumerate(calls):
        place = f"{where}.tool_calls[{at}]"
        call = openai.table(value, place)
        function = openai.table(call.get("function"), f"{place}.function")
        ident = call.get("id")
        if not isinstance(ident, str) or not ident:
            raise openai.missing(f"{place}.id")
        for name in ("name", "arguments"):
            if not isinstance(function.get(name), str):
                raise openai.missing(f"{place}.function.{name}")
        if ident in history.used:
            raise RefusedError(f"Duplicate value for 'tool_call_id': '{ident}'.", param=place)
        history.used.add(ident)
        history.open.append(ident)


def _tool_message(message: Json, where: str, history: _History) -> None:
    ident = message.get("tool_call_id")
    if not isinstance(ident, str):
        raise openai.missing(f"{where}.tool_call_id")
    if ident in history.answered:
        raise RefusedError(f"Duplicate value for 'tool_call_id': '{ident}'.", param=where)
    if ident not in history.open:
        raise RefusedError(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding"
            " message with 'tool_calls'.",
            param=f"{where}.role",
        )
    _content(message, "tool", where, history, optional=False)
    history.open.remove(ident)
    history.answered.add(ident)


def _all_answered(history: _History) -> None:
    if history.open:
        raise RefusedError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to"
            " each 'tool_call_id'. The following tool_call_ids did not have response messages:"
            f" {', '.join(history.open)}",
            param="messages",
        )
    history.answered.clear()
