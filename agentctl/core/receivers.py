"""Where alerts go, as a policy names it: `json://host/hook`, `mailto://…`, or `env:NAME` for one that holds a secret.

What is shown of one is its scheme and, where the scheme is one whose host is a host, the host: with many services the
whole URL is the secret.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

VARIABLE = "env:"
SHORTEST = 6
"""Letters of a part below which masking it would mask ordinary words."""
HOSTED = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "http", "https"})
"""Schemes of which the host names a server, and no key."""
PLAIN = frozenset({"to", "from", "name", "smtp", "mode", "method", "format", "cto", "rto", "verify", "cc", "bcc"})
"""Parameters that hold no secret."""
OWN = frozenset({"localhost"})
"""Hosts that are everybody's."""
names = re.compile("[:@]")
scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
variable = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")


def variable_of(url: str) -> str:
    """The environment variable that a URL stands in; empty: it stands for itself."""
    found = variable.fullmatch(url)
    return found[1] if found else ""


def shown(url: str) -> str:
    """What may be written of it anywhere."""
    if url.startswith(VARIABLE):
        return url if variable.fullmatch(url) else f"{VARIABLE}…"
    found = scheme.match(url)
    if found is None:
        return "…"
    name = found[0].lower()
    host = _host(url) if name in HOSTED else ""
    return f"{name}://{host or '…'}"


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname}{port}" if parts.hostname and parts.hostname.isprintable() else ""


def fault(url: str) -> tuple[str, str] | None:
    """What is wrong with the form of one, and the way out. It is never shown: it may hold a secret."""
    if url.startswith(VARIABLE):
        named = "expected env: and the name of an environment variable", "write env:NAME"
        return None if variable.fullmatch(url) else named
    if not scheme.match(url) or " " in url or not url.isprintable():
        return "expected a URL such as json://host/path or mailto://host, or env:NAME", ""
    return None


def secret(url: str) -> bool:
    """Whether it holds a password or a key, as far as one can tell: then it belongs in a variable."""
    if url.startswith(VARIABLE):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    if parts.scheme.lower() not in HOSTED:
        return bool(parts.netloc)
    asked = {name.lower() for name, _ in parse_qsl(parts.query)}
    return parts.password is not None or bool(asked - PLAIN)


def secrets(url: str) -> list[str]:
    """The parts of one that may be secret, to be masked wherever they turn up."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    found = [parts.password or "", *(value for name, value in parse_qsl(parts.query) if name.lower() not in PLAIN)]
    if parts.scheme.lower() in HOSTED:
        found += [f"{parts.netloc.rpartition('@')[2]}{parts.path}"] if parts.path.strip("/") else []
    else:  # a name with a dot is a server's
        found += [*(each for each in names.split(parts.netloc) if "." not in each), *parts.path.split("/")]
    found += [unquote(each) for each in found]
    return [each for each in dict.fromkeys(found) if len(each) >= SHORTEST and each not in OWN] + [url]
