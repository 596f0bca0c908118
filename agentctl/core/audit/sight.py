"""Items about what can be seen: the journal, its events, alerts, masking, and evidence."""

from __future__ import annotations

from agentctl.core.audit.facts import Facts, Lack, Said, listed, must, on, told
from agentctl.core.receivers import shown


def recorded(facts: Facts) -> Said:
    """B57"""
    books = facts.books
    yield Lack(books.unwritable, books.fix) if books.unwritable else f"journal on: {books.shown}"


def receivers(facts: Facts) -> Said:
    """B58"""
    yield from on(facts, "alerts")
    urls = facts.policy.alerts.urls
    if not urls:
        fix = 'in the policy: [alerts] urls = ["env:ALERTS_URL"]'
        yield Lack(f"{told(facts, 'alerts', 'urls')}: nobody hears of a failure", fix)
    yield from facts.unheard
    if urls:
        yield listed(list(map(shown, urls)))


def masked(facts: Facts) -> Said:
    """C54"""
    yield from on(facts, "scrub")
    detectors = facts.policy.scrub.detectors
    yield must(facts, ("scrub", "detectors"), detectors == "default", "default", "only named keys are masked")


def events(facts: Facts) -> Said:
    """C55"""
    policy = facts.policy
    yield from on(facts, "cache", "circuit")
    if not (policy.loops.enabled or policy.progress.enabled):  # each of them tells of loops
        yield from on(facts, "loops")
    yield "events: loop, cache, circuit"


def instrumented(facts: Facts) -> Said:
    """D51"""
    yield from on(facts, "telemetry")
    endpoint = facts.policy.telemetry.otlp_endpoint
    if endpoint and not facts.exporter:
        yield Lack(
            f"{told(facts, 'telemetry', 'otlp_endpoint')}: no exporter here", "pip install 'agentctl[telemetry]'"
        )
    yield f"every call is a span: journal{' and otlp_endpoint' if endpoint else ', agentctl trace'}"


def replayed(facts: Facts) -> Said:
    """E31"""
    books = facts.books
    if books.unread:
        yield Lack(books.unread, books.fix)
    yield "agentctl trace and replay read what was recorded back"


def evidence(facts: Facts) -> Said:
    """D96"""
    books, name = facts.books, facts.policy.name
    if not books.runs + books.rehearsals:
        why = f"nobody has rehearsed, drilled or run {facts.task.name} under policy {name} on this store"
        given = "".join(f" --var {key}=…" for key, about in facts.task.vars.items() if about.required)
        yield Lack(why, f"agentctl run {facts.command} --rehearse{given}")
    yield f"{books.runs} runs and {books.rehearsals} rehearsals under {name}; each step resumable"
