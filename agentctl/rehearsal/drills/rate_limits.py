"""Twenty clients at once meet a provider that is too busy for them. A10, A21, C42, C82"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentctl.core.events import Retried
from agentctl.core.policy import Policy
from agentctl.records import replace
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Act, Change, Client, Finding, Request, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Fault

INJECTED = "20 clients at once meet 429, then 429 with Retry-After; two meet 529, and one nothing but 429"
CLIENTS, FEW, LATER_S = 20, 2, 120.0
"""Few: so many failures in a row open no circuit."""
REST_S = 2
"""What the Retry-After asks for: no shipped policy takes it for a rest that is too long."""
ALWAYS = 3
"""The act of the one who is refused until it gives up: a 429 opens no circuit, so `max_attempts` alone ends it."""
CLOCK_S = 0.01
SHORT = 512
LIMITS = frozenset({10, 11, 13, 19})


def scene(ground: Ground) -> Scene | Skip:
    """Waves, far enough apart that none has to do with another. Each client is refused once, the last one always."""
    rest = {"retry-after": str(REST_S)}
    faults = (Fault("status", requests="1", status=429), Fault("status", requests="1", status=429, headers=rest))
    waves = [Act(ground.script(fault=(fault,)), clients=CLIENTS, after_s=LATER_S, shared=False) for fault in faults]
    busy = Fault("status", ground.answering[0].name, requests="1", status=529)
    last = Act(ground.script(fault=(busy,)), clients=FEW, after_s=LATER_S, shared=False)
    always = Fault("status", ground.answering[0].name, status=429)
    one = Act(ground.script(fault=(always,)), after_s=LATER_S, shared=False)
    return Scene((*waves, last, one), change=short)


def short(policy: Policy) -> Policy:
    """Short answers are reserved: what holds a wave back is the provider, not the minute that [pace] keeps."""
    providers = (replace(each, max_output_tokens=min(each.max_output_tokens, SHORT)) for each in policy.providers)
    return replace(policy, providers=tuple(providers))


def judge(ground: Ground, seen: Seen) -> Finding:
    """Nobody crashes, nobody asks too early or too often, and those who come back do not come as one."""
    retry = ground.policy.retry
    waves = [client for client in seen.clients if client.act != ALWAYS]
    lost = [client for client in waves if client.error or (client.exit_code and client.exit_code not in LIMITS)]
    limited = [client for client in waves if client.exit_code in LIMITS]
    most = max(map(len, _asked(seen)), default=0)
    asked = f"{most} request{'' if most == 1 else 's'}"
    counted = f"{len(waves)} clients, {len(lost)} failed, at most {asked} each to one provider"
    if limited:
        counted += f", {len(limited)} stopped by {limited[0].reason}"
    if lost:
        return failed(
            f"{counted}: {lost[0].status}, {lost[0].reason}",
            Change("retry.enabled", value=True),
            Change("retry.max_attempts", 4),
            Change("retry.max_delay_s", 30.0),
            advice="retry.statuses: 429 and 529 belong there",
        )
    if most > (retry.max_attempts if retry.enabled else 1):
        return failed(f"{counted}: more than retry.max_attempts", Change("retry.enabled", value=True))
    early = min(_waited(seen.requests), default=float(REST_S))
    if early < REST_S - CLOCK_S:
        return failed(f"{counted}: one came back {early:.2f} s after a Retry-After of {REST_S} s")
    delays = [_delays(seen.of(act)) for act in (0, 1)]
    if any(2 * len(set(wave)) < len(wave) for wave in delays):
        return failed(
            f"{counted}: all of a wave came back at the same instant, {delays[0][0]:.2f} s later",
            Change("retry.jitter", value=True),
            Change("retry.base_delay_s", 1.0),
        )
    spread = f"retries spread over {max(delays[0]) - min(delays[0]):.2f} s, " if delays[0] else ""
    return held(f"{counted}; {spread}none before its Retry-After was over")


def _asked(seen: Seen) -> Iterator[Sequence[Request]]:
    """The requests of each client to each provider: there is one model call in each run."""
    for run_id, provider in {(request.run_id, request.provider) for request in seen.requests}:
        yield [each for each in seen.requests if (each.run_id, each.provider) == (run_id, provider)]


def _waited(requests: Sequence[Request]) -> Iterator[float]:
    """Seconds from each Retry-After to the next request of that client to that provider."""
    refused = {(each.run_id, each.provider): each.at for each in requests if each.act == 1 and each.fault}
    for each in requests:
        at = refused.get((each.run_id, each.provider))
        if at is not None and not each.fault:
            yield each.at - at


def _delays(clients: Sequence[Client]) -> list[float]:
    """Seconds after which each of them was going to try again, the first time."""
    found = ([e.delay_s for e in (one.event for one in client.events) if isinstance(e, Retried)] for client in clients)
    return [delays[0] for delays in found if delays]
