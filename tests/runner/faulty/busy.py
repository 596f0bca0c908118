"""25 rate limits and overloads: of one provider, of several, with and without a word of how long."""

import email.utils
from typing import Any

from tests.runner.faulty.errands import Case, Errand, Lay
from tests.runner.stage import APIS, Fault, calls

SHELVES = ("amber", "birch", "cedar", "delta")


def busy(*faults: Fault, providers: int = 1, steps: int = 1, **rules: Any) -> Lay:
    """The providers `main`, `spare` and `third` refuse to answer now."""

    def lay(errand: Errand) -> None:
        stage = errand.stage
        stage.providers += [
            {"name": name, "api": APIS[(errand.number + n) % 3], "priority": n + 1}
            for n, name in list(enumerate(("main", "spare", "third")))[1:providers]
        ]
        stage.tool(errand.tool, f"grep -q last && {errand.told} || echo '\"not here\"'")
        wanted = [*(f"shelf {name}" for name in SHELVES[: steps - 1]), "last"]
        stage.replies = [*(calls((errand.tool, {"id": one})) for one in wanted), errand.ends]
        stage.faults = list(faults)
        stage.policy(retry={"max_delay_s": 0.1}, progress={"enabled": False}, **rules)

    return lay


def refused(status: int = 429, requests: str = "1", provider: str | None = None, **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("status", status=status, requests=requests, provider=provider, headers=named)


def spoken(status: int, requests: str) -> Fault:
    """Said in the middle of a stream."""
    return Fault("error_event", status=status, requests=requests)


FAR = email.utils.formatdate(4e9)
RESET = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12ms"}
BUSY = [
    Case("429 and no word", busy(refused())),
    Case("seconds", busy(refused(retry_after="0.02"))),
    Case("no seconds", busy(refused(retry_after="0"))),
    Case("milliseconds", busy(refused(retry_after_ms="15"))),
    Case("a date that has passed", busy(refused(retry_after="Wed, 21 Oct 2015 07:28:00 GMT"))),
    Case("a date far ahead", busy(refused(provider="main", retry_after=FAR), providers=2)),
    Case("nonsense", busy(refused(retry_after="soon"))),
    Case("less than nothing", busy(refused(retry_after="-5"))),
    Case("not a number", busy(refused(retry_after="nan"))),
    Case("without end", busy(refused(529, retry_after="inf"))),
    Case("when the tokens come back", busy(Fault("status", status=429, requests="1", headers=RESET))),
    Case("529 at the second call", busy(refused(529, "2"))),
    Case("529 three in a row", busy(refused(529, "1-3"))),
    Case("529 four in a row", busy(refused(529, "1-4", "main"), providers=2)),
    Case("529 for good", busy(refused(529, "1-", "main"), providers=2, steps=4)),
    Case("429 for good", busy(refused(429, "1-", "main"), providers=2, steps=3)),
    Case("come back in ten minutes", busy(refused(retry_after="600", provider="main"), providers=2)),
    Case("the fallback is busy too", busy(refused(529, "1-", "main"), refused(429, "1-2", "spare"), providers=2)),
    Case(
        "the fallback says for how long",
        busy(refused(529, "1-", "main"), refused(529, "1-3", "spare", retry_after="0.02"), providers=2),
    ),
    Case(
        "two fallbacks",
        busy(refused(529, "1-", "main"), refused(retry_after="600", provider="spare"), providers=3),
    ),
    Case("one after the other", busy(refused(429, "1"), refused(529, "2"), refused(429, "3", retry_after="0.01"))),
    Case("at every other call", busy(*(refused(429, str(n)) for n in (1, 3, 5, 7, 9)), steps=4)),
    Case("529 within a stream", busy(spoken(529, "1"))),
    Case("429 within a stream, twice", busy(spoken(429, "2-3"))),
    Case("the SDK is told not to try again", busy(refused(529, "1-2", x_should_retry="false"))),
]
