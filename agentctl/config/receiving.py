"""The receivers of `[alerts]`, checked with the library that sends to them, and what is worth a line about them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from agentctl import ownkeys
from agentctl.core import receivers
from agentctl.errors import Problem
from agentctl.records import replace

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.merge import Merged
    from agentctl.core.messages import Json
    from agentctl.core.policy import Policy


def forms(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """Receivers that are no URL. Nothing of them is shown: they may hold a secret."""
    for number, url in enumerate(policy.alerts.urls):
        if words := receivers.fault(url):
            yield merged.problem([("alerts", "urls", number)], *words)


def masked(policy: Policy) -> Policy:
    """A policy as it may be shown: of its receivers nothing that may be a secret."""
    urls = tuple(map(receivers.shown, policy.alerts.urls))
    return replace(policy, alerts=replace(policy.alerts, urls=urls)) if urls else policy


def showable(key: str, value: Json) -> Json:
    """The value of a key as it may be shown: two receivers that differ may look the same."""
    if key != "alerts.urls" or not isinstance(value, list):
        return value
    return [receivers.shown(str(url)) for url in cast("list[Json]", value)]


def unknown(loaded: LoadedPolicy) -> list[Problem]:
    """Receivers that apprise knows no service for; none where it is not installed. Loads it: not for every start."""
    alerts = loaded.policy.alerts
    if not (alerts.enabled and alerts.urls) or find_spec("apprise") is None:
        return []
    known: Any = import_module("apprise").Apprise.instantiate
    found: list[Problem] = []
    for number, named in enumerate(alerts.urls):
        variable = receivers.variable_of(named)
        url = (ownkeys.get(variable) or "").strip() if variable else named
        if url and known(url) is None:
            what = f"what {variable} holds" if variable else receivers.shown(named)
            message = f"apprise sends to no such URL: {what}"
            way_out = "a plain webhook is json://host/path, or jsons:// with TLS; mail is mailto://"
            found.append(loaded.merged.problem([("alerts", "urls", number)], message, way_out))
    return found


def notes(loaded: LoadedPolicy) -> list[str]:
    """Lines for a person: what keeps alerts from being sent, and secrets that stand in a file."""
    alerts = loaded.policy.alerts
    if not (alerts.enabled and alerts.urls):
        return []
    lines = [
        f"alerts.urls[{number}] is not used: the environment variable {name} is not set"
        for number, url in enumerate(alerts.urls)
        if (name := receivers.variable_of(url)) and not ownkeys.get(name)
    ]
    lines += [
        f"alerts.urls[{number}] ({receivers.shown(url)}) holds a secret: put it into a variable and write env:NAME"
        for number, url in enumerate(alerts.urls)
        if receivers.secret(url)
    ]
    if find_spec("apprise") is None:
        lines.append("alerts are not sent: pip install 'agentctl[alerts]'")
    return lines
