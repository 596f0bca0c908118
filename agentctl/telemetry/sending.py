"""Spans and measures made the SDK's and sent by its exporters. The one file that imports OpenTelemetry, at first use.

Of the environment only headers and certificates are obeyed: where to, under which name and how long is the policy's
to say. The exporters' own words go nowhere: what became of a batch is returned.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

from agentctl.records import dataclass
from agentctl.telemetry import endpoint
from agentctl.telemetry.endpoint import Collector
from agentctl.telemetry.measures import INSTRUMENTS
from agentctl.telemetry.span import Attributes, Measure, Span

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from requests import PreparedRequest, Response, Session

MOST_INT = 2**63 - 1
NO_METRICS = frozenset({404, 405, 501})
"""What a collector of traces alone answers: Langfuse and others take no metrics."""
AGAIN = frozenset({408, 429, 502, 503, 504})
NS = 1_000_000_000
MOST_BODY = 65_536
"""Bytes of an answer that are read."""


class Unsent(Exception):
    """No exporter tries again for this."""


class Missing(Exception):
    """The extra is not installed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request."""

    ok: bool
    why: str = ""
    """In a few words, where it was not taken."""
    again: bool = False
    """It may be taken later."""
    rejected: int = 0
    """Spans that the collector took in and refused, by its own account."""


class Sender:
    """The exporters of one collector under one service name. Belongs to one thread at a time, but for `stop`."""

    def __init__(self, collector: Collector, service: str, version: str, timeout_s: float) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http import Compression
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        except ImportError as error:
            raise Missing(str(error)) from error
        quiet = logging.getLogger("opentelemetry")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        about = {"service.name": service, "service.version": version}
        self._resource, self._scope = Resource(about), InstrumentationScope(service, version)
        self._seen, session = _session(timeout_s)
        plain = Compression.NoCompression
        given = endpoint.headers("traces"), timeout_s, plain, session
        self._traces: Any = OTLPSpanExporter(collector.traces, None, None, None, *given)
        given = endpoint.headers("metrics"), timeout_s, plain, session
        self._metrics: Any = OTLPMetricExporter(collector.metrics, None, None, None, *given)
        instance = about | {"service.instance.id": uuid.uuid4().hex}  # what is cumulative is one process's
        self._reader, self._record = _instruments(Resource(instance), service, version)
        self._no_metrics = False

    def spans(self, spans: Sequence[Span]) -> Answer:
        """Send these, and wait for the answer."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        self._seen.forget()
        done = self._traces.export([_readable(span, self._resource, self._scope) for span in spans])
        answer = self._seen.answer(ok=done is SpanExportResult.SUCCESS)
        return _rejected(self._seen.body, answer) if answer.ok else answer

    def measure(self, measures: Iterable[Measure]) -> None:
        """Count these in; nothing is sent yet."""
        for each in measures:
            self._record(each)

    def metrics(self) -> Answer:
        """Send what all instruments stand at, unless this collector takes no metrics."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        data = self._reader.get_metrics_data()
        if data is None or self._no_metrics:
            return Answer(True)
        self._seen.forget()
        done = self._metrics.export(data)
        self._no_metrics = self._seen.status in NO_METRICS
        return Answer(True) if self._no_metrics else self._seen.answer(ok=done is MetricExportResult.SUCCESS)

    def stop(self) -> None:
        """Nothing more is tried again."""
        self._traces.shutdown()
        self._metrics.shutdown()


class _Seen:
    """The last answer, and what went wrong where there was none."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another request is sent."""
        self.status, self.reason, self.body, self.error = 0, "", b"", ""

    def answer(self, *, ok: bool) -> Answer:
        """What became of the request, where the exporter says that it is content, or is not."""
        if ok and 200 <= self.status < 300:
            return Answer(True)
        if self.status:
            words = f"it answered {self.status} {self.reason}".strip()[:80]
            return Answer(False, words, self.status in AGAIN or self.status >= 500)
        return Answer(False, self.error or "no answer", again=True)


def _session(timeout_s: float) -> tuple[_Seen, Session]:
    """A session that remembers the answer, reads no more of it than one needs, and no password from `~/.netrc`.

    The exporters would try again for seconds, in a thread that a run waits for: whoever keeps the spans does that.
    """
    import requests
    from urllib3.exceptions import HTTPError

    seen = _Seen()

    class Own(requests.Session):
        def send(self, request: PreparedRequest, **options: Any) -> Response:  # noqa: ANN401 -- as it is declared
            streamed = options | {"stream": True}
            if isinstance(self.verify, str):  # OpenTelemetry's variable wins over the library's own
                streamed["verify"] = self.verify
            try:
                try:
                    response = super().send(request, **streamed)
                except requests.ConnectionError as error:
                    if isinstance(error, requests.Timeout):
                        raise
                    response = super().send(request, **streamed)  # an idle connection that was closed meanwhile
                seen.body = _body(response, timeout_s)
            except (OSError, HTTPError) as error:  # a certificate's file may not be there
                seen.error = _words(error)
                raise Unsent from error
            seen.status, seen.reason = response.status_code, response.reason
            if response.status_code in AGAIN:
                raise Unsent
            return response

    session = Own()
    session.auth = _as_it_is
    return seen, session


def _body(response: Response, timeout_s: float) -> bytes:
    """The beginning of an answer: byte by byte, so that one that trickles in for hours ends in time too."""
    until, found = time.monotonic() + timeout_s, bytearray()
    with closing(response):
        for piece in response.raw.stream(1, decode_content=True):
            found += piece
            if len(found) >= MOST_BODY:
                break
            if time.monotonic() > until:
                raise TimeoutError("no answer in time")
    return bytes(found)


def _as_it_is(request: PreparedRequest) -> PreparedRequest:
    return request


def _words(error: Exception) -> str:
    import requests
    from urllib3.exceptions import HTTPError

    kinds = (
        (requests.Timeout, "no answer in time"),
        (requests.exceptions.SSLError, "its certificate is not trusted"),
        (requests.exceptions.ProxyError, "the proxy did not let through"),
        (requests.ConnectionError, "it can't be reached"),
        (HTTPError, "its answer broke off"),
        (requests.RequestException, type(error).__name__),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), str(error)[:120])


def _rejected(body: bytes, answer: Answer) -> Answer:
    """What a collector says that it refused, in an answer that is otherwise yes."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:  # some answer in JSON, or a page
        return answer
    if partial.rejected_spans <= 0:
        return answer
    return Answer(True, partial.error_message[:80] or "it refused them", rejected=partial.rejected_spans)


class _Data(Protocol):
    def get_metrics_data(self) -> Any: ...  # noqa: ANN401 -- the SDK's own


def _instruments(resource: Resource, service: str, version: str) -> tuple[_Data, Any]:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

    reader = InMemoryMetricReader()
    views = [
        View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation(boundaries=each.bounds))
        for name, each in INSTRUMENTS.items()
        if each.bounds
    ]
    meter = MeterProvider([reader], resource, shutdown_on_exit=False, views=views).get_meter(service, version)
    made: dict[str, Any] = {}
    for name, each in INSTRUMENTS.items():
        how = name, each.unit, each.about
        made[name] = meter.create_histogram(*how) if each.kind == "histogram" else meter.create_counter(*how)

    def record(measure: Measure) -> None:
        instrument, value = made[measure.name], max(0.0, measure.value)
        counts = INSTRUMENTS[measure.name].kind == "counter"
        (instrument.add if counts else instrument.record)(value, attributes=_plain(measure.attributes))

    return reader, record


def _readable(span: Span, resource: Resource, scope: Any) -> ReadableSpan:  # noqa: ANN401 -- the SDK's own
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

    def context(trace: int, number: int) -> SpanContext:
        return SpanContext(trace, number, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    code = {"unset": StatusCode.UNSET, "ok": StatusCode.OK, "error": StatusCode.ERROR}[span.status]
    dropped: Attributes = {"agentctl.events_dropped": span.dropped} if span.dropped else {}
    return ReadableSpan(
        _text(span.name),
        context(span.trace_id, span.span_id),
        None if span.parent is None else context(span.trace_id, span.parent),
        resource,
        _plain(span.attributes | dropped),
        [Event(each.name, _plain(each.attributes), _ns(each.ts)) for each in span.happenings],
        [Link(context(each.trace_id, each.span_id), _plain(each.attributes)) for each in span.links],
        SpanKind.CLIENT if span.kind == "client" else SpanKind.INTERNAL,
        status=Status(code, _text(span.words) if span.status == "error" and span.words else None),
        start_time=_ns(span.start),
        end_time=_ns(span.end),
        instrumentation_scope=scope,
    )


def _ns(seconds: float) -> int:
    return max(0, int(seconds * NS))


def _text(text: str) -> str:
    """What protobuf can carry: a lone surrogate would cost its whole batch."""
    return text.encode(errors="backslashreplace").decode()


def _plain(attributes: Attributes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in attributes.items():
        match value:
            case str():
                found[key] = _text(value)
            case bool() | float():
                found[key] = value
            case int():
                found[key] = max(-MOST_INT, min(value, MOST_INT))
            case _:
                found[key] = tuple(_text(each) for each in value)
    return found
