"""Secrets that are none, made up when needed: none of them stands in a file. And where a text fits in a call."""

from __future__ import annotations

import base64
import hashlib

from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.records import dataclass
from agentctl.rehearsal.drills.ground import Target


@dataclass(frozen=True, slots=True)
class Fake:
    """One secret."""

    kind: str
    """`an AWS key`"""
    text: str
    """As it is written where it is found by its form."""
    needle: str
    """The part of it that is looked for: one line, plain letters."""


def known_forms(seed: str) -> tuple[Fake, ...]:
    """Keys that say whose they are, by the detectors of values."""
    made = {
        "an AWS key": "AKIA" + _letters(seed, "aws")[:16],
        "a GitHub token": "ghp_" + _hex(seed, "github")[:36],
        "an Anthropic key": "sk-ant-api03-" + _mixed(seed, "anthropic")[:40],
        "an OpenAI key": "sk-proj-" + _mixed(seed, "openai")[:40],
    }
    bearer, body = _mixed(seed, "bearer")[:43], _mixed(seed, "pem", "pem2")[:64]
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n{_mixed(seed, 'pem3')[:40]}==\n-----END RSA PRIVATE KEY-----"
    return (
        *(Fake(kind, text, text) for kind, text in made.items()),
        Fake("a bearer token", f"Authorization: Bearer {bearer}", bearer),
        Fake("a private key", pem, body),
    )


def under_names(seed: str) -> tuple[dict[str, Json], tuple[Fake, ...]]:
    """An object whose values are secret by their names alone, and the values."""
    words = {
        name: f"{name[:2]}!{_hex(seed, name)[:14]}" for name in ("password", "api_key", "client_secret", "in_json")
    }
    number = str(10**9 + int(_hex(seed, "number")[:12], 16) % (9 * 10**9))
    data: dict[str, Json] = {
        "password": words["password"],
        "service": {"api_key": words["api_key"], "options": [{"client_secret": words["client_secret"]}]},
        "raw": f'{{"user": "drill", "password": "{words["in_json"]}"}}',
        "api_key": int(number),
    }
    fakes = [Fake(f"a value under {name}", text, text) for name, text in words.items()]
    return data, (*fakes, Fake("a number under api_key", number, number))


def placed(target: Target, text: str, number: int = 0) -> JsonObject | None:
    """Arguments with this text in one of them that takes it; None: none takes it."""
    args = target.args(number)
    properties = target.contract.parameters.get("properties")
    for name in properties if is_object(properties) else ():
        tried: JsonObject = {**args, name: text}
        if target.contract.check(tried) is None:
            return tried
    return None


def _digest(*words: str) -> bytes:
    return hashlib.sha256("/".join(words).encode()).digest()


def _letters(*words: str) -> str:
    return base64.b32encode(_digest(*words)).decode()


def _hex(*words: str) -> str:
    return _digest(*words).hex()


def _mixed(*words: str) -> str:
    return base64.b64encode(_digest(*words) + _digest(*words, "more")).decode().replace("+", "x").replace("/", "y")
