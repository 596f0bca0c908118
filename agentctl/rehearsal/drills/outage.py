"""The first provider is down for 45 minutes, and comes back. A54, A60-A62, C45"""

from __future__ import annotations

from urllib.parse import urlsplit

from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Act, Change, Client, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Fault, Script

INJECTED = "45 minutes of 503 from the first provider, a new client every 45 seconds; then it is back"
CLIENTS, EVERY_S, LATER_S = 60, 45.0, 120.0
"""Far from a usual `recovery_s` and from its divisors: who is let through is no matter of milliseconds."""
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


def scene(ground: Ground) -> Scene | Skip:
    """Clients who come and go while it is down, and some when it is up again."""
    first = ground.answering[0]
    if _alone(ground) and urlsplit(first.base_url or "").hostname in LOCAL:
        return Skip("its only provider is on this machine: when that is down, so is agentctl")
    down = Script(reply=(ground.final(),), fault=(Fault("status", first.name, status=503),), person=ground.yes())
    return Scene(
        (
            Act(down, clients=CLIENTS, every_s=EVERY_S, shared=False),
            Act(ground.script(), clients=3, every_s=EVERY_S, after_s=LATER_S, shared=False),
        )
    )


def judge(ground: Ground, seen: Seen) -> Finding:
    """Everybody is answered, hardly anybody pays for the one that is down, and it is asked again when it is back."""
    first = ground.answering[0]
    during, after = seen.of(0), seen.of(1)
    lost = [client for client in during if client.exit_code]
    asked = sum(request.provider == first.name for request in seen.requests if request.act == 0)
    about = f"about {5 * round(asked / 5)} requests to {first.name} while it was down"
    counted = f"{len(during)} clients, {len(lost)} failed, {about}"
    if lost:
        return _lost(ground, lost[0], counted)
    most = 3 * CLIENTS // 2  # a probe each, where it recovers sooner than the next one comes
    if asked > most:
        return failed(f"{counted}: it was asked again and again", Change("circuit.enabled", value=True))
    back = [client for client in after if first.name in client.providers]
    if not back or any(client.exit_code for client in after):
        return failed(f"{counted}; {first.name} was not used again when it was back", Change("circuit.recovery_s", 60))
    return held(f"{counted}; back to {first.name} after it")


def _alone(ground: Ground) -> bool:
    return len({(one.sdk, one.base_url) for one in ground.answering}) < 2


def _lost(ground: Ground, client: Client, counted: str) -> Finding:
    if _alone(ground):
        advice = "[[providers]]: a second one that answers, with another sdk or base_url"
        return failed(f"{counted}: there is nobody to fall back on", advice=advice)
    return failed(
        f"{counted}: {client.status}, {client.reason}",
        Change("retry.enabled", value=True),
        Change("circuit.enabled", value=True),
        Change("route.enabled", value=True),
    )
