"""Alerts on their way: every URL gets the message in a thread of its own, and is waited for only so long.

The library `apprise` knows the services. It is an extra, loaded when something is sent. What it says of a failure is
shown without anything of the URL that may be secret.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from agentctl import ownkeys
from agentctl.core import receivers
from agentctl.errors import Invalid
from agentctl.foreign import Raised, outcome
from agentctl.records import dataclass

PATIENCE_S = 10.0
"""Seconds that all receivers of a message together are waited for."""
MISSING = "alerts are sent by a library that is not here (apprise)"
WAY_OUT = "pip install 'agentctl[alerts]'"
LONGEST = 160
"""Letters of an error."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a message to one receiver."""

    where: str
    """As it may be shown."""
    error: str = ""
    """Why it was not received; empty: it was."""

    @property
    def line(self) -> str:
        """For a person."""
        return f"{self.where}: {self.error}" if self.error else self.where


def installed() -> bool:
    """Whether anything can be sent; loads nothing."""
    return find_spec("apprise") is not None


def require() -> None:
    """Refuse to go on without the library.

    Raises:
        Invalid: it is not installed.
    """
    if not installed():
        raise Invalid(MISSING, hint=WAY_OUT)


def send(urls: Sequence[str], title: str, body: str, patience_s: float = PATIENCE_S) -> list[Sent]:
    """Send one message to each of them, all at once; what came of it, in their order. Raises nothing."""
    found: list[Sent | None] = [None] * len(urls)

    def work(number: int) -> None:
        found[number] = _sent(urls[number], title, body)

    # No executor: the interpreter would wait at its end for a server that never answers.
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(urls))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = f"no answer within {patience_s:g}s"
    return [each or Sent(receivers.shown(url), late) for url, each in zip(urls, found, strict=True)]


def _sent(named: str, title: str, body: str) -> Sent:
    where, variable = receivers.shown(named), receivers.variable_of(named)
    url = (ownkeys.get(variable) or "").strip() if variable else named
    if not url:
        return Sent(where, f"{variable} is not set")
    if variable:
        where = f"{where} ({receivers.shown(url)})"
    if not installed():
        return Sent(where, f"{MISSING}: {WAY_OUT}")
    error = outcome(lambda: _delivered(url, title, body))
    said = f"{type(error.error).__name__}: {error.error}" if isinstance(error, Raised) else error
    return Sent(where, _clean(said, url))


def _delivered(url: str, title: str, body: str) -> str:
    """Why it was not; empty: it was."""
    made = _receiver(url)
    if made is None:
        return "apprise does not know such a URL; a plain webhook is json://host/path, or jsons:// with TLS"
    from apprise import NotifyFormat, NotifyType

    result: Any = made.notify(title=title, body=body, notify_type=NotifyType.WARNING, body_format=NotifyFormat.TEXT)
    if result:
        return ""
    logs = [entry.message for service in result for attempt in service for entry in attempt]
    return logs[-1] if logs else "it was not received"


def _receiver(url: str) -> Any:  # noqa: ANN401 -- the library's types are partly unknown
    from apprise import Apprise, AppriseAsset

    made: Any = Apprise(asset=AppriseAsset(async_mode=False, app_id="agentctl", app_desc="agentctl", app_url=""))
    return made if made.add(url) else None


def _clean(said: str, url: str) -> str:
    """On one line, without what may be secret in the URL."""
    for secret in sorted(receivers.secrets(url), key=len, reverse=True):
        said = said.replace(secret, "…")
    return " ".join(said.split())[:LONGEST]
