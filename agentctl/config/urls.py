"""Whether a text is the URL of a server, and one spelling for each server."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from agentctl.config.problems import KEY_WAY_OUT, show

EXPECTED = "expected a URL such as https://host/v1"
GRPC_PORT = 4317
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def server(url: str, *, query: bool = False) -> tuple[str, str] | None:
    """What is wrong with the URL of a server. It is written down wherever the server is named: no secret may be in it.

    `query` is for a URL that is written nowhere, of a server that takes no headers.
    """
    # Before anything is shown of it.
    if not query and any(sign in url for sign in "?#"):
        return f"{EXPECTED}, without a query or a fragment", f"{KEY_WAY_OUT}; anything else goes into headers"
    parts = _parts(url)
    whole = parts is not None and parts.scheme in DEFAULT_PORTS and bool(parts.hostname)
    if "@" in (parts.netloc if parts is not None and whole else url):
        return f"{EXPECTED}, without a name and password in it", KEY_WAY_OUT
    if not whole or " " in url or not url.isprintable():
        way_out = "" if parts is None or "://" in url else f'write "http://{url}"'
        return f"{EXPECTED}, got {show(url)}", way_out
    return None


def collector(url: str) -> tuple[str, str] | None:
    """What is wrong with the URL of an OpenTelemetry collector. D52"""
    if words := server(url):
        return words
    if urlsplit(url).port == GRPC_PORT:
        at = url.replace(f":{GRPC_PORT}", ":4318", 1)
        return f"expected an endpoint for http/protobuf, got port {GRPC_PORT}, where collectors speak gRPC", (
            f'http/protobuf listens on 4318: write "{at}"'
        )
    return None


def normal(url: str) -> str:
    """One spelling for each server: whoever shares it shares its circuit and its minute.

    No slash at the end, which both SDKs put there themselves; host in small letters; no port that goes without saying.
    """
    parts = urlsplit(url)
    host = parts.netloc.lower().removesuffix(DEFAULT_PORTS.get(parts.scheme, ""))
    return parts._replace(netloc=host, path=parts.path.rstrip("/")).geturl()


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
