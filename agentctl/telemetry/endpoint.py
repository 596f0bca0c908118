"""Where a collector takes traces and metrics, and with which headers."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from agentctl import ownkeys
from agentctl.records import dataclass

SIGNALS = ("traces", "metrics")
LEAST = 8
"""Characters of a header's value that may be a secret: `4` is none."""


@dataclass(frozen=True, slots=True)
class Collector:
    """The two addresses of one collector."""

    traces: str
    metrics: str
    shown: str
    """For people: no more than scheme, host and path."""


def of(url: str) -> Collector:
    """`/v1/traces` and `/v1/metrics` behind a base URL; one that ends in either has the other beside it."""
    base = url.rstrip("/")
    for signal in SIGNALS:
        base = base.removesuffix(f"/v1/{signal}")
    parts = urlsplit(base)
    return Collector(f"{base}/v1/traces", f"{base}/v1/metrics", f"{parts.scheme}://{parts.netloc}{parts.path}")


def headers(signal: str) -> dict[str, str]:
    """What `OTEL_EXPORTER_OTLP_HEADERS`, or the signal's own variable, says: `name=value,name=value`, percent-encoded.

    What is no such pair is left out.
    """
    own = ownkeys.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS")
    pairs = (pair.partition("=") for pair in (own or ownkeys.get("OTEL_EXPORTER_OTLP_HEADERS") or "").split(","))
    found = {name.strip().lower(): unquote(value.strip()) for name, sign, value in pairs if sign and name.strip()}
    return {name: value for name, value in found.items() if f"{name}{value}".isascii() and value.isprintable()}


def learn() -> None:
    """The values of these headers are secrets of ours, to be masked wherever the run's are."""
    for signal in SIGNALS:
        for value in headers(signal).values():
            for piece in (value, value.rpartition(" ")[2]):
                if len(piece) >= LEAST:
                    ownkeys.remember(piece)


def disabled() -> bool:
    """Whether the environment says that nothing may be exported."""
    return (ownkeys.get("OTEL_SDK_DISABLED") or "").strip().lower() == "true"
