"""What the Responses API refuses, for one request, in one pass over its input."""

from collections.abc import Mapping
from dataclasses import field

from agentctl.records import dataclass
from agentctl.rehearsal import openai_checks as openai
from agentctl.rehearsal.exchange import Asked, Json, RefusedError, as_list, as_object

PARAMETERS = frozenset(
    {
        "access_programs",
        "background",
        "context_management",
        "conversation",
        "image",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
ROLES = ("assistant", "system", "developer", "user")
SPOKEN = ("output_text", "refusal")
HEARD = ("input_text", "input_image", "input_file")
LEAST_OUTPUT = 16
PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs"}


@dataclass(slots=True)
class _History:
    """Calls seen so far, their outputs, and whether a thought waits for what follows it."""

    calls: set[str] = field(default_factory=set[str])
    outputs: set[str] = field(default_factory=set[str])
    thought: str = ""
    sealed: bool = False
    model: str = ""


def check(body: Json, headers: Mapping[str, str]) -> Asked:  # noqa: ARG001 - every format's shape
    """Refuse what the real one refuses; else say what is asked for."""
    openai.parameters(body, PARAMETERS)
    model = openai.model(body)
    openai.at_least(body, "max_output_tokens", LEAST_OUTPUT)
    previous = body.get("previous_response_id")
    if previous is not None:
        raise RefusedError(
            f"Previous response with id '{previous}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    implicit = openai.cache_options(body, model, ("30m", "12h"))
    names = _tools(body)
    calls = openai.calls_allowed(body, names, _forced(body))
    history = _input(body, model)
    reasoning = as_object(body.get("reasoning")) or {}
    return Asked(
        model=model,
        stream=body.get("stream") is True,
        calls=calls,
        thinking="full" if reasoning.get("summary") else "omitted",
        sealed=history.sealed,
        implicit=implicit,
    )


def _tools(body: Json) -> set[str]:
    names: set[str] = set()
    for index, value in enumerate(openai.array(body.get("tools") or [], "tools")):
        where = f"tools[{index}]"
        tool = openai.table(value, where)
        if not isinstance(tool.get("type"), str):
            raise openai.missing(f"{where}.type")
        if tool["type"] == "function":
            openai.tool(tool, where, names)
        else:
            names.add(str(tool["type"]))
    return names


def _forced(body: Json) -> str | None:
    choice = as_object(body.get("tool_choice"))
    if choice is None or choice.get("type") != "function":
        return None
    if not isinstance(choice.get("name"), str):
        raise openai.missing("tool_choice.name")
    return str(choice["name"])


def _input(body: Json, model: str) -> _History:
    history = _History(model=model)
    value = body.get("input")
    if value is None:
        raise openai.missing("input")
    if isinstance(value, str):
        return history
    for index, entry in enumerate(openai.array(value, "input")):
        where = f"input[{index}]"
        item = openai.table(entry, where)
        kind = item.get("type", "message")
        if history.thought and kind in {"reasoning", "function_call_output"}:
            raise _alone(history.thought)
        history.thought = ""
        _item(item, str(kind), where, history)
    if history.thought:
        raise _alone(history.thought)
    waiting = history.calls - history.outputs
    if waiting:
        raise RefusedError(f"No tool output found for function call {min(waiting)}.", param="input")
    return history


def _item(item: Json, kind: str, where: str, history: _History) -> None:
    prefix, ident = PREFIXES.get(kind), item.get("id")
    if prefix and isinstance(ident, str) and not ident.startswith(prefix):
        raise RefusedError(
            f"Invalid '{where}.id': '{ident}'. Expected an ID that begins with '{prefix}'.",
            param=f"{where}.id",
            code="invalid_value",
        )
    if kind == "message":
        _message(item, where, history)
    elif kind == "function_call":
        _call(item, where, history)
    elif kind == "function_call_output":
        _output(item, where, history)
    elif kind == "reasoning":
        history.thought = str(ident or "rs")
        history.sealed = history.sealed or item.get("encrypted_content") is not None
        if as_list(item.get("summary")) is None:
            raise openai.missing(f"{where}.summary")


def _message(item: Json, where: str, history: _History) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        raise openai.wrong_value(f"{where}.role", role, ROLES)
    if isinstance(content, str):
        return
    if content is None:
        raise openai.missing(f"{where}.content")
    supported = SPOKEN if role == "assistant" else HEARD
    for at, value in enumerate(openai.array(content, f"{where}.content")):
        place = f"{where}.content[{at}]"
        part = openai.table(value, place)
        if part.get("type") not in supported:
            raise openai.wrong_value(place, part.get("type"), supported)
        openai.check_breakpoint(part, place, history.model)


def _call(item: Json, where: str, history: _History) -> None:
    for name in ("call_id", "name", "arguments"):
        if not isinstance(item.get(name), str):
            raise openai.missing(f"{where}.{name}")
    ident = str(item["call_id"])
    if ident in history.calls:
        raise RefusedError(f"Duplicate function call with call_id '{ident}'.", param="input")
    history.calls.add(ident)


def _output(item: Json, where: str, history: _History) -> None:
    ident = item.get("call_id")
    if not isinstance(ident, str):
        raise openai.missing(f"{where}.call_id")
    if item.get("output") is None:
        raise openai.missing(f"{where}.output")
    if ident not in history.calls:
        raise RefusedError(f"No tool call found for function call output with call_id {ident}.", param="input")
    if ident in history.outputs:
        raise RefusedError(f"Duplicate output for call_id '{ident}'.", param="input")
    history.outputs.add(ident)


def _alone(ident: str) -> RefusedError:
    return RefusedError(
        f"Item '{ident}' of type 'reasoning' was provided without its required following item.",
        param="input",
    )
