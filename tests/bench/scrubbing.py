"""What scrubbing costs: `.venv/bin/python -m tests.bench.scrubbing`. Milliseconds; the worst of hostile texts."""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Callable

from agentctl.core.guards import scrub
from tests.core.secret_corpus import look_alikes, secrets

HOSTILE = (
    "a:", 'token="', "password=", "Bearer ", "a", "eyJ", "eyJaaaaaaaaaa.", "sk-", "://", "://a:",
    "-----BEGIN PRIVATE KEY-----", "<a", "<a>b", "%41", "%3D", "token%3D", "1a", "--token ", "-u a:", "a\n", "{",
    "[1,", '{"a":', "\\u0041", "\\x41", "key: |\n ", "mysql -p ", "login a password ",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    "0000000000000000000000000000000000000000 ", "Cookie: ", "name='a' value='", "x" * 80 + "\n",
    "SG.aaaaaaaaaaaaaaaaaaaa.", ": T = ", "a.", "AKIA", "https://h/?a=b&", '\\"', "_live_", "abcdefgh" * 9 + " ",
    "Private-Lines: 1\n",
)  # fmt: skip


def took(work: Callable[[], object], times: int) -> float:
    """Median milliseconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1e3)
    return statistics.median(found)


def ordinary(size: int) -> str:
    """A log of benign lines and one secret in twenty."""
    dice = random.Random(1)
    lines = [*look_alikes(), *(str(case.text) for case in secrets() if case.difficulty == "easy")]
    plain = [line for line in lines if "KEY-----" not in line]
    return "\n".join(dice.choice(plain if dice.random() < 0.05 else lines[:380]) for _ in range(size // 20))[:size]


def told(title: str, values: list[str]) -> None:
    """The price of ordinary texts."""
    mask = scrub.make(scrub.Rules(), values)
    text, large = ordinary(2048), ordinary(1_000_000)
    data = {"result": json.dumps({"log": text[:1000]}), "rows": [{"id": n, "name": "ann"} for n in range(20)]}
    small = (
        f"2 KB text {took(lambda: mask.text(text), 50):.2f} ms; 2 KB object {took(lambda: mask.data(data), 50):.2f} ms"
    )
    sys.stdout.write(f"{title}: {small}; 1 MB text {1000 / took(lambda: mask.text(large), 1):.2f} MB/s\n")


def main() -> None:
    """Print the figures."""
    known = [f"hush-{number:04d}-{number * 7919 % 10_000:04d}-value" for number in range(100)]
    told("nothing known", [])
    told("100 values known", known)
    worst = []
    for unit in HOSTILE:
        text = (unit * (100_000 // len(unit) + 1))[:100_000]
        mask = scrub.make(scrub.Rules(), known)
        worst.append((took(lambda text=text, mask=mask: mask.text(text), 3), unit[:20]))
    for ms, unit in sorted(worst, reverse=True)[:12]:
        sys.stdout.write(f"hostile 100 KB of {unit!r}: {ms:.0f} ms\n")


if __name__ == "__main__":
    main()
