"""What must never be written, shown or logged is masked where it enters.

Theory. Two layers: the values that the run knows to be secret (keys it loaded, secret variables, environment
variables with such names), wherever and however they are written; and whatever stands under a sensitive name, in
objects, in JSON inside strings, in `name = value` text.

Rules. A name is matched by its words (`auth_token`, `X-Api-Key`, `dbPassword`), never as a substring, so that
`max_tokens` stays readable. Numbers under `…tokens…` are counts and stay. A filter is idempotent, and one that fails
masks everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

from agentctl.core.bounds import table
from agentctl.core.messages import Json, JsonObject, is_list, is_object
from agentctl.records import dataclass


@table
class Rules:
    """The policy's `[scrub]`."""

    enabled: bool = True
    """False is printed at every start."""
    keys: tuple[str, ...] = ("api_key", "token", "secret", "password", "bearer")
    """Names whose values are masked; matched by word, beside the built-in set. A41"""
    detectors: Literal["default", "off"] = "default"
    """The built-in value detectors."""
    patterns: tuple[str, ...] = ()
    """Your own RE2 patterns."""
    replacement: str = "[REDACTED]"
    """What stands for a masked value. A42"""
    to_model: bool = False
    """True: the model sees placeholders instead; tools still get the real values."""


BUILT_IN = (
    "api_key", "apikey", "access_key", "secret_key", "private_key", "signing_key", "token", "secret", "password",
    "passwd", "passphrase", "pwd", "bearer", "authorization", "credential", "credentials", "cookie", "set_cookie",
    "session_key", "client_secret", "connection_string", "otp", "pin",
)  # fmt: skip
SAFE_AFTER = frozenset({"count", "counts", "limit", "budget", "total", "used", "usage", "type", "name", "url", "uri"})
"""A name that ends in one of these tells about a secret and is none: `token_count`, `token_type`."""
SHORTEST = 6
"""Known values shorter than this would mask ordinary words."""
DEEPEST = 3
"""JSON inside strings is read so deep."""
FAILED = "[SCRUB ERROR]"

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
NAMED = re.compile(
    r"""(?P<name>[A-Za-z][A-Za-z0-9_.\-]{0,63})["']?\s{0,3}(?::=|=>|=|:)\s{0,3}(?P<quote>["']?)(?=[^\s"',;&<>(){}\[\]]{3})"""
)
VALUE = re.compile(r"""(?:Bearer |Basic |Token )?[^\s"',;&<>(){}\[\]]+""")
QUOTED = {'"': re.compile(r'[^"\n]*(?=")'), "'": re.compile(r"[^'\n]*(?=')")}
CARRIER = re.compile(r"\b(?P<kind>Bearer|Basic)\s+(?P<value>[A-Za-z0-9._~+/=\-]{8,})", re.IGNORECASE)


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in camel, snake, kebab or header case."""
    return tuple(word.lower() for word in WORDS.findall(name))


@dataclass(frozen=True, slots=True)
class Filter:
    """What masks.

    `names` are sensitive names as words; `values` are known secrets, longest first, in every spelling.
    """

    names: frozenset[tuple[str, ...]]
    values: tuple[str, ...]
    replacement: str
    on: bool = True

    def text(self, text: str) -> str:
        """A text without secrets."""
        if not self.on or not text:
            return text
        return self._pairs(self._known(text))

    def data(self, value: Json) -> Json:
        """A JSON value without secrets, of the same shape; equal values come back equal."""
        if not self.on:
            return value
        try:
            return self._data(value, 0)
        except RecursionError:
            return FAILED

    def _data(self, value: Json, depth: int) -> Json:
        match value:
            case str():
                return self._string(value, depth)
            case _ if is_object(value):
                named = ((self._known(str(name)), inner) for name, inner in value.items())
                return {name: self._under(name, inner, depth) for name, inner in named}
            case _ if is_list(value):
                return self._list(value, depth)
            case int() | float() if self.values and self._known(str(value)) != str(value):
                return self.replacement
            case _:
                return value

    def fields(self, value: JsonObject) -> JsonObject:
        """`data` for an object, which stays one."""
        masked = self.data(value)
        return masked if is_object(masked) else {FAILED: None}

    def sensitive(self, name: str) -> bool:
        """Whether what stands under this name is to be masked."""
        return _sensitive(self.names, name)

    def _under(self, name: str, value: Json, depth: int) -> Json:
        if value is None or isinstance(value, bool) or not self.sensitive(name):
            return self._data(value, depth)
        if isinstance(value, int | float):
            return self._data(value, depth) if _counts(name) else self.replacement
        if isinstance(value, str):
            return value if not value or (value.isdigit() and _counts(name)) else self.replacement
        return self._mask_all(value)

    def _mask_all(self, value: Json) -> Json:
        match value:
            case _ if is_object(value):
                return {self._known(str(k)): self._mask_all(v) for k, v in value.items()}
            case _ if is_list(value):
                return [self._mask_all(item) for item in value]
            case str() | int() | float() if not isinstance(value, bool):
                return self.replacement
            case _:
                return value

    def _list(self, items: list[Json], depth: int) -> list[Json]:
        match items:
            case [str() as name, str() | int() | float() as value] if self.sensitive(self.text(name)):
                return [self.text(name), self._under(self.text(name), value, depth)]
            case _:
                return [self._data(item, depth) for item in items]

    def _string(self, text: str, depth: int) -> str:
        if text and depth < DEEPEST and text[0] in "{[" and text.rstrip()[-1:] in "}]":
            try:
                inner = json.loads(text, object_pairs_hook=_once)
            except (ValueError, RecursionError):
                return self.text(text)
            masked = self._data(inner, depth + 1)
            return text if masked == inner else json.dumps(masked, ensure_ascii=False)
        return self.text(text)

    def _known(self, text: str) -> str:
        for value in self.values:
            if value in text:
                text = text.replace(value, self.replacement)
        return text

    def _pairs(self, text: str) -> str:
        if "=" in text or ":" in text:
            text = self._named(text)
        if any(carrier in text for carrier in ("earer", "EARER", "asic", "ASIC")):
            text = CARRIER.sub(self._carrier, text)
        return text

    def _named(self, text: str) -> str:
        """What stands after a sensitive name; what stands after another may hold a name itself, as in a URL."""
        pieces: list[str] = []
        done = at = 0
        while match := NAMED.search(text, at):
            at = match.end()
            if not self.sensitive(match["name"]):
                continue
            found = QUOTED[match["quote"]].match(text, at) if match["quote"] else None
            value = found or VALUE.match(text, at)
            if value is None or text.startswith(self.replacement, at):
                continue
            if value[0].isdigit() and _counts(match["name"]):
                continue
            pieces += (text[done:at], self.replacement)
            done = at = value.end()
        return "".join((*pieces, text[done:]))

    def _carrier(self, match: re.Match[str]) -> str:
        return f"{match['kind']} {self.replacement}"


@lru_cache(maxsize=4096)
def _sensitive(names: frozenset[tuple[str, ...]], name: str) -> bool:
    parts = words(name)
    if not parts or parts[-1] in SAFE_AFTER:
        return False
    singular = tuple(part.removesuffix("s") if len(part) > 3 else part for part in parts)
    return any(_contains(parts, wanted) or _contains(singular, wanted) for wanted in names)


def _counts(name: str) -> bool:
    """Whether a number under this name is one of tokens, not a token."""
    return "tokens" in words(name)


def _once(pairs: list[tuple[str, Json]]) -> JsonObject:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands twice, and only one of its values would be seen")
    return made


def _contains(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    size = len(wanted)
    return any(parts[i : i + size] == wanted for i in range(len(parts) - size + 1))


def make(rules: Rules, secrets: Iterable[str]) -> Filter:
    """The filter of a run: the policy's names beside the built-in ones, and the values that are known to be secret."""
    names = frozenset(words(name) for name in (*BUILT_IN, *rules.keys) if words(name))
    spellings = {spelling for secret in secrets for spelling in _spellings(secret) if spelling not in rules.replacement}
    values = tuple(sorted(spellings, key=lambda value: (-len(value), value)))
    return Filter(names, values, rules.replacement, on=rules.enabled)


def _spellings(secret: str) -> Iterable[str]:
    if len(secret) < SHORTEST:
        return
    for line in {secret, *(line.strip() for line in secret.splitlines())}:
        if len(line) < SHORTEST:
            continue
        yield line
        escaped = json.dumps(line)[1:-1]
        yield escaped
        yield json.dumps(escaped)[1:-1]
        yield json.dumps(line, ensure_ascii=False)[1:-1]
        yield quote(line, safe="", errors="surrogatepass")
        yield line.encode(errors="surrogatepass").hex()
