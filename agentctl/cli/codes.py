"""The exit codes, in one place: `help exit-codes` prints this table."""

from __future__ import annotations

from typing import Final

Row = tuple[str, str, str, str]

CODES: Final[tuple[Row, ...]] = (
    ("0", "completed", "done", ""),
    ("1", "failed", "defect", "a fault of agentctl: one line, and the path of a report"),
    ("2", "-", "usage", "wrong flags or arguments"),
    ("3", "-", "invalid", "a task, policy, script, store or price that can't be used; nothing was sent"),
    (
        "10", "stopped",
        ("run_usd, session_usd, user_daily_usd, tenant_daily_usd, hourly_usd, pace, max_steps, max_tool_calls,"
         " max_wall_s, max_tool_errors, tokens, context"),
        "a limit",
    ),
    ("11", "stopped", "loop, no_progress", "it went in circles"),
    ("12", "parked", "approval, unknown_outcome", "a person has to decide; then resume"),
    ("13", "stopped", "denied", "a person stopped it, or denied too often in a row"),
    ("14", "failed", "providers", "every provider failed, or refused the key; resume tries again"),
    ("15", "failed", "output, check, invalid_args, system_prompt", "the answer did not hold"),
    ("16", "failed", "sandbox", "required, and not available"),
    ("17", "-", "gate", "a check that was asked for did not hold: drill, cache warm, policy test and more"),
    ("18", "failed", "refusal", "the model declined"),
    ("19", "stopped", "handoff", "handed to a person"),
    ("20", "-", "forbidden", "the run's state forbids it: unknown, finished, decided, driven elsewhere"),
    ("20", "cancelled", "cancel", "somebody cancelled it; it can't be resumed"),
    ("130", "paused", "SIGINT", "saved; resume goes on"),
    ("143", "paused", "SIGTERM, pause", "saved; resume goes on"),
)  # fmt: skip


def markdown() -> str:
    """The table as Markdown."""
    head = ["| code | status | reason | |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in CODES)])
