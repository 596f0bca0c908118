"""What went wrong, in one word and one line: every provider's errors told apart the same way."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from agentctl.core.messages import Failure, FailureKind

LONGEST_MESSAGE = 300
LONGEST_WAIT_S = 86_400.0
"""A longer `retry-after` is a mistake or an attack; a day says "not today" just as well."""

BY_WORD: dict[str, FailureKind] = {
    "overloaded_error": "overloaded",
    "server_is_overloaded": "overloaded",
    "engine_overloaded": "overloaded",
    "slow_down": "overloaded",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "insufficient_quota": "quota",
    "billing_error": "quota",
    "billing_not_active": "quota",
    "billing_hard_limit_reached": "quota",
    "enforced_spend_limit_reached": "quota",
    "contract_spend_limit_reached": "quota",
    "authentication_error": "auth",
    "permission_error": "auth",
    "invalid_api_key": "auth",
    "api_error": "server",
    "server_error": "server",
    "internal_error": "server",
    "internal_server_error": "server",
    "timeout_error": "timeout",
    "context_length_exceeded": "context",
    "exceed_context_size_error": "context",
    "invalid_request_error": "invalid",
    "invalid_prompt": "invalid",
    "request_too_large": "invalid",
    "not_found_error": "invalid",
}
"""The words that the APIs promise, as `type` or `code` of an error."""
BY_STATUS: dict[int, FailureKind] = {
    401: "auth", 402: "quota", 403: "auth", 408: "server", 409: "server", 429: "rate_limit",
    503: "overloaded", 529: "overloaded",
}  # fmt: skip
IN_STREAM: dict[FailureKind, int] = {"overloaded": 529, "rate_limit": 429, "server": 500}
"""The status that an error would have had, had it come before the first byte."""
# A 400 tells these apart by its words alone: neither API has a code for them on every path.
too_long = re.compile(
    r"prompt is too long|context.(length|window|size|limit)|maximum context|exceeds? .*context", re.IGNORECASE
)
spent = re.compile(r"usage limit|spend(ing)? (cap|limit)|credit balance|billing", re.IGNORECASE)
duration = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Broken(Exception):
    """A call that came to nothing: it carries the value that is handed out, and never leaves `models/`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def malformed(what: str) -> Broken:
    """The provider answered, but not in its own API's words."""
    return Broken(Failure("malformed", one_line(f"the reply makes no sense: {what}")))


def refused(
    status: int,
    *,
    code: object = None,
    kind: object = None,
    message: object = "",
    headers: Mapping[str, str] | None = None,
    secret: str = "",
) -> Failure:
    """An error that the provider put into words, by status or, with status 200, in the middle of a stream."""
    words = [word for word in (code, kind) if isinstance(word, str)]
    text = one_line(message if isinstance(message, str) else "", secret)
    if 300 <= status < 400:
        text = f"it sends us on to {(headers or {}).get('location', 'nowhere')}; base_url must name the server itself"
    what = classify(status, words, text)
    label = f"HTTP {status}" if status >= 300 else "error in the stream"
    told = f" {words[0]}" if words else ""
    return Failure(
        what,
        one_line(f"{label}{told}: {text}" if text else f"{label}{told}", secret),
        status=status if status >= 300 else IN_STREAM.get(what),
        retry_after_s=retry_after(headers or {}),
        refused=status >= 300,
    )


def classify(status: int, words: list[str], text: str) -> FailureKind:
    """The kind: promised words about money and length first, then the status, then what else was said."""
    told: FailureKind | None = next((BY_WORD[word] for word in words if word in BY_WORD), None)
    if told in {"quota", "context"} or (status in BY_STATUS and told == "timeout"):
        return told
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status < 300 or status >= 500:
        return "server" if told is None or (told == "invalid" and status >= 500) else told
    if status == 400 and too_long.search(text):
        return "context"
    return "quota" if status == 400 and spent.search(text) else "invalid"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the provider asks to wait for, from whichever header says so; None: none does, sensibly."""
    found = seconds(headers.get("retry-after-ms", ""), 0.001)
    if found is None:
        found = seconds(headers.get("retry-after", ""))
    if found is None:
        found = until(headers.get("retry-after", ""))
    if found is None:
        resets = [go_duration(headers.get(f"x-ratelimit-reset-{of}", "")) for of in ("requests", "tokens")]
        spans = [
            span
            for of, span in zip(("requests", "tokens"), resets, strict=True)
            if span is not None and headers.get(f"x-ratelimit-remaining-{of}", "").strip() == "0"
        ]
        found = max(spans, default=None)
    return found


def seconds(text: str, unit: float = 1.0) -> float | None:
    """A plain number of seconds, never negative, endless or longer than a day."""
    try:
        value = float(text) * unit
    except ValueError:
        return None
    if not math.isfinite(value) or value < 0:
        return None
    return min(value, LONGEST_WAIT_S)


def until(text: str) -> float | None:
    """The seconds until an HTTP date; one that has passed is 0."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT_S)


def go_duration(text: str) -> float | None:
    """`12ms`, `6m0s`, `1h2m3.5s`: how OpenAI writes when a limit resets."""
    text = text.strip()
    if len(text) > 40 or not re.fullmatch(r"(\d+(\.\d+)?(ms|h|m|s))+", text, re.ASCII):
        return None
    total = sum(float(number) * SECONDS[unit] for number, unit in duration.findall(text))
    return min(total, LONGEST_WAIT_S)


def one_line(text: str, secret: str = "") -> str:
    """Words of a provider for a person: one line, bounded, nothing invisible, the key blotted out."""
    text = text[: 8 * LONGEST_MESSAGE]
    if len(secret) >= 6:
        text = text.replace(secret, "[key]")
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"
