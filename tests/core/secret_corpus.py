"""Fake secrets of many kinds in many dresses, and texts that only look like them: generated, never written down.

Every secret is made of dice at run time, so that no scanner finds one in this repository.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


@dataclass(frozen=True)
class Case:
    """One text or JSON value, and what must not be in it afterwards."""

    kind: str
    difficulty: str
    text: object
    secret: str


def some(dice: random.Random, alphabet: str, size: int) -> str:
    return "".join(dice.choice(alphabet) for _ in range(size))


def by_form(dice: random.Random) -> Iterator[tuple[str, str]]:
    """Keys that say whose they are."""
    upper = string.ascii_uppercase + "234567"
    yield "openai", "sk-" + "proj-" + some(dice, ALNUM + "-_", 48)
    yield "anthropic", "sk-" + "ant-api03-" + some(dice, ALNUM + "-_", 80)
    yield "aws", "AKI" + "A" + some(dice, upper, 16)
    yield "aws session", "ASI" + "A" + some(dice, upper, 16)
    for letter in "pousr":
        yield f"github gh{letter}", f"gh{letter}" + "_" + some(dice, ALNUM, 36)
    yield "github fine", "github" + "_pat_" + some(dice, ALNUM, 22) + "_" + some(dice, ALNUM, 59)
    yield "gitlab", "glpat" + "-" + some(dice, ALNUM, 20)
    yield "slack", "xox" + "b-" + some(dice, string.digits, 12) + "-" + some(dice, ALNUM, 24)
    yield "google", "AI" + "za" + some(dice, ALNUM + "-_", 35)
    yield "google oauth", "GOC" + "SPX-" + some(dice, ALNUM, 28)
    yield "stripe", "sk" + "_live_" + some(dice, ALNUM, 24)
    yield "stripe restricted", "rk" + "_test_" + some(dice, ALNUM, 24)
    yield "sendgrid", "SG" + "." + some(dice, ALNUM, 22) + "." + some(dice, ALNUM, 43)
    yield "npm", "npm" + "_" + some(dice, ALNUM, 36)
    yield "pypi", "pypi" + "-AgEIcHlwaS5vcmc" + some(dice, ALNUM + "-_", 70)
    yield "digitalocean", "dop" + "_v1_" + some(dice, HEX, 64)
    yield "huggingface", "hf" + "_" + some(dice, ALNUM, 34)
    yield "shopify", "shp" + "at_" + some(dice, HEX, 32)
    yield "linear", "lin" + "_api_" + some(dice, ALNUM, 40)
    yield "vault", "hvs" + "." + some(dice, ALNUM, 24)
    yield "databricks", "da" + "pi" + some(dice, HEX, 32)
    yield "telegram", some(dice, string.digits, 10) + ":AA" + some(dice, ALNUM + "-_", 33)
    yield "groq", "gsk" + "_" + some(dice, ALNUM, 52)
    yield "docker", "dckr" + "_pat_" + some(dice, ALNUM, 27)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(b'{"sub":"' + some(dice, ALNUM, 12).encode() + b'"}').decode().rstrip("=")
    yield "jwt", f"{head}.{body}.{some(dice, ALNUM + '-_', 43)}"


BARE = ("{}", "the key is {} here", "error: 401 for {}\nretry", "['{}']", 'x("{}")', "<{}>", "a,{},b", "path/{}")


def pem(dice: random.Random) -> tuple[str, str]:
    body = "\n".join(some(dice, ALNUM + "+/", 64) for _ in range(6))
    kind = dice.choice(["RSA PRIVATE", "PRIVATE", "EC PRIVATE", "OPENSSH PRIVATE", "ENCRYPTED PRIVATE"])
    return f"-----BEGIN {kind} KEY-----\n{body}\n-----END {kind} KEY-----", body.split("\n")[3]


NAMED = (
    "password={}", "DB_PASSWORD='{}'", 'export API_KEY="{}"', "password: {}", '"clientSecret": "{}",', "secret := {}",
    'private val apiKey = "{}"', "auth_token => '{}'", 'password: str = "{}"', "SECRET_KEY ?= {}", "passwd ::= {}",
    'config["secret_key"] = "{}"', "<password>{}</password>", '<add key="DbPassword" value="{}" />',
    "X-Api-Key: {}", "Authorization: Bearer {}", "Cookie: a=1; session={}; b=2", "Set-Cookie: sid={}; HttpOnly",
    "Proxy-Authorization: Basic {}", "postgres://ann:{}@db.example.com:5432/x", "https://ci:{}@git.example.com/r.git",
    "https://h.example.com/cb?access_token={}&x=1", "mysql -u root -p{} shop", "curl -u ann:{} https://h.example.com",
    "tool --password {} --verbose", "tool --api-key={} run", "machine h login ann password {}",
    "  db_password: |\n    {}\n  next: 1", "PGPASSWORD={} psql", "AccountName=a;AccountKey={};EndpointSuffix=b",
    "Server=h;User Id=a;Password={};", "curl -H 'X-Auth-Token: {}' h", "sent Bearer {} to it",
    "CREATE USER a IDENTIFIED BY '{}'", 'log body={{\\"password\\": \\"{}\\"}} end',
)  # fmt: skip


def named(dice: random.Random) -> Iterator[Case]:
    for number, form in enumerate(NAMED):
        for size in (10, 16, 24, 40):
            secret = "k" + some(dice, ALNUM, size - 2) + "7"
            yield Case(f"named {number}", "easy", form.format(secret), secret)


def arguments(dice: random.Random) -> Iterator[Case]:
    """As tools are called."""
    forms: tuple[Callable[[str], object], ...] = (
        lambda s: {"password": s},
        lambda s: {"config": {"dbPassword": s, "user": "ann"}},
        lambda s: {"headers": {"Authorization": f"Bearer {s}", "Accept": "x"}},
        lambda s: {"headers": [{"name": "X-Api-Key", "value": s}, {"name": "Accept", "value": "x"}]},
        lambda s: {"env": [{"key": "DB_PASSWORD", "value": s}]},
        lambda s: [["Authorization", s], ["Accept", "x"]],
        lambda s: {"argv": ["tool", "--password", s, "--verbose"]},
        lambda s: {"argv": ["tool", f"--token={s}"]},
        lambda s: {"argv": ["curl", "-u", f"ann:{s}", "h"]},
        lambda s: {"env": [f"API_KEY={s}", "A=1"]},
        lambda s: {"body": json.dumps({"client_secret": s})},
        lambda s: {"body": json.dumps({"inner": json.dumps({"api_key": s})})},
        lambda s: {"body": json.dumps({"a": json.dumps({"b": json.dumps({"secret": s})})})},
        lambda s: {"url": f"https://h.example.com/?api_key={s}"},
        lambda s: {"credentials": {"id": 1, "parts": [s]}},
        lambda s: {"command": f"mysql -p{s} shop"},
        lambda s: {"content": f"API_KEY={s}\nDEBUG=1\n"},
    )
    for number, form in enumerate(forms):
        for size in (9, 16, 32):
            secret = "q" + some(dice, ALNUM, size - 2) + "3"
            yield Case(f"argument {number}", "arguments", form(secret), secret)
    for name in ("password", "pin", "otp", "passcode"):
        number = dice.randrange(100_000, 999_999)
        yield Case("number", "arguments", {name: number}, str(number))


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("base64", _b64),
    ("base64 url", lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("=")),
    ("base64 in a sentence", lambda s: _b64(f"here it is: {s} and more of it")),
    ("base64 of JSON", lambda s: _b64(json.dumps({"user": "ann", "v": s}))),
    ("base64 twice", lambda s: _b64(_b64(s))),
    ("base64 in lines", lambda s: "\n".join(_b64(s * 2)[at : at + 32] for at in range(0, len(_b64(s * 2)), 32))),
    ("hex", lambda s: s.encode().hex()),
    ("percent, every letter", lambda s: "".join(f"%{ord(each):02X}" for each in s)),
    ("escapes, every letter", lambda s: "".join(f"\\u{ord(each):04x}" for each in s)),
    ("reversed", lambda s: s[::-1]),
    ("in two strings", lambda s: f'"{s[:9]}" + "{s[9:]}"'),
)


def encoded(dice: random.Random) -> Iterator[Case]:
    """Nobody knew these before: they are found through their encoding. The bare secret is in none."""
    for name, encode in ENCODINGS:
        for kind, secret in by_form(dice):
            written = encode(secret)
            yield Case(f"{kind} in {name}", "hard", f"data {written} end", written)
        secret = "k" + some(dice, ALNUM, 16)
        written = encode(f"password={secret}")
        yield Case(f"named in {name}", "hard", f"data {written} end", written)


def secrets() -> list[Case]:
    dice = random.Random(6)
    cases = [Case(kind, "easy", form.format(secret), secret) for form in BARE for kind, secret in by_form(dice)]
    for _ in range(6):
        text, inside = pem(dice)
        cases += [
            Case("pem", "easy", f"key:\n{text}\nend", inside),
            Case("pem in JSON", "easy", json.dumps({"file": text}), inside),
            Case("pem cut short", "easy", text.partition("\n-----END")[0], inside),
        ]
    return [*cases, *named(dice), *arguments(dice), *encoded(dice)]


PROSE = (
    "The password must have {n} letters.", "Enter your password: required", "token: str", "max_tokens={n}",
    "used {n} tokens of {n}", "commit {h40}", "sha256:{h64}", "uuid {uuid}", "id: r_{h16}", "run_id={h16}",
    "password = os.environ['DB_PASSWORD']", "api_key: ${{API_KEY}}", "token = get_token()", "secret: <your-secret>",
    "password=****", "next_page_token: null", "password: Optional[str] = None", "https://h.example.com/a/{h16}?page={n}",
    "image data:image/png;base64,{b64}", "the key to success: patience", "tokens: {n} in, {n} out", "pin: ...",
    "key={word}", "primary_key: id", "token_count: {n}", "keyboard=us", "author: Ann {word}", "spin: {n}",
    "-----BEGIN CERTIFICATE-----\n{b64}\n-----END CERTIFICATE-----", "ssh-rsa {b64} ann@h", 'etag: "{h32}"',
    "sk-learn is a library", "the pk_{word} table", "https://user@h.example.com/x", "at 10:{n}:20 in {word}",
    "password_reset_url: https://h.example.com/reset", "secret_name: db", "token_type: bearer", "pass rate: {n} %",
    "def password(self): return self._password", "if token == None:", "basic auth is off", "bearer of news: {word}",
)  # fmt: skip
WORDS = ("monday", "alpha", "release", "kestrel", "lantern", "window", "orders", "garden")


def look_alikes() -> list[str]:
    dice = random.Random(7)
    made: list[str] = []
    for _ in range(9):
        for form in PROSE:
            h = some(dice, HEX, 64)
            uuid = f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:32]}"
            b64 = base64.b64encode(dice.randbytes(90)).decode()
            filled = {"n": dice.randrange(10, 60), "h16": h[:16], "h32": h[:32], "h40": h[:40], "h64": h}
            made.append(form.format(**filled, uuid=uuid, b64=b64, word=dice.choice(WORDS)))
    return made
