"""What scrubbing costs, with RE2 and without: `.venv/bin/python -m tests.bench.scrubbing`.

MB/s and milliseconds of this thread's own work, so that a busy machine tells nearly the same; the worst of hostile
texts. `json` is what the standard library takes to write the same text, as a measure of the machine.
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Callable

from agentctl.config import masking
from agentctl.core.guards import scrub
from tests.core.secret_corpus import HEX, look_alikes, secrets, some
from tests.core.wild_alikes import wild_look_alikes
from tests.core.wild_secrets import wild_secrets

HOSTILE = (
    "a:", 'token="', "password=", "Bearer ", "a", "eyJ", "eyJaaaaaaaaaa.", "sk-", "://", "://a:",
    "-----BEGIN PRIVATE KEY-----", "<a", "<a>b", "%41", "%3D", "token%3D", "1a", "--token ", "-u a:", "a\n", "{",
    "[1,", '{"a":', "\\u0041", "\\x41", "key: |\n ", "mysql -p ", "login a password ",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    "0000000000000000000000000000000000000000 ", "Cookie: ", "name='a' value='", "x" * 80 + "\n",
    "SG.aaaaaaaaaaaaaaaaaaaa.", ": T = ", "a.", "AKIA", "https://h/?a=b&", '\\"', "_live_", "abcdefgh" * 9 + " ",
    "Private-Lines: 1\n", "password", "password.", "password: |\n  ", "token ", '"a" + "b', '"a"', "'\\\n'",
    "password='", "password, ", '"token", "', '"password" {', "token\n", "token: [", "token | ", "<password", "</key>",
    "<a:password ", "secret is ", "api key ", "unseal key 1", "%70%61", "%password%3d", "\\npassword", "_evil_",
    "-ks", "AIKA", "echo a:", "echo a | ", "htpasswd -b ", "net user a ", "smbclient -U ", "ldapsearch -w",
    "docker login -u a -p ", "::add-mask::", "pass:", "-passin pass:", "identified by '", "a:5432:b:c:", "*:*:*:*:",
    "jdbc:oracle:thin:", "authorization: ", "authorization: bearer ", "set-cookie: a=", '"cookie": "', "auth=",
    ":_auth=", "token=[", "password?", "password ==", "password ??=", "key\t", "k3y" * 7 + " ", "pin", "pin=1 ",
    "AAAA" * 19 + "\\n", "Z" * 1000 + "=", "data:image/png;base64,", "github_pat_", "xoxb-", "discord", "SK", "sig=",
    "dG9rZW49", "746f6b656e3d", "password=a1b2c3d4e5 ", "a1b2c3d4e5f6 ", "[REDACTED]", "password=[REDACTED] ",
    "\x1b[31m", "\x1b[31mpassword", "token\nweb | ", '"token",\\n', "password: |\\n  ", "password: |\n+ ", "a:*:b:c:d ",
    '"token" { default =', "\\u001b[0m", "token\n\n\n", '"token"\n\n', "<key>token</key>\n", "password: |\\n<",
    "+token",
)  # fmt: skip
LOGS = (
    '10.2.{a}.{b} - - [10/Oct/2025:13:{a}:{b} +0000] "GET /v1/orders/{h}?page={a} HTTP/1.1" 200 {b}12 "-" "Mozilla"',
    "2025-10-10T13:{a}:{b}.120Z INFO  orders.service - order {h} paid in {b} ms, {a} items, total EUR {a}.{b}",
    '{{"ts":"2025-10-10T13:{a}:{b}Z","level":"info","trace_id":"{h}{h}","msg":"request done","ms":{b},"route":"/a"}}',
    "tests/orders/test_total.py::test_total_of_{a}_items PASSED                              [ {b}%]",
    "   Compiling serde v1.0.{a} (/srv/build/crates/serde-{h})",
    "drwxr-xr-x  2 ann  staff   4{b} Oct 10 13:{a} src/components/Basket.tsx",
    "+    total = sum(line.price * line.amount for line in lines)  # {h}",
    "commit {h}{h}{h}\nAuthor: Ann Example <ann@example.com>\nDate:   Fri Oct 10 13:{a}:{b} 2025 +0200",
    '  File "/srv/app/orders/service.py", line {a}{b}, in pay\n    return self.gateway.charge(order)',
    "Step {a}/{b} : RUN pip install -r requirements.txt\n ---> Using cache\n ---> {h}",
    "usage: prompt_tokens={a}{b} completion_tokens={b} total_tokens={a}{b}",
    "| orders | {a}{b} rows | {b} MB | primary key (id) |",
)


def took(work: Callable[[], object], times: int) -> float:
    """Median milliseconds."""
    found = []
    for _ in range(times):
        began = time.thread_time()
        work()
        found.append((time.thread_time() - began) * 1e3)
    return statistics.median(found)


def ordinary(size: int) -> str:
    """What servers, tests and builds print; a secret in one of two hundred lines."""
    dice = random.Random(1)
    bare = [str(case.text) for case in (*secrets(), *wild_secrets()) if case.difficulty != "hard"]

    def line() -> str:
        if dice.random() < 0.005:
            return dice.choice(bare)
        return dice.choice(LOGS).format(a=dice.randrange(10, 60), b=dice.randrange(10, 60), h=some(dice, HEX, 13))

    return "\n".join(line() for _ in range(size // 40))[:size]


def dense(size: int) -> str:
    """Every line looks like a secret; one in fifty is."""
    dice = random.Random(1)
    alike = [*look_alikes(), *wild_look_alikes()]
    bare = [str(case.text) for case in (*secrets(), *wild_secrets()) if case.difficulty != "hard"]
    return "\n".join(dice.choice(bare if dice.random() < 0.02 else alike) for _ in range(size // 10))[:size]


def rate(size: int, ms: float) -> float:
    """MB/s."""
    return size / ms / 1e3


def told(engine: str, values: list[str], literals: scrub.Literals | None) -> None:
    """The price of ordinary texts."""

    mask = scrub.make(scrub.Rules(), values, (), literals)
    text = ordinary(2048)
    anew = itertools.count()  # a text that was clean is remembered: each is another
    data = {"result": json.dumps({"log": text[:1000]}), "rows": [{"id": n, "name": "ann"} for n in range(20)]}
    texts = took(lambda: mask.text(f"{text} {next(anew)}"), 30)
    objects = took(lambda: mask.data({**data, "log": f"{text[:1000]} {next(anew)}"}), 30)
    small = f"2 KB of text {texts:.2f} ms, of data {objects:.2f}"
    large = {"ordinary": ordinary(1_000_000), "dense": dense(1_000_000)}
    rates = {name: rate(len(log), took(lambda log=log: mask.text(log), 3)) for name, log in large.items()}
    said = ", ".join(f"{name} log {found:.1f} MB/s" for name, found in rates.items())
    sys.stdout.write(f"{engine}, {len(values)} values known: {said}; {small}\n")


def main() -> None:
    """Print the figures."""
    known = [f"hush-{number:04d}-{number * 7919 % 10_000:04d}-value" for number in range(100)]
    log = ordinary(1_000_000)
    sys.stdout.write(f"json.dumps of the log: {rate(len(log), took(lambda: json.dumps(log), 5)):.0f} MB/s\n")
    engines = {"re": None, "re2": masking.literals()}
    for engine, literals in engines.items():
        told(engine, [], literals)
        told(engine, known, literals)
    for engine, literals in engines.items():
        worst = []
        for unit in HOSTILE:
            text = (unit * (100_000 // len(unit) + 1))[:100_000]
            mask = scrub.make(scrub.Rules(), known, (), literals)
            worst.append((took(lambda text=text, mask=mask: mask.text(text), 1), unit[:20]))
        said = ", ".join(f"{unit!r} {ms:.0f}" for ms, unit in sorted(worst, reverse=True)[:12])
        sys.stdout.write(f"{engine}, {len(HOSTILE)} hostile texts of 100 KB, the worst in ms: {said}\n")


if __name__ == "__main__":
    main()
