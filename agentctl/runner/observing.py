"""Who else is told of a run's events: OpenTelemetry, where the policy names a collector. It costs the run nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agentctl.core.events import Stamped
from agentctl.core.messages import Delta
from agentctl.core.policy import Telemetry
from agentctl.core.state import State
from agentctl.records import dataclass
from agentctl.runner.order import Listener, Progress

if TYPE_CHECKING:
    from agentctl.telemetry.sink import Sink
    from agentctl.telemetry.spans import Tracing

INSTALL = "pip install 'agentctl[telemetry]'"
IMPATIENT_S = 0.2


@dataclass(slots=True)
class _Shared:
    """One collector's thread, and how many runs feed it."""

    sink: Sink
    runs: int = 0


_shared: dict[tuple[str, str], _Shared] = {}
_slow: set[str] = set()
"""Collectors that let a run of this process wait at its end."""


@dataclass(slots=True)
class Observed:
    """A listener in front of another one."""

    inner: Listener
    rules: Telemetry
    before: Sequence[Stamped] = ()
    """What happened before this drive: somebody told of it then."""
    _feed: tuple[Sink, Tracing] | None = None

    def event(self, stamped: Stamped, state: State) -> None:
        """Pass it on."""
        self.inner.event(stamped, state)
        sink, tracing = self._feed or self._begun()
        sink.take(tracing, (stamped,))

    def delta(self, delta: Delta) -> None:
        """Pass it on."""
        self.inner.delta(delta)

    def progress(self, at: Progress) -> None:
        """Pass it on."""
        self.inner.progress(at)

    def note(self, text: str) -> None:
        """Pass it on."""
        self.inner.note(text)

    def _begun(self) -> tuple[Sink, Tracing]:
        from agentctl.telemetry.spans import Tracing

        self._feed = _sink(self.rules), Tracing(self.rules.include_content)
        sink, tracing = self._feed
        if self.before:
            sink.take(tracing, tuple(self.before), tell=False)
        return self._feed

    async def close(self) -> None:
        """The drive is over: the last one of this collector waits for what is on its way, for so long at the most."""
        if self._feed is None:
            return
        key = self.rules.otlp_endpoint, self.rules.service_name
        shared, self._feed = _shared[key], None
        shared.runs -= 1
        if shared.runs:
            return
        del _shared[key]
        if line := await asyncio.to_thread(shared.sink.close):
            _slow.add(self.rules.otlp_endpoint)
            self.inner.note(line)
        else:
            _slow.discard(self.rules.otlp_endpoint)


def observed(rules: Telemetry, listener: Listener, before: Sequence[Stamped]) -> Listener | Observed:
    """Whom a drive tells: the listener, and the collector that the policy names."""
    if not rules.enabled or not rules.otlp_endpoint:
        return listener
    from agentctl.telemetry import endpoint

    if endpoint.disabled():
        listener.note("telemetry: nothing is exported: OTEL_SDK_DISABLED is set")
        return listener
    if not installed():
        listener.note(f"telemetry: nothing is exported: the extra is not installed: {INSTALL}")
        return listener
    endpoint.learn()
    return Observed(listener, rules, before)


def installed() -> bool:
    """Whether the exporters are there; nothing is loaded but the packages above them."""
    try:
        return all(find_spec(f"opentelemetry.{name}") for name in ("sdk.trace", "exporter.otlp.proto.http"))
    except ImportError:
        return False


def _sink(rules: Telemetry) -> Sink:
    from agentctl.telemetry import endpoint
    from agentctl.telemetry.sink import PATIENCE_S, Sink

    key = rules.otlp_endpoint, rules.service_name
    if key not in _shared:
        patience = IMPATIENT_S if rules.otlp_endpoint in _slow else PATIENCE_S
        _shared[key] = _Shared(Sink(endpoint.of(rules.otlp_endpoint), rules.service_name, patience_s=patience))
    _shared[key].runs += 1
    return _shared[key].sink
