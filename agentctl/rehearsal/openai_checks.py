"""What both OpenAI APIs refuse alike: parameters, tools and the tool choice."""

import re
from collections.abc import Collection

from agentctl.rehearsal.exchange import MANY, Json, RefusedError, as_list, as_object

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]+")
LONGEST_NAME = 64
PAID_WRITES = re.compile(r"gpt-(5\.([6-9]|\d\d)|[6-9]|1\d)(?!\d)")
"""Models whose cache writes are billed and reported, and that take breakpoints."""

REASONING = re.compile(r"gpt-[5-9]|o[134]")
"""Models that think, and know `max_completion_tokens` only."""


def parameters(body: Json, known: Collection[str]) -> None:
    """Refuse what the API has no name for."""
    for name in body:
        if name not in known:
            raise RefusedError(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def model(body: Json) -> str:
    """Return the model's name."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise missing("model")
    return name


def missing(param: str) -> RefusedError:
    """Refuse a request that lacks a parameter."""
    return RefusedError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def wrong_type(param: str, expected: str) -> RefusedError:
    """Refuse a value of another type."""
    return RefusedError(f"Invalid type for '{param}': expected {expected}.", param=param, code="invalid_type")


def wrong_value(param: str, value: object, supported: Collection[str]) -> RefusedError:
    """Refuse a value that is none of those supported."""
    names = ", ".join(f"'{name}'" for name in supported)
    return RefusedError(
        f"Invalid value: '{value}'. Supported values are: {names}.",
        param=param,
        code="invalid_value",
    )


def array(value: object, param: str) -> list[object]:
    """Return the value, an array."""
    found = as_list(value)
    if found is None:
        raise wrong_type(param, "an array")
    return found


def table(value: object, param: str) -> Json:
    """Return the value, an object."""
    found = as_object(value)
    if found is None:
        raise wrong_type(param, "an object")
    return found


def tool(value: Json, where: str, names: set[str]) -> None:
    """Refuse a function that can't be called; else add its name to `names`."""
    name = value.get("name")
    if not isinstance(name, str):
        raise missing(f"{where}.name")
    if not TOOL_NAME.fullmatch(name):
        raise RefusedError(
            f"Invalid '{where}.name': string does not match pattern. Expected a string that matches"
            " the pattern '^[a-zA-Z0-9_-]+$'.",
            param=f"{where}.name",
            code="invalid_value",
        )
    if len(name) > LONGEST_NAME:
        raise RefusedError(
            f"Invalid '{where}.name': string too long. Expected a string with maximum length"
            f" {LONGEST_NAME}, but got a string with length {len(name)} instead.",
            param=f"{where}.name",
            code="string_above_max_length",
        )
    if name in names:
        raise RefusedError(f"Duplicate function name: '{name}'.", param=where, code="invalid_value")
    names.add(name)
    schema = value.get("parameters")
    if schema is not None:
        _schema(table(schema, f"{where}.parameters"), where, name, strict=value.get("strict"))


def _schema(schema: Json, where: str, name: str, *, strict: object) -> None:
    def refused(why: str) -> RefusedError:
        return RefusedError(
            f"Invalid schema for function '{name}': {why}",
            param=f"{where}.parameters",
            code="invalid_function_parameters",
        )

    kind = schema.get("type")
    if kind != "object":
        raise refused(f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'.")
    if strict is not True:
        return
    if schema.get("additionalProperties") is not False:
        raise refused("In context=(), 'additionalProperties' is required to be supplied and to be false.")
    required = set(map(str, as_list(schema.get("required")) or []))
    if required != set(as_object(schema.get("properties")) or {}):
        raise refused(
            "In context=(), 'required' is required to be supplied and to be an array including every key in properties."
        )


def calls_allowed(body: Json, names: set[str], forced: str | None) -> int:
    """Say how many calls the tool choice leaves. `forced` is the tool that it names, if any."""
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice not in {"none", "auto", "required"}:
        raise wrong_value("tool_choice", choice, ("none", "auto", "required"))
    if choice is not None and not names:
        raise RefusedError(
            "'tool_choice' is only allowed when 'tools' are specified.",
            param="tool_choice",
            code="invalid_value",
        )
    if forced is not None and forced not in names:
        raise RefusedError(
            f"Tool choice '{forced}' not found in 'tools' parameter.",
            param="tool_choice",
            code="invalid_value",
        )
    if choice == "none" or not names:
        return 0
    return 1 if body.get("parallel_tool_calls") is False else MANY


def at_least(body: Json, name: str, least: int) -> None:
    """Refuse a limit that is no number or too small."""
    value = body.get(name)
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(name, "an integer")
    if value < least:
        raise RefusedError(
            f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead.",
            param=name,
            code="integer_below_min_value",
        )


def cache_options(body: Json, model: str, lifetimes: tuple[str, ...]) -> bool:
    """Refuse options that the model or the API does not know; whether the API adds a breakpoint of its own."""
    given = body.get("prompt_cache_options")
    if given is None:
        return True
    if not PAID_WRITES.match(model):
        raise unsupported("prompt_cache_options")
    options = table(given, "prompt_cache_options")
    for name, supported in (("mode", ("implicit", "explicit")), ("ttl", lifetimes)):
        if options.get(name, supported[0]) not in supported:
            raise wrong_value(f"prompt_cache_options.{name}", options[name], supported)
    return options.get("mode") != "explicit"


def check_breakpoint(part: Json, where: str, model: str) -> None:
    """Refuse a breakpoint that the model does not know."""
    given = part.get("prompt_cache_breakpoint")
    if given is None:
        return
    if not PAID_WRITES.match(model):
        raise unsupported(f"{where}.prompt_cache_breakpoint")
    mode = table(given, f"{where}.prompt_cache_breakpoint").get("mode")
    if mode != "explicit":
        raise wrong_value(f"{where}.prompt_cache_breakpoint.mode", mode, ("explicit",))


def unsupported(param: str) -> RefusedError:
    """Refuse what other models take."""
    return RefusedError(
        f"Unsupported parameter: '{param}' is not supported with this model.",
        param=param,
        code="unsupported_parameter",
    )
