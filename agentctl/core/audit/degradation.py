"""What happens when something outside fails: one way down for each thing that a run depends on. E32

Worked out of the same values that runs decide by: what stands here is what happens.
"""

from __future__ import annotations

from collections.abc import Iterator

from agentctl.core.audit.facts import Facts, Lack, Said, in_task, listed
from agentctl.core.audit.outside import another
from agentctl.core.contract import Contract
from agentctl.core.guards import risk, route
from agentctl.core.policy import Provider, Role
from agentctl.core.receivers import shown
from agentctl.records import dataclass

AFTER = {
    "rerun": "it runs again",
    "same_key": "it runs again under the same key",
    "reconcile": "its verify program is asked",
    "ask": "a person is asked",
}
LAST = "nobody left: exit 14, saved; agentctl resume goes on"


@dataclass(frozen=True, slots=True)
class Way:
    """What a run does without one of its dependencies, step by step."""

    dependency: str
    kind: str
    path: tuple[str, ...]
    fix: str = ""
    """What gives it a way down; empty: it has one."""

    @property
    def ok(self) -> bool:
        """Whether it has a way down."""
        return not self.fix


def ways(facts: Facts) -> tuple[Way, ...]:
    """All of them: providers by role, tools, servers, programs, what keeps and what tells."""
    return (*_providers(facts), *_tools(facts), *_servers(facts), *_programs(facts), *_house(facts))


def _circuit(facts: Facts, failures: int, recovery_s: float) -> str:
    if not facts.policy.circuit.enabled:
        return "no circuit: it is asked each time"
    return f"after {failures} failures in a row left alone for {recovery_s:g}s, then probed"


def _providers(facts: Facts) -> Iterator[Way]:
    policy = facts.policy
    answering = facts.answering
    fix = "" if len({each.identity for each in answering}) > 1 else another(facts)
    for number, provider in enumerate(answering):
        others = answering[number + 1 :]
        path = [*_asked(facts, provider), *_next(others), LAST]
        yield Way(provider.name, "provider: answer", tuple(path), fix)
    triples = tuple((each.name, each.priority, each.roles) for each in policy.providers)
    named = {each.name: each for each in policy.providers}
    roles: tuple[tuple[Role, str], ...] = (
        ("summary", "the oldest turns go without a summary"),
        ("landing", "the run ends without a last answer, saved and resumable"),
    )
    for role, without in roles:
        chain = [named[name] for name in route.order(triples, role) if role in named[name].roles]
        for number, provider in enumerate(chain):
            path = [*_asked(facts, provider), *_next(tuple(chain[number + 1 :])), without]
            yield Way(provider.name, f"provider: {role}", tuple(path))


def _asked(facts: Facts, provider: Provider) -> Iterator[str]:
    """How long one provider is waited for, and how often."""
    rules, circuit = facts.policy.retry, facts.policy.circuit
    yield f"{provider.timeout_s:g}s of silence or {provider.deadline_s:g}s in all is a failure"
    attempts = rules.max_attempts if rules.enabled else 1
    jitter = ", with jitter" if rules.jitter else ""
    waits = f", waits of {rules.base_delay_s:g}s to {rules.max_delay_s:g}s{jitter}" if attempts > 1 else ""
    yield f"{attempts} attempts{waits}" if attempts > 1 else "1 attempt"
    yield _circuit(facts, circuit.failure_threshold, circuit.recovery_s)


def _next(others: tuple[Provider, ...]) -> Iterator[str]:
    """Who is asked then, and what the user is told."""
    for other in others[:1]:
        told = ", and the user is told that the answer may be less polished" if other.degraded else ""
        yield f"{other.name} ({other.model}) answers{told}"


def _tools(facts: Facts) -> Iterator[Way]:
    rules, circuit = facts.policy.results, facts.policy.circuit.tools
    by_name = {each.name: each for each in facts.contracts}
    for contract in facts.contracts:
        tried = rules.max_attempts if rules.enabled and contract.retry_policy != "none" else 1
        path = [f"timeout {contract.timeout_s:g}s", f"{tried} attempts" if tried > 1 else "1 attempt"]
        path.append(_circuit(facts, circuit.failure_threshold, circuit.recovery_s))
        other = by_name.get(contract.fallback_tool)
        fault = _unfit(facts, other) if other else ""
        if other and not fault:
            path.append(f"circuit open: {other.name} takes the call, and the model is told")
        if fault:
            path.append(f"circuit open: {contract.fallback_tool} can't take the call: {fault}")
        if contract.side_effects != "none" and not contract.idempotent:
            path.append(f"outcome unknown: not retried; after a crash {AFTER[contract.recovery]}")
        path.append("the model is told that it failed, and goes on without it")
        fix = "" if not fault else in_task(facts, contract.name, 'fallback_tool = ""')
        yield Way(contract.name, "tool", tuple(path), fix)


def _unfit(facts: Facts, other: Contract) -> str:
    """Why a tool could never stand in for another. E25"""
    rules = facts.policy.risk
    if risk.hidden(rules, other):
        return "the policy forbids it"
    if risk.check(rules, other) is not None and facts.policy.approval.enabled:
        return "it would have to ask a person"
    return ""


def _servers(facts: Facts) -> Iterator[Way]:
    for entry in facts.task.tools:
        if entry.use == "mcp":
            path = (
                "can't be started and was never listed: exit 3, nothing is sent",
                "ends during a run: that call fails, and the next one starts it again",
                "the model is told, and goes on without it",
            )
            yield Way(entry.name, "MCP server", path)


def _programs(facts: Facts) -> Iterator[Way]:
    policy, task = facts.policy, facts.task
    if policy.approval.enabled and policy.approval.command:
        path = (f"silence for {policy.approval.timeout_s:g}s, failure or nonsense", "means deny; the model is told why")
        yield Way(" ".join(policy.approval.command), "reviewer", path)
    elif policy.approval.enabled:
        waits = (
            f"nobody answers for {policy.approval.timeout_s:g}s: {policy.approval.on_timeout}",
            f"nobody can be asked: {policy.approval.non_interactive}",
            "parked: exit 12, costs nothing, agentctl approve from anywhere; denied: the model is told",
        )
        yield Way("people", "approval", waits)
    if task.check:
        again = f"the model may mend it {task.check.retries} times, then exit 15, resumable"
        mends = (f"timeout {task.check.timeout_seconds:g}s", "a failure, a timeout: the run is not completed", again)
        yield Way(" ".join(task.check.command), "check", mends)
    if facts.backend:
        yield Way(facts.backend if facts.backend != "off" else "none", "sandbox", _sandbox(facts))


def _sandbox(facts: Facts) -> tuple[str, ...]:
    match facts.policy.sandbox.mode:
        case "required":
            return ("not there: exit 16, nothing is sent",)
        case "auto":
            return ("bubblewrap, else Landlock", "neither: shell is denied, programs run with a warning")
        case _:
            return ("switched off: programs run as the user does",)


def _house(facts: Facts) -> Iterator[Way]:
    """What keeps, what tells, and the keys."""
    kept = "the run stops, saved up to the last event; agentctl resume goes on"
    store = "a server that is away" if facts.books.shared else "locked, full or read-only"
    yield Way(facts.books.shown, "store", (f"{store}: waited for, then {kept}",))
    asks = [each.key_variable for each in facts.policy.providers]
    keys = (
        "the variable, else (without key_env) the keyring, for 2s",
        "no key: that provider is skipped, one line says so",
        "none at all: exit 3, nothing is sent",
    )
    yield Way(listed(list(dict.fromkeys(asks))), "keys", keys)
    telemetry = facts.policy.telemetry
    if telemetry.enabled and telemetry.otlp_endpoint:
        path = (
            "sent beside the run, never waited for",
            "dead: dropped, the journal has it; agentctl trace --otlp later",
        )
        yield Way(telemetry.otlp_endpoint, "collector", path)
    if facts.policy.alerts.enabled:
        for url in facts.policy.alerts.urls:
            path = ("does not answer: the incident stays open in the store", "exit 17 of agentctl alerts check")
            yield Way(shown(url), "alert receiver", path)


def paths(facts: Facts) -> Said:
    """E32 as an item: every dependency has a way down. A missing second provider stands here too."""
    found = ways(facts)
    for way in found:
        if not way.ok:
            yield Lack(f"{way.dependency} ({way.kind}) has no way down", way.fix)
    yield f"{len(found)} dependencies, {sum(way.ok for way in found)} with a way down"
