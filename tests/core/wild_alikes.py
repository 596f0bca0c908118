"""Texts of real projects that hold no secret, though they look it: filled in by dice."""

from __future__ import annotations

import base64
import random
import string
import uuid
from collections.abc import Callable, Iterator

from tests.core.secret_corpus import ALNUM, HEX, some

Maker = Callable[[random.Random], str]


def hexes(size: int) -> Maker:
    return lambda dice: some(dice, HEX, size)


def letters(size: int) -> Maker:
    return lambda dice: some(dice, ALNUM, size)


def digits(size: int) -> Maker:
    return lambda dice: some(dice, string.digits, size)


def integrity(algorithm: str, size: int) -> Maker:
    return lambda dice: f"{algorithm}-{base64.b64encode(dice.randbytes(size)).decode()}"


def image(dice: random.Random) -> str:
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + dice.randbytes(120)).decode()


def any_uuid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def none(_: random.Random) -> str:
    return ""


LINES: tuple[tuple[Maker, str], ...] = (
    (any_uuid, "request_id={} status=200"),
    (any_uuid, "GET /v1/orders/{} 200 12ms"),
    (any_uuid, '{{"id": "{}", "name": "ann"}}'),
    (any_uuid, "[info] correlation-id: {}"),
    (hexes(40), "commit {}\nAuthor: Ann <ann@example.com>"),
    (hexes(40), "Merge: {} into main"),
    (hexes(40), "  uses: actions/checkout@{} # v4"),
    (hexes(7), "HEAD is now at {} Fix the build"),
    (hexes(40), "index {}..0000000 100644"),
    (hexes(40), "{}\trefs/heads/main"),
    (hexes(64), "sha256:{}: Pull complete"),
    (hexes(64), "Digest: sha256:{}"),
    (hexes(64), "FROM python:3.11@sha256:{}"),
    (hexes(64), "{}  agentctl-1.0.tar.gz"),
    (hexes(32), "MD5 (file.iso) = {}"),
    (hexes(32), 'ETag: "{}"'),
    (hexes(64), "    --hash=sha256:{}"),
    (hexes(64), 'checksum = "{}"'),
    (hexes(64), '{{ url = "https://files.example.com/a.whl", hash = "sha256:{}", size = 4 }},'),
    (integrity("sha512", 64), '      "integrity": "{}",'),
    (integrity("sha512", 64), "  integrity {}"),
    (integrity("sha512", 64), "    resolution: {{integrity: {}}}"),
    (integrity("sha384", 48), '<script src="/a.js" integrity="{}" crossorigin="anonymous"></script>'),
    (integrity("sha256", 32), "github.com/pkg/errors v0.9.1 h1:{}"),
    (image, "data:image/png;base64,{}"),
    (image, 'background: url("data:image/png;base64,{}") no-repeat;'),
    (image, "![logo](data:image/png;base64,{})"),
    (hexes(32), "traceparent: 00-{}-00f067aa0ba902b7-01"),
    (hexes(32), "trace_id={} span_id=00f067aa0ba902b7"),
    (hexes(16), "x-b3-traceid: {}"),
    (letters(22), "x-request-id: req_{}"),
    (letters(24), '{{"id": "msg_{}", "type": "message", "role": "assistant"}}'),
    (letters(24), '{{"id": "chatcmpl-{}", "object": "chat.completion"}}'),
    (letters(24), '{{"type": "tool_use", "id": "toolu_{}", "name": "shell"}}'),
    (letters(14), '{{"id": "cus_{}", "object": "customer"}}'),
    (letters(10), "pod/app-6d4b75cb6d-{} 1/1 Running"),
    (hexes(12), "CONTAINER ID   IMAGE\n{}   redis:7"),
    (digits(12), "arn:aws:iam::{}:role/deploy"),
    (digits(12), "arn:aws:secretsmanager:eu-west-1:{}:secret:prod/db/password-AbCdEf"),
    (hexes(17), "i-{} is running in vpc-0a1b2c3d"),
    (digits(10), "timestamp={} level=info"),
    (digits(13), '{{"ts": {}, "value": 3}}'),
    (digits(10), "Tel. +49 {}"),
    (digits(4), "Total: EUR 1{}.50 incl. VAT"),
    (digits(3), "4242 4242 4242 4{} is the test card"),
    (none, "token = next_token()"),
    (none, "password = input('Password: ')"),
    (none, "password = getpass.getpass()"),
    (none, 'api_key = os.environ["OPENAI_API_KEY"]'),
    (none, "api_key = os.getenv('API_KEY', '')"),
    (none, "const token = await getToken(user.id);"),
    (none, "let apiKey = process.env.API_KEY;"),
    (none, "self.password = password"),
    (none, "token: str | None = None"),
    (none, "def login(user: str, password: str) -> Session:"),
    (none, "func Login(user, password string) (string, error) {"),
    (none, 'String password = request.getParameter("password");'),
    (none, "if (token !== expectedToken) throw new Error('bad token');"),
    (none, "password: ${{ secrets.DB_PASSWORD }}"),
    (none, "DB_PASSWORD: ${DB_PASSWORD:?not set}"),
    (none, "password = var.db_password"),
    (none, "password: '{{ vault_db_password }}'"),
    (none, "PASSWORD=$(cat /run/secrets/db)"),
    (none, "export TOKEN=$GITHUB_TOKEN"),
    (none, "password: <your password here>"),
    (none, "API_KEY=your-api-key-here"),
    (none, "password: ********"),
    (none, "password=[REDACTED]"),
    (none, "Enter password: "),
    (none, "sudo: a password is required"),
    (none, "Permission denied (publickey,password)."),
    (none, "error: invalid token at line 3, column 5"),
    (none, "SyntaxError: Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON"),
    (none, "parser.next_token: expected ')' but got 'identifier'"),
    (digits(4), "usage: prompt_tokens={} completion_tokens=120 total_tokens=900"),
    (digits(4), '{{"usage": {{"input_tokens": {}, "output_tokens": 12}}}}'),
    (digits(3), "max_tokens: {}"),
    (none, "tokenizer = AutoTokenizer.from_pretrained('bert-base-uncased')"),
    (none, "the secretary keeps the keys of the key account manager"),
    (none, "primary key (id), foreign key (user_id) references users (id)"),
    (none, "key=value pairs are split at the first ="),
    (none, "sort_key=created_at&order=desc"),
    (none, "cache-key: linux-node-20-main"),
    (none, "Public key: see docs/keys.md"),
    (letters(12), "public_key_id: pk-{}"),
    (none, "ssh-keygen -t ed25519 -C ann@example.com"),
    (hexes(32), "SHA256 fingerprint: {}"),
    (letters(43), "SHA256:{} ann@laptop (ED25519)"),
    (none, "keyboard.press('Enter'); hotkey = 'ctrl+k'"),
    (none, ".btn-primary{color:#fff;background-color:#0d6efd;border-color:#0d6efd}"),
    (none, ".auth-token-input::placeholder { color: #6c757d; }"),
    (none, '!function(e,t){"object"==typeof exports?t(exports):t(e.React={})}(this,function(e){var t=1});'),
    (letters(8), "https://cdn.example.com/static/js/main.{}.chunk.js"),
    (letters(11), "https://www.youtube.com/watch?v={}"),
    (letters(44), "https://docs.google.com/document/d/{}/edit"),
    (none, "https://example.com/login?next=/account&lang=en"),
    (none, "https://example.com/docs/authentication#api-keys"),
    (none, "ssh://git@github.com/group/project.git"),
    (none, "git@github.com:group/project.git"),
    (none, "http://localhost:8000/@fs/src/main.ts:12:5"),
    (none, "npm notice package size: 12.3 kB; shasum: see below"),
    (hexes(40), "npm notice shasum: {}"),
    (none, "--password-stdin reads the password from stdin"),
    (none, "  -p, --password TEXT  Password of the user  [required]"),
    (none, "  --token TOKEN   Token to use (env: GITHUB_TOKEN)"),
    (none, "Authorization: Bearer <token>"),
    (none, "Authorization: Bearer $TOKEN"),
    (none, 'WWW-Authenticate: Basic realm="Login required"'),
    (none, "Basic authentication is not supported any more"),
    (none, "Bearer tokens expire after an hour"),
    (none, "The token bucket refills at 10 tokens per second."),
    (none, "Password reset for ann@example.com was sent"),
    (none, "Password changed successfully"),
    (none, "password: incorrect"),
    (none, "password_hash_algorithm: argon2id"),
    (none, "password_min_length: 12"),
    (none, "secret_name: prod/db"),
    (none, "token_type: Bearer\nexpires_in: 3600"),
    (none, "token_endpoint: https://idp.example.com/oauth/token"),
    (none, "AUTH_ENABLED=true"),
    (none, "auth: none"),
    (none, "session.commit()"),
    (none, "session_timeout=3600"),
    (none, "cookie_secure = true"),
    (none, "set -o pipefail; mkdir -p build/output && cp -p a b"),
    (none, "docker run -p 8080:80 -u 1000:1000 nginx:latest"),
    (none, "ssh -p 2222 ann@example.com"),
    (none, "ps -u root -p 1234"),
    (none, "tests/test_auth.py::test_password_is_hashed PASSED [ 12%]"),
    (none, "FAILED tests/test_token.py::test_refresh - AssertionError: assert 401 == 200"),
    (none, '  File "/srv/app/auth/token.py", line 12, in verify_token'),
    (none, "drwxr-xr-x 2 root root 4096 Jan  4 12:00 secrets"),
    (none, "import { token } from './token.js'"),
    (none, "SELECT password_hash FROM users WHERE id = $1"),
    (none, "CREATE TABLE tokens (id serial PRIMARY KEY, token text NOT NULL)"),
    (none, "class PasswordField(forms.CharField): widget = PasswordInput"),
    (none, "secretKeyRef:\n  name: db\n  key: password"),
    (none, "valueFrom: {secretKeyRef: {name: db, key: password}}"),
    (none, "AAPL 189.84 +1.2%  MSFT 378.91 -0.4%"),
    (hexes(8), "0x00007f{} in malloc () from /lib/x86_64-linux-gnu/libc.so.6"),
    (hexes(40), "0x{} is a contract address"),
    (letters(27), "ksuid {} of the event"),
    (lambda dice: some(dice, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26), "run 01{} finished in 3 s"),
    (none, "a" * 60 + "\n" + "=" * 60),
    (none, "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor"),
)  # fmt: skip


def wild_look_alikes(seed: int = 12, rounds: int = 3) -> Iterator[str]:
    """Each text some times with other values."""
    dice = random.Random(seed)
    for _ in range(rounds):
        for make, line in LINES:
            yield line if make is none else line.format(make(dice))
