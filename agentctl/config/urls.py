"""Whether a text is the URL of a server."""

from __future__ import annotations

from urllib.parse import urlsplit

from agentctl.config.problems import KEY_WAY_OUT, show


def server(url: str) -> tuple[str, str] | None:
    """What is wrong with the URL of a server."""
    expected = "expected a URL such as https://host/v1"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return f"{expected}, got {show(url)}", ""
    if parts.username or parts.password:
        return f"{expected}, without a name and password in it", KEY_WAY_OUT
    if parts.scheme not in {"http", "https"} or not parts.hostname or " " in url:
        return f"{expected}, got {show(url)}", "" if "://" in url else f'write "http://{url}"'
    return None
