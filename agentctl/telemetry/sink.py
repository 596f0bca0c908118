"""The thread that folds and sends, so that a run waits for nothing.

Rules.
1. A run hands its events over and goes on: no lock, no socket, no fold in its own thread.
2. What waits is bounded; what is too much is dropped, and counted.
3. What a collector did not take for a while is sent again, with longer and longer rests; what it refuses is not.
4. The end waits PATIENCE_S at the most, and hardly at all for a collector that let an earlier run of this process wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from agentctl import __version__
from agentctl.core.events import Stamped
from agentctl.telemetry.endpoint import Collector
from agentctl.telemetry.sending import Missing, Sender
from agentctl.telemetry.span import Span
from agentctl.telemetry.spans import Tracing

EVERY_S = 0.5
METRICS_EVERY_S = 15.0
TIMEOUT_S = 5.0
PATIENCE_S = 2.0
IMPORT_S = 10.0
LONGEST_REST_S = 30.0
BATCH = 512
MOST_EVENTS = 8192
MOST_SPANS = 4096


class Sink:
    """One collector, as one service. Shared by the runs of a process."""

    def __init__(self, collector: Collector, service: str, *, patience_s: float = PATIENCE_S) -> None:
        self.collector = collector
        self._service, self._patience_s = service, patience_s
        self._events: deque[tuple[Tracing, Sequence[Stamped], bool]] = deque()
        self._spans: deque[Span] = deque()
        self._ready, self._closing = threading.Event(), threading.Event()
        self._sender: Sender | None = None
        self._lost_events = self._lost_spans = self._sent = self._sending = 0
        self._why = ""
        self._rest_s = 0.0
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def take(self, tracing: Tracing, events: Sequence[Stamped], *, tell: bool = True) -> None:
        """Fold these into a run's trace. `tell=False`: they were told by whoever recorded them."""
        if len(self._events) >= MOST_EVENTS:
            self._lost_events += len(events)
            return
        self._events.append((tracing, events, tell))

    def close(self) -> str:
        """Send what is left, for so long at the most; a line on what did not arrive, or nothing."""
        self._closing.set()
        self._ready.wait(IMPORT_S)
        self._thread.join(self._patience_s)
        if self._thread.is_alive() and self._sender is not None:
            self._why = self._why or "no answer in time"
            self._sender.stop()
        return self._words()

    def _words(self) -> str:
        lost = self._lost_spans + len(self._spans) + self._sending
        where = self.collector.shown
        if self._why.startswith(MISSING):
            return f"telemetry: nothing was sent to {where}: {self._why}"
        if not lost and not self._lost_events and not self._events:
            return ""
        known = lost and not self._lost_events and not self._events  # else some were never made
        spans = f"{lost:,} of {lost + self._sent:,} spans" if known else "not all spans"
        why = self._why or "too many at once"
        did = "did not get" if known else "got"
        return f"telemetry: {spans} {did} to {where}: {why}; `agentctl trace RUN --otlp URL` sends them later"

    # --- in the thread ---

    def _run(self) -> None:
        try:
            self._sender = Sender(self.collector, self._service, __version__, TIMEOUT_S)
            self._ready.set()
            self._work(self._sender)
        except Missing as error:
            self._why = f"{MISSING} ({error})"
        except Exception as error:  # noqa: BLE001 -- a fault in here must cost no run anything
            self._why = f"{type(error).__name__} in the exporter"
        finally:
            self._ready.set()

    def _work(self, sender: Sender) -> None:
        measured = rested = time.monotonic()
        while True:
            closing = self._closing.wait(EVERY_S)
            self._fold(sender)
            now = time.monotonic()
            if closing or now >= rested:
                self._send(sender)
                rested = now + self._rest_s
            if not self._rest_s and (closing or now - measured >= METRICS_EVERY_S):
                measured = now
                answer = sender.metrics()
                self._why = self._why or answer.why
            if closing:
                return

    def _fold(self, sender: Sender) -> None:
        while self._events:
            tracing, events, tell = self._events.popleft()
            for stamped in events:
                spans, measures = tracing.take(stamped)
                if tell:
                    self._spans.extend(spans)
                    sender.measure(measures)
        while len(self._spans) > MOST_SPANS:
            self._spans.popleft()
            self._lost_spans += 1

    def _send(self, sender: Sender) -> None:
        while self._spans:
            batch = [self._spans.popleft() for _ in range(min(BATCH, len(self._spans)))]
            self._sending = len(batch)
            answer = sender.spans(batch)
            if answer.ok:
                self._sent += len(batch) - answer.rejected
                self._lost_spans += answer.rejected
            elif answer.again:
                self._spans.extendleft(reversed(batch))
            else:
                self._lost_spans += len(batch)
            self._sending = 0
            self._why = answer.why or self._why
            if not answer.ok:
                self._rest_s = min(LONGEST_REST_S, self._rest_s * 2 or 1.0)
                return
            self._rest_s = 0.0


MISSING = "a library is missing"
