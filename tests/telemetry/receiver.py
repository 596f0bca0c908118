"""A collector for tests: a real HTTP server that reads OTLP's protobuf, and may be slow, broken or a liar."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Got:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Received:
    """A span, as plain values."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent: str
    start: int
    end: int
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    status: int
    words: str
    links: list[tuple[str, str, dict[str, Any]]]
    resource: dict[str, Any]
    scope: str


@dataclass
class Receiver:
    """What arrived. `answer` is asked for status and body of each request."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answer: Callable[[str], tuple[int, bytes]] = lambda path: (200, b"")
    hangs: threading.Event = field(default_factory=threading.Event)
    """While it is set nobody is answered."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def everything(self) -> bytes:
        return b"\n".join(part for got in self.got for part in (got.path.encode(), got.body))

    @property
    def spans(self) -> list[Received]:
        found = []
        for got in self.got:
            if got.path.endswith("/v1/traces"):
                request = ExportTraceServiceRequest.FromString(got.body)
                for resource in request.resource_spans:
                    about = plain(resource.resource.attributes)
                    for scope in resource.scope_spans:
                        found += [received(span, about, scope.scope.name) for span in scope.spans]
        return found

    @property
    def metrics(self) -> dict[str, list[tuple[float, dict[str, Any]]]]:
        """Of the last request: by name, each point's value (a histogram's sum) and attributes."""
        bodies = [got.body for got in self.got if got.path.endswith("/v1/metrics")]
        found: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        for resource in ExportMetricsServiceRequest.FromString(bodies[-1]).resource_metrics if bodies else []:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = metric.histogram.data_points or metric.sum.data_points
                    found[metric.name] = [
                        (getattr(point, "sum", 0) or getattr(point, "as_double", 0) or getattr(point, "as_int", 0),
                         plain(point.attributes))
                        for point in points
                    ]  # fmt: skip
        return found

    def named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]

    def of(self, operation: str) -> list[Received]:
        return [span for span in self.spans if span.attributes.get("gen_ai.operation.name") == operation]


def plain(attributes: Any) -> dict[str, Any]:
    return {each.key: value_of(each.value) for each in attributes}


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    return getattr(value, kind)


def received(span: Any, resource: dict[str, Any], scope: str) -> Received:
    return Received(
        span.name, span.kind, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
        span.start_time_unix_nano, span.end_time_unix_nano, plain(span.attributes),
        [(event.name, plain(event.attributes)) for event in span.events], span.status.code, span.status.message,
        [(link.trace_id.hex(), link.span_id.hex(), plain(link.attributes)) for link in span.links], resource, scope,
    )  # fmt: skip


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A collector on a free port, until the end of the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            while receiver.hangs.is_set():
                time.sleep(0.02)
            status, said = receiver.answer(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda *_: None  # type: ignore[method-assign] -- a client that went away
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hangs.clear()
        server.shutdown()
        server.server_close()
