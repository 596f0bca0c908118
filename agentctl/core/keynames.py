"""Which names stand before secrets, by their words: `auth_token`, `X-Api-Key`, `dbPassword`; never `max_tokens`."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

BUILT_IN = (
    "api_key", "apikey", "access_key", "secret_key", "private_key", "signing_key", "token", "secret", "password",
    "passwd", "passphrase", "pwd", "bearer", "authorization", "credential", "credentials", "cookie", "set_cookie",
    "session_key", "client_secret", "connection_string", "otp", "pin", "pgpassword", "account_key", "encryption_key",
    "auth_key", "master_key", "authtoken", "accesstoken", "secretkey", "accesskey", "privatekey", "clientsecret",
    "license_key", "shared_key", "webhook_key", "passcode", "userpass", "pass", "sessionid", "session_cookie",
    "deploy_key", "storage_key", "totp", "jwt", "sas_key", "recovery_code", "cvv", "app_key", "unseal_key", "psk",
    "client_key_data", "requirepass", "masterauth", "storepass", "keypass", "sshpass", "sonar_login",
)  # fmt: skip
SAFE_AFTER = frozenset({
    "count", "counts", "limit", "budget", "total", "used", "usage", "type", "name", "url", "uri", "id", "length",
    "policy", "file", "path", "manager", "expiry", "expires", "ttl", "env", "field", "hint", "rotation", "ref",
    "strength", "reset", "required", "provider", "endpoint", "version", "enabled", "source", "format", "age", "rate",
    "style", "types", "index", "ids", "size", "min", "max", "prompt", "label", "column", "code_path", "arn", "stdin",
    "algorithm", "accessor", "placeholder", "timeout", "input", "bucket", "expired", "secure", "samesite", "domain",
})  # fmt: skip
"""A name that ends in one of these tells about a secret and is none: `token_count`, `token_type`."""
SAFE_BEFORE = frozenset({("next", "page", "token"), ("page", "token"), ("continuation", "token"), ("pass", "rate")})
"""Places in a listing."""
LINES = frozenset({"authorization", "cookie", "set_cookie", "proxy_authorization"})
"""Headers of which the whole line is secret."""

WEAK = frozenset({"auth", "_auth"})
"""Names that stand before a secret only where it looks like one: `"auth": true` is none."""
FILE = re.compile(
    r"\.(?:py|js|mjs|ts|tsx|jsx|go|rs|java|kt|rb|php|c|h|cc|cpp|cs|md|html?|s?css|json|ya?ml|toml|txt|log|sh|sql|svg|"
    r"png|lock|xml|csv|vue|tf|ini|conf)\Z"
)

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in camel, snake, kebab or header case."""
    return tuple(word.lower() for word in WORDS.findall(name))


@lru_cache(maxsize=4096)
def sensitive(names: frozenset[tuple[str, ...]], name: str) -> bool:
    """Whether what stands under this name is a secret."""
    parts = words(name)
    if not parts or parts[-1] in SAFE_AFTER or parts in SAFE_BEFORE or FILE.search(name):
        return False
    singular = tuple(part.removesuffix("s") if len(part) > 3 else part for part in parts)
    return any(_contains(parts, wanted) or _contains(singular, wanted) for wanted in names)


@lru_cache(maxsize=64)
def triggers(names: frozenset[tuple[str, ...]]) -> re.Pattern[str]:
    """Finds, in lower case, a part of every name that is sensitive or weak: what a text without holds none of them."""
    every = [*names, *((each.strip("_"),) for each in WEAK)]
    often = Counter(word for each in every for word in each)
    wanted = {max(each, key=lambda word: (often[word], len(word))) for each in every}
    least = {each for each in wanted if not any(other in each for other in wanted if other != each)}
    return re.compile("|".join(map(re.escape, sorted(least))))


def weak(name: str) -> bool:
    """Whether what stands under this name is a secret where it looks like one."""
    return name in WEAK


@lru_cache(maxsize=4096)
def counts(name: str) -> bool:
    """Whether a number under this name is one of tokens, not a token."""
    return "tokens" in words(name)


@lru_cache(maxsize=4096)
def whole_line(name: str) -> bool:
    """Whether it is a header whose line is secret to its end."""
    return "_".join(words(name)) in LINES


def _contains(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    size = len(wanted)
    return any(parts[i : i + size] == wanted for i in range(len(parts) - size + 1))
