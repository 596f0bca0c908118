"""What is allowed and worth a thought: warnings, which fail nothing by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agentctl.core.audit.facts import Facts, of_tool, told
from agentctl.core.audit.tooling import API_S, DATABASE_S
from agentctl.core.receivers import secret, shown

MOST_ATTEMPTS: Final = 5
"""Attempts in all, above which retrying is hoping. G7"""
PANIC: Final = 50
"""Steps: the panic button; 20 are generous. E13"""
TABLES: Final = (
    *("budget", "tokens", "pace", "retry", "circuit", "route", "context", "results", "loops", "progress", "args"),
    *("risk", "approval", "trust", "scrub", "cache", "alerts", "telemetry"),
)


def cautions(facts: Facts) -> Iterator[str]:
    """One line each."""
    yield from _numbers(facts)
    yield from _switched(facts)
    yield from _words(facts)
    for contract in facts.contracts:
        reaches = contract.remote or contract.side_effects in {"external", "irreversible"}
        if reaches and API_S < contract.timeout_s <= DATABASE_S:
            where = of_tool(facts, contract.name, "timeout_seconds")
            yield f"{where} may take {contract.timeout_s:g}s: {API_S:g} s are enough for an API"


def _numbers(facts: Facts) -> Iterator[str]:
    for table in ("retry", "results"):
        if getattr(facts.policy, table).max_attempts > MOST_ATTEMPTS:
            yield f"{told(facts, table, 'max_attempts')}: more than {MOST_ATTEMPTS} hammer what is down already"
    if facts.policy.budget.max_steps > PANIC:
        yield f"{told(facts, 'budget', 'max_steps')}: 20 are generous, {PANIC} are the panic button"


def _switched(facts: Facts) -> Iterator[str]:
    for table in TABLES:
        if not getattr(facts.policy, table).enabled:
            yield f"{told(facts, table, 'enabled')}: switched off"
    if facts.policy.sandbox.mode == "off":
        yield f"{told(facts, 'sandbox', 'mode')}: programs run as the user does"
    elif facts.backend == "none":
        yield "no sandbox on this machine: shell is denied, programs run without one (agentctl doctor)"


def _words(facts: Facts) -> Iterator[str]:
    policy = facts.policy
    if policy.budget.unknown_price == "assume":
        yield f"{told(facts, 'budget', 'unknown_price')}: budgets in USD are as good as the guess"
    if policy.telemetry.include_content and policy.telemetry.otlp_endpoint:
        yield f"{told(facts, 'telemetry', 'include_content')}: what was said leaves for the collector, scrubbed"
    if not policy.scrub.to_model and any(about.secret for about in facts.task.vars.values()):
        yield f"{told(facts, 'scrub', 'to_model')}: the task has secret variables, and the provider reads them"
    if policy.approval.command and any(each.side_effects == "irreversible" for each in facts.contracts):
        yield f"{told(facts, 'approval', 'command')}: a program may say yes to what can't be taken back"
    for number, url in enumerate(policy.alerts.urls):
        if secret(url):
            yield f"alerts.urls[{number}] ({shown(url)}) holds a secret: put it into a variable and write env:NAME"
    later = facts.answering[1:]
    for provider in later:
        if not provider.degraded and provider.model != facts.answering[0].model:
            yield f"{provider.name} answers with another model, and the user is not told: degraded = true tells them"
