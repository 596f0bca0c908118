"""What the Messages API refuses: parameters, tools, thinking and markers."""

import re
from collections.abc import Mapping
from typing import Literal

from agentctl.rehearsal.anthropic_history import (
    History,
    array,
    lifetime,
    mark,
    messages,
    table,
    text,
)
from agentctl.rehearsal.exchange import MANY, Asked, Json, RefusedError, as_object, encode

PARAMETERS = frozenset(
    {
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "user_profile_id",
        "workspace_id",
    }
)
BETA_PARAMETERS = frozenset(
    {
        "billing_policy",
        "compaction",
        "context_management",
        "fallback_credit_token",
        "fallbacks",
        "mcp_servers",
        "thread",
    }
)
REMOVED = frozenset({"temperature", "top_p", "top_k"})
VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
MOST_MARKERS = 4
LEAST_BUDGET = 1_024


def check(body: Json, headers: Mapping[str, str]) -> Asked:
    """Refuse what the real one refuses; else say what is asked for."""
    version = _version(headers)
    _parameters(body, headers, version)
    return _asked(body, _max_tokens(body))


def check_count(body: Json, headers: Mapping[str, str]) -> Asked:
    """Check a request to count tokens: the same, without `max_tokens`."""
    version = _version(headers)
    _parameters(body, headers, version)
    return _asked(body, None)


def _asked(body: Json, max_tokens: int | None) -> Asked:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RefusedError("model: Field required")
    _diagnostics(body)
    history = History()
    names = _tools(body, history)
    calls = _tool_choice(body, names)
    _system(body, history)
    messages(body, model, history)
    thinking = _thinking(body, max_tokens, history)
    if body.get("cache_control") is not None:
        history.marks.append(lifetime(body, "cache_control"))
    _markers(history.marks)
    prewarm = max_tokens == 0
    if prewarm:
        _prewarm(body)
    return Asked(
        model=model,
        stream=body.get("stream") is True,
        calls=calls,
        thinking="off" if thinking.get("type") == "disabled" else _shown(thinking),
        sealed=history.sealed,
        drop_changed=_drops(thinking),
        marked=bool(history.marks),
        prewarm=prewarm,
        cache_config=_config(body) if history.marks else "",
    )


def _diagnostics(body: Json) -> None:
    if body.get("diagnostics") is None:
        return
    asked = table(body["diagnostics"], "diagnostics")
    if not isinstance(asked.get("previous_message_id"), str | None):
        raise RefusedError("diagnostics.previous_message_id: Input should be a valid string")


def _shown(thinking: Json) -> Literal["full", "omitted"]:
    return "omitted" if thinking.get("display") == "omitted" else "full"


def _drops(thinking: Json) -> bool:
    binding = as_object(thinking.get("block_binding")) or {}
    return binding.get("prefix_mismatch_behavior") == "drop_block"


def _config(body: Json) -> str:
    output = as_object(body.get("output_config")) or {}
    return encode([body.get("tool_choice"), body.get("thinking"), output.get("effort")])


def _version(headers: Mapping[str, str]) -> str:
    version = headers.get("anthropic-version", "")
    if not version:
        raise RefusedError("anthropic-version: header is required")
    if version not in VERSIONS:
        raise RefusedError(f'anthropic-version: "{version}" is not a valid version')
    return version


def _parameters(body: Json, headers: Mapping[str, str], version: str) -> None:
    for name in body:
        if name in PARAMETERS or (name in BETA_PARAMETERS and "anthropic-beta" in headers):
            continue
        if name in REMOVED and version != VERSIONS[-1]:
            continue
        raise RefusedError(f"{name}: Extra inputs are not permitted")


def _max_tokens(body: Json) -> int:
    value = body.get("max_tokens")
    if value is None:
        raise RefusedError("max_tokens: Field required")
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusedError("max_tokens: Input should be a valid integer")
    if value < 0:
        raise RefusedError("max_tokens: Input should be greater than or equal to 0")
    return value


def _prewarm(body: Json) -> None:
    thinking = as_object(body.get("thinking")) or {}
    choice = as_object(body.get("tool_choice")) or {}
    output = as_object(body.get("output_config")) or {}
    conflicts = {
        "stream": body.get("stream") is True,
        "thinking": thinking.get("type") == "enabled",
        "tool_choice": choice.get("type") in {"tool", "any"},
        "output_config.format": output.get("format") is not None,
    }
    for name, conflict in conflicts.items():
        if conflict:
            raise RefusedError(f"max_tokens: 0 can't be combined with {name}")


def _tools(body: Json, history: History) -> set[str]:
    names: set[str] = set()
    for index, value in enumerate(array(body.get("tools", []), "tools")):
        where = f"tools.{index}"
        tool = table(value, where)
        if tool.get("type", "custom") != "custom":
            names.add(str(tool.get("name")))
            continue
        name = tool.get("name")
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            raise RefusedError(f"{where}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if name in names:
            raise RefusedError("tools: Tool names must be unique.")
        names.add(name)
        schema = as_object(tool.get("input_schema"))
        if schema is None:
            raise RefusedError(f"{where}.custom.input_schema: Field required")
        if schema.get("type") != "object":
            raise RefusedError(f"{where}.custom.input_schema.type: Input should be 'object'")
        mark(tool, where, history)
    return names


def _tool_choice(body: Json, names: set[str]) -> int:
    if body.get("tool_choice") is None:
        return MANY if names else 0
    choice = table(body["tool_choice"], "tool_choice")
    kind = choice.get("type")
    if kind not in {"auto", "any", "tool", "none"}:
        raise RefusedError("tool_choice: Input tag should be one of 'auto', 'any', 'tool', 'none'")
    if not names:
        raise RefusedError("tool_choice: may only be specified while providing tools")
    if kind == "tool" and choice.get("name") not in names:
        raise RefusedError(f"Tool '{choice.get('name')}' not found in provided tools")
    if kind == "none":
        return 0
    return 1 if choice.get("disable_parallel_tool_use") is True else MANY


def _thinking(body: Json, max_tokens: int | None, history: History) -> Json:
    thinking = as_object(body.get("thinking"))
    if thinking is None:
        return {}
    kind = thinking.get("type")
    if kind not in {"enabled", "disabled", "adaptive", "between_tools"}:
        raise RefusedError("thinking: Input tag should be one of 'adaptive', 'enabled', 'disabled'")
    if kind != "enabled":
        return thinking
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < LEAST_BUDGET:
        raise RefusedError("thinking.enabled.budget_tokens: Input should be at least 1024")
    if max_tokens is not None and 0 < max_tokens <= budget:
        raise RefusedError("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if (as_object(body.get("tool_choice")) or {}).get("type") in {"any", "tool"}:
        raise RefusedError("Thinking may not be enabled when tool_choice forces tool use.")
    if history.last_starts_with not in {"", "thinking", "redacted_thinking"}:
        raise RefusedError(
            "Expected `thinking` or `redacted_thinking`, but found"
            f" `{history.last_starts_with}`. When `thinking` is enabled, a final `assistant`"
            " message must start with a thinking block."
        )
    return thinking


def _system(body: Json, history: History) -> None:
    system = body.get("system")
    if system is None or isinstance(system, str):
        return
    for index, value in enumerate(array(system, "system")):
        block = table(value, f"system.{index}")
        if block.get("type") != "text":
            raise RefusedError(f"system.{index}.type: Input should be 'text'")
        text(block, f"system.{index}")
        mark(block, f"system.{index}", history)


def _markers(marks: list[str]) -> None:
    if len(marks) > MOST_MARKERS:
        raise RefusedError(
            f"A maximum of {MOST_MARKERS} blocks with cache_control may be provided. Found {len(marks)}."
        )
    if "5m" in marks and "1h" in marks[marks.index("5m") :]:
        raise RefusedError("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")
