"""What the types of a policy can't say: values that must fit each other, and texts that must mean something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from agentctl.config import receiving, rule_checks
from agentctl.config.masking import fault, given
from agentctl.config.merge import Merged
from agentctl.config.problems import KEY_WAY_OUT, KeyPath, did_you_mean, one_of, show
from agentctl.config.urls import collector, server
from agentctl.core import outside
from agentctl.core.policy import Policy, Provider
from agentctl.errors import Problem

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
SECRET_WORDS = {"authorization", "key", "apikey", "token", "secret", "cookie", "password"}

variable = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
header_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
provider_name = re.compile(r"[A-Za-z0-9._-]{1,64}")
counter = re.compile(r"calibrated|python:[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def check(policy: Policy, merged: Merged) -> list[Problem]:
    """Everything that is wrong between the values of a merged policy."""
    checks = (providers, route, budget, context, retry, rule_checks.check, scrub, receiving.forms, others)
    return [problem for each in checks for problem in each(policy, merged)]


def providers(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """Names are unique, somebody answers, servers are servers, keys stand elsewhere."""
    first: dict[str, int] = {}
    for number, provider in enumerate(policy.providers):
        here: KeyPath = ("providers", number)
        known = first.setdefault(provider.name, number)
        if known != number:
            message = f"expected a name of its own; providers[{known}] is {show(provider.name)} too"
            yield merged.problem([(*here, "name")], message)
        yield from provider_values(provider, here, merged)
    if not any("answer" in provider.roles for provider in policy.providers):
        message = 'expected at least one provider with the role "answer"'
        yield merged.problem([("providers",)], message, 'write roles = ["answer"]')


def provider_values(provider: Provider, here: KeyPath, merged: Merged) -> Iterator[Problem]:
    """One provider's own values."""
    at = partial(_at, merged, here)
    if not provider_name.fullmatch(provider.name):
        # It stands beside a tool's in circuits, `tool:look`, and in the list of a flag.
        yield at("name", f"expected 1 to 64 letters, digits, _, - or dots, got {show(provider.name)}")
    if provider.base_url is not None and (words := server(provider.base_url)):
        yield at("base_url", *words)
    if provider.key_env is not None and not variable.fullmatch(provider.key_env):
        # Not shown: somebody may have put the key itself here.
        yield at("key_env", "expected the name of an environment variable", KEY_WAY_OUT)
    if provider.effort is not None and provider.effort not in EFFORTS:
        message = f"expected {one_of(EFFORTS)}, got {show(provider.effort)}"
        yield at("effort", message, did_you_mean(provider.effort, EFFORTS))
    if provider.api and provider.sdk != "openai":
        yield at("api", f'only sdk = "openai" has several, this one is "{provider.sdk}"')
    if not provider.roles:
        yield at("roles", "expected at least one of: answer, summary, landing")
    for name, value in provider.headers.items():
        place: KeyPath = (*here, "headers", name)
        if SECRET_WORDS & set(re.split(r"[^a-z]+", name.lower())):
            yield merged.problem([place], "expected a header without a secret in it", KEY_WAY_OUT)
        elif not header_name.fullmatch(name) or not value.isprintable() or not value.isascii():
            yield merged.problem([place], "expected an HTTP header of printable ASCII")


def route(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """Rules name providers that exist and answer."""
    names = [each.name for each in policy.providers]
    for number, rule in enumerate(policy.route.rules):
        if rule.provider not in names:
            message = f"no provider is called {show(rule.provider)}"
            way_out = did_you_mean(rule.provider, names) or f"there is: {', '.join(names)}"
            yield merged.problem([("route", "rules", number, "provider")], message, way_out)


def budget(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """Shares leave something; an assumed price is there; the day begins somewhere."""
    rules = policy.budget
    at = partial(_at, merged, ("budget",))
    if rules.landing >= 1:
        yield at("landing", f"expected a share below 1, got {rules.landing:g}: nothing would be left")
    for table, warn_at in (("budget", rules.warn_at), ("tokens", policy.tokens.warn_at)):
        if warn_at >= 1:
            message = f"expected a share below 1, got {warn_at:g}: the limit is reached by then"
            yield merged.problem([(table, "warn_at")], message)
    if rules.unknown_price == "assume" and rules.assume_price is None:
        way_out = "write assume_price = { input = 3.0, output = 15.0 }"
        yield at("unknown_price", "nothing to assume: assume_price is missing", way_out)
    if problem := zone(rules.timezone):
        yield at("timezone", *problem)


def context(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """A trim helps, and comes before the hard limit."""
    rules = policy.context
    both: list[KeyPath] = [("context", "max_tokens"), ("context", "hard_limit_tokens")]
    if rules.max_tokens > rules.hard_limit_tokens:
        message = (
            f"expected max_tokens of at most hard_limit_tokens, got {rules.max_tokens:_} and "
            f"{rules.hard_limit_tokens:_}"
        )
        way_out = f"write hard_limit_tokens = {rules.max_tokens:_} or more"
        yield merged.problem(both, message, way_out)
    if rules.trim_to >= 1:
        message = f"expected a share below 1, got {rules.trim_to:g}: a trim would free nothing"
        yield merged.problem([("context", "trim_to")], message)
    if not counter.fullmatch(rules.counter):
        message = f"expected calibrated or python:module:function, got {show(rules.counter)}"
        hint = did_you_mean(rules.counter, ["calibrated"])
        yield merged.problem([("context", "counter")], message, hint)


def retry(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """Statuses are those of errors."""
    for number, status in enumerate(policy.retry.statuses):
        if not 400 <= status <= 599:
            message = f"expected an HTTP status from 400 to 599, got {status}"
            yield merged.problem([("retry", "statuses", number)], message)


def scrub(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """Patterns compile and mask something rather than everything."""
    for number, pattern in enumerate(policy.scrub.patterns):
        place: KeyPath = ("scrub", "patterns", number)
        if wrong := fault(pattern):
            yield merged.problem([place], *wrong)
    if policy.scrub.to_model and not policy.scrub.enabled:
        yield merged.problem([("scrub", "to_model")], "expected false: nothing is masked with scrub.enabled = false")
    for number, name in enumerate(policy.scrub.keys):
        if not name.strip():
            yield merged.problem([("scrub", "keys", number)], "expected a name, got an empty text")


def others(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """Small tables."""
    handoff: list[KeyPath] = [("handoff", "enabled"), ("handoff", "contact")]
    if policy.handoff.enabled and not policy.handoff.contact.strip():
        yield merged.problem(handoff, "on only with a contact", 'write contact = "…"')
    if policy.telemetry.otlp_endpoint and (words := collector(policy.telemetry.otlp_endpoint)):
        yield merged.problem([("telemetry", "otlp_endpoint")], *words)
    for number, name in enumerate(policy.sandbox.env):
        if not variable.fullmatch(name):
            message = f"expected the name of an environment variable, got {show(name)}"
            yield merged.problem([("sandbox", "env", number)], message)
        elif name in policy.key_variables:
            yield merged.problem([("sandbox", "env", number)], *given(name))
    hosts = () if isinstance(policy.sandbox.network, bool) else policy.sandbox.network
    for number, text in enumerate(hosts):
        try:
            outside.read(text)
        except ValueError as error:
            yield merged.problem([("sandbox", "network", number)], f"{error}, got {show(text)}")


def zone(name: str) -> tuple[str, str] | None:
    """What is wrong with a time zone."""
    if name == "UTC":
        return None
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        if not known:
            return "this machine has no time zone data", "install tzdata, or write UTC"
        message = f"expected a time zone such as Europe/Berlin, got {show(name)}"
        return message, did_you_mean(name, known)
    return None


def _at(merged: Merged, table: KeyPath, key: str, message: str, suggestion: str = "") -> Problem:
    return merged.problem([(*table, key)], message, suggestion)
