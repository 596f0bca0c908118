"""Incidents told to the receivers of a policy: worded, scrubbed, escaped, sent; what came of it is written down.

At least one receiver heard: the incident is told. Nobody did: whoever looks next tries again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentctl import ownkeys
from agentctl.config import masking
from agentctl.core import alert_words, receivers
from agentctl.core.incidents import Incident
from agentctl.core.policy import Policy
from agentctl.journal import incidents

if TYPE_CHECKING:
    from agentctl.journal.store import Store
    from agentctl.telemetry.alerts import Sent


def tell(journal: Store, policy: Policy, ours: Sequence[Incident], *, patience_s: float | None = None) -> list[Sent]:
    """Send one message about incidents that the caller has claimed; what came of it, by receiver. Blocks."""
    if not ours or not policy.alerts.urls:
        return []
    sent = send(policy, alert_words.title(ours), alert_words.body(ours), patience_s=patience_s)
    heard = any(not each.error for each in sent)
    journal.write(lambda tx: incidents.told(tx, ours, journal.clock(), heard=heard))
    return sent


def send(policy: Policy, title: str, body: str, *, patience_s: float | None = None) -> list[Sent]:
    """Send a message to every receiver: scrubbed, and with nothing in it that moves or hides anything."""
    from agentctl.approvals.printable import printable
    from agentctl.telemetry import alerts

    mask = masking.mask(policy.scrub, secrets(policy))
    title, body = (printable(mask.text(text), lines=lines) for text, lines in ((title, False), (body, True)))
    patience = alerts.PATIENCE_S if patience_s is None else patience_s
    return alerts.send(policy.alerts.urls, title, body, patience)


def secrets(policy: Policy) -> set[str]:
    """What may be secret in the receivers, wherever they stand."""
    found: set[str] = set()
    for url in policy.alerts.urls:
        name = receivers.variable_of(url)
        value = (ownkeys.get(name) or "").strip() if name else url
        found.update(receivers.secrets(value) if value else ())
    return found
