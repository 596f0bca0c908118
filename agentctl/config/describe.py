"""What each key of a policy or task file means: the docstring under its field, and here what those leave open."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from functools import cache
from typing import Any, get_origin

from agentctl.config import shape

IDS = re.compile(r"\s+(?:[A-H]\d{1,3}(?:-[A-H]?\d+)?(?:,\s+|$))+$")
ENABLED = "Whether this works at all; false is printed at every start"
PLAIN = ("a text", "a text of 1 to 128 characters", "a table", "true or false", "a whole number", "a list of ")
"""What a value shows by itself."""
UNITS = (
    ("usd_per_minute", "USD"),
    ("tokens_per_minute", "tokens"),
    ("usd", "USD"),
    ("seconds", "seconds"),
    ("s", "seconds"),
    ("tokens", "tokens"),
    ("chars", "characters"),
    ("ratio", "share"),
    ("rate", "share"),
)
"""The unit that a key's ending names, for texts that do not name it."""

# Fields without a docstring; `table` says what the table is for. Key: module, class, field.
MORE = {
    "policy.Policy.version": "The version of this format",
    "policy.Policy.extends": "One policy to start from, by name or path; whatever is not said here comes from it",
    "policy.Policy.providers": "Who answers: tried by `priority`, then in this order. They replace the inherited ones",
    "policy.Policy.route": "Which provider gets which work",
    "policy.Policy.budget": "Hard limits: reserved before each call, settled after it, never reset by `resume`",
    "policy.Policy.tokens": "Input and output tokens of the whole run; cache reads count in money, not here",
    "policy.Policy.pace": "Any 60 seconds per SDK, server and key, shared by every run on the store",
    "policy.Policy.retry": "Failed requests to a provider; the SDKs' own retries are off",
    "policy.Policy.circuit": "A provider that keeps failing is left alone; 429 and other 4xx are no failures",
    "policy.Policy.context": "How large a request may become",
    "policy.Policy.results": "What tools answer",
    "policy.Policy.loops": "The same call over and over",
    "policy.Policy.progress": "Results that say the same over and over",
    "policy.Policy.args": "Tool arguments are checked before the tool runs",
    "policy.Policy.risk": "Which calls run by themselves and which ask a person",
    "policy.Policy.approval": "How a person is asked",
    "policy.Policy.trust": "What somebody else wrote: web pages, mail, tickets",
    "policy.Policy.scrub": "What is masked in journals, logs, traces and on the screen",
    "policy.Policy.cache": "The providers' prompt caches",
    "policy.Policy.handoff": "Handing over to a person for good",
    "policy.Policy.sandbox": "Where shell and program tools run",
    "policy.Policy.alerts": "What somebody should hear of",
    "policy.Policy.telemetry": "OpenTelemetry over http/protobuf",
    "policy.Provider.name": "What this provider is called in journals, circuits and `agentctl auth set`",
    "policy.Provider.sdk": "Whose SDK speaks; `openai` also reaches any compatible server through base_url",
    "policy.Provider.model": "The model, as its provider calls it",
    "policy.Provider.roles": "What it may do: answer, summary, landing. A role that nobody has falls to who answers",
    "policy.Provider.base_url": "Any server that speaks the SDK's API; without it the provider's own",
    "policy.Provider.effort": "The API's reasoning effort: none, minimal, low, medium, high, xhigh, max",
    "policy.Provider.api": "OpenAI alone: which API; without it `responses`, at a base_url `chat`",
    "policy.Provider.headers": "HTTP headers that every request carries; never a key",
    "policy.Sandbox.mode": "off; auto: without a sandbox on this machine the shell is denied; required: nothing runs",
    "policy.Sandbox.network": "Whether tools in it reach the network; or which hosts: host, *.host, host:port",
    "policy.Alerts.enabled": "False is printed at every start",
    "policy.Alerts.window_s": "The rolling window, in seconds",
    "policy.Telemetry.enabled": "False is printed at every start",
    "policy.Telemetry.otlp_endpoint": "A collector's URL; empty: nothing is exported",
    "policy.Telemetry.service_name": "The service that spans and metrics are filed under",
    "budget.PriceTable.input": "USD per million input tokens",
    "budget.PriceTable.output": "USD per million output tokens",
    "budget.PriceTable.cache_read": "USD per million tokens read from the cache",
    "budget.PriceTable.cache_write": "USD per million tokens written to the cache",
    "circuit.Rules.tools": "The same keys, for each tool",
    "risk.Rule.why": "A reason, for whoever is asked",
    "route.Rule.provider": "The name of one of the providers",
    "route.Rule.when": "What must hold; all of it",
    "task.Task.version": "The version of this format",
    "task.Task.name": "What the task is called in journals and lists",
    "task.Task.policy": "A policy's name, or the path of its file",
    "task.Task.system": "Who the model is and how it works; `{{name}}` stands for a variable",
    "task.Task.system_file": "A file that holds `system`",
    "task.Task.goal": "What is to be done; `{{name}}` stands for a variable",
    "task.Task.goal_file": "A file that holds `goal`",
    "task.Task.vars": "What each run is given: [vars.NAME]",
    "task.Task.steps": "Tool calls that are done before the model speaks, in this order",
    "task.Task.tools": "Programs, built-in tools, Python functions and MCP servers",
    "task.Task.output": "The answer must be JSON of this shape",
    "task.Task.check": "A program that must exit 0 before the run counts as completed",
    "task.Var.description": "What it is, for people",
    "task.Var.required": "A run without it does not start",
    "task.Var.default": "Its value where none is given",
    "task.Var.choices": "The values that it may have",
    "task.Step.tool": "The name of a tool of this task",
    "task.Step.args": "Its arguments; `{{name}}` stands for a variable",
    "task.Tool.name": "What the model, the policy and people call it; of an MCP server the prefix",
    "task.Tool.description": "What the model is told that it does",
    "task.Tool.owner": "Who is asked when it breaks",
    "task.Tool.timeout_seconds": "Seconds that one try may take; without it the policy's results.timeout_s",
    "task.Tool.side_effects": "What it changes. Its tier: none safe, local low, external medium, irreversible high",
    "task.Tool.retry_policy": "How it is tried again; without it exponential_backoff where that is harmless, else none",
    "task.Tool.recovery": "What to do with a call in flight at a crash; by itself rerun, same_key or ask",
    "task.Tool.idempotent": "Doing it twice is the same as doing it once",
    "task.Tool.auth_scope": "What it may do where it logs in, such as orders:read",
    "task.Tool.max_calls_per_session": "Calls in all runs of a session",
    "task.Tool.max_calls_per_minute": "Calls in any 60 seconds, in all runs of a session",
    "task.Tool.logs": "What its calls leave in the logs",
    "task.Output.schema": "JSON Schema of the answer",
    "task.Output.retries": "How often the model may correct its answer",
    "task.Check.command": "The program and its arguments",
    "task.Check.retries": "How often the model may go on after it failed",
    "task.Check.timeout_seconds": "Seconds that it may take",
}

# Values for keys that have none by themselves, and more ways to write those that have one.
EXAMPLES: dict[str, Any] = {
    "policy.Policy.extends": "standard",
    "policy.Provider.base_url": "http://127.0.0.1:11434/v1",
    "policy.Provider.key_env": "MY_PROVIDER_KEY",
    "policy.Provider.context_tokens": 128_000,
    "policy.Provider.effort": "low",
    "policy.Provider.headers": {"x-team": "support"},
    "policy.Provider.api": "chat",
    "policy.Provider.price": {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75},
    "policy.Alerts.urls": ["mailto://ops@example.com"],
    "policy.Telemetry.otlp_endpoint": "http://127.0.0.1:4318",
    "budget.Rules.session_usd": 0.5,
    "budget.Rules.user_daily_usd": 5.0,
    "budget.Rules.tenant_daily_usd": 50.0,
    "budget.Rules.hourly_usd": 100.0,
    "budget.Rules.assume_price": {"input": 3.0, "output": 15.0},
    "budget.Rules.timezone": "Europe/Berlin",
    "handoff.Rules.contact": "support@example.com",
    "route.Rules.rules": [{"provider": "summarizer", "when": {"goal_max_chars": 200, "tools": 0}}],
    "risk.Rules.rules": [
        {"tool": "send_email", "args": {"to": "^[^@, ]+@example\\.com$"}, "tier": "low", "why": "stays in the house"},
        {"tool": "delete_*", "tier": "forbid"},
    ],
    "task.Task.policy": "standard",
    "task.Tool.use": "builtin:read_file",
    "task.Tool.command": ["python3", "tools/orders.py"],
    "task.Tool.parameters": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    "task.Tool.hosts": ["127.0.0.1:8080"],
    "task.Tool.timeout_seconds": 5,
    "task.Tool.auth_scope": "orders:read",
    "task.Tool.logs": ["tool.name", "tool.status", "retry_safe", "latency_ms"],
    "task.Output.schema": {"type": "object", "required": ["status"]},
    "task.Check.command": ["pytest", "-q"],
}


def label(kind: type, name: str) -> str:
    """The key of a field in the tables above: `budget.Rules.run_usd`."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}.{name}"


def text(kind: type, name: str) -> str:
    """What a key means, in one sentence without its last dot and without the IDs of requirements."""
    said = MORE.get(label(kind, name)) or _documented(kind).get(name, "")
    if name == "enabled" and said.startswith("False"):
        return ENABLED
    if not said and kind.__name__ == "ToolRules":
        from agentctl.core.guards.circuit import Rules

        return text(Rules, name)
    return IDS.sub("", " ".join(said.split())).rstrip(".")


def described(kind: type, name: str) -> str:
    """What a key means, its unit and what may stand there: `USD that one run may cost; a number above 0`."""
    hint = shape.keys(kind)[name]
    words = shape.expected(hint)
    said = text(kind, name)
    unit = unit_of(name, said) if _is_number(hint) else ""
    known = words in PLAIN or words.startswith(PLAIN[-1]) or len(shape.choices(hint)) == 1
    parts = [said, *([f"in {unit}"] if unit else []), *([] if known else [words])]
    return "; ".join(parts)


def unit_of(name: str, said: str) -> str:
    """The unit of a key, unless its text names it."""
    found = next((unit for ending, unit in UNITS if name == ending or name.endswith(f"_{ending}")), "")
    return "" if found.lower() in said.lower() else found


def _is_number(hint: Any) -> bool:  # noqa: ANN401 -- a type hint has no type of its own
    kind, _limits = shape.bare(shape.members(hint)[0])
    return get_origin(kind) is None and kind in {int, float}


@cache
def _documented(kind: type) -> dict[str, str]:
    """The docstring under each field of a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    found: dict[str, str] = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            words = after.value
            if isinstance(words, ast.Constant) and isinstance(words.value, str):
                found[field.target.id] = words.value
    return found
