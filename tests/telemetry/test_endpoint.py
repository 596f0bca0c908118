import pytest

from agentctl.config import urls
from agentctl.telemetry import endpoint


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://otel-collector:4318", "http://otel-collector:4318"),
        ("http://otel-collector:4318/", "http://otel-collector:4318"),
        ("https://cloud.langfuse.com/api/public/otel", "https://cloud.langfuse.com/api/public/otel"),
        ("http://localhost:6006/v1/traces", "http://localhost:6006"),
        ("https://h/x/v1/metrics/", "https://h/x"),
    ],
)
def test_traces_and_metrics_have_their_paths_behind_the_base(url, base):
    """D52"""
    collector = endpoint.of(url)

    assert (f"{base}/v1/traces", f"{base}/v1/metrics", base) == (collector.traces, collector.metrics, collector.shown)


def test_the_port_of_grpc_is_refused_with_the_one_that_is_meant():
    """D52"""
    wrong = urls.collector("http://otel-collector:4317")

    assert wrong is not None
    assert "gRPC" in wrong[0]
    assert 'http/protobuf listens on 4318: write "http://otel-collector:4318"' == wrong[1]
    assert urls.collector("http://otel-collector:4318") is None
    assert urls.collector("collector") is not None


def test_headers_come_from_the_environment_decoded_and_the_signal_s_own_win(monkeypatch):
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20cGs6c2s=, x-langfuse-ingestion-version=4,no"
    )

    assert {"authorization": "Basic cGs6c2s=", "x-langfuse-ingestion-version": "4"} == endpoint.headers("traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b,c=d%0Ae,e=%C3%A4")
    assert {"a": "b"} == endpoint.headers("traces")
    assert "authorization" in endpoint.headers("metrics")
