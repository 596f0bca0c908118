"""What a tool's answer may be: how large, how late, how often tried."""

from __future__ import annotations

import re
from dataclasses import field

from agentctl.core import clock, envelope
from agentctl.core.bounds import Count, Seconds, table
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import Forked, Resumed, RunStarted, Stamped, ToolStarted
from agentctl.records import dataclass, replace


@table
class Rules:
    """The policy's `[results]`."""

    enabled: bool = True
    """False is printed at every start."""
    max_tokens: Count = 10_000
    """Tokens of a result above which it is cut, visibly."""
    timeout_s: Seconds = 5.0
    """Seconds for a tool whose contract says nothing. D30"""
    max_attempts: Count = 3
    """Tries in all of a call that is worth it. B12, G7"""
    base_delay_s: Seconds = 1.0
    """The first delay between tries; it doubles each time. B14"""


MOST_DOUBLINGS = 16
"""A delay stops growing there."""
LONGEST_REST_S = 30.0
"""A tool that asks for a longer rest is not waited for: the model is told, and may come back later. B15"""
REST = re.compile(r"retry after (\d{1,9}(?:\.\d{1,9})?)s", re.IGNORECASE)
MARKER = "\n[… cut: {left} of {size} characters are not shown …]"


MOST_STARTS = 1_000
"""Starts of a tool that are remembered for its limit per minute."""
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class State:
    """How often each tool was started, and when lately. Bound: the session's tools, MOST_STARTS each, twice."""

    calls: dict[str, int]
    """By this run."""
    starts: dict[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    earlier: dict[str, int] = field(default_factory=dict[str, int])
    """By other runs of the session, as they were when this one was last started."""
    others: dict[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    """When those lately started a tool that has a limit per minute."""


EMPTY = State({})


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case ToolStarted(tool=tool, attempt=1):
            calls = {**state.calls, tool: state.calls.get(tool, 0) + 1}
            starts = (*_lately(state.starts, tool, stamped.ts)[-MOST_STARTS:], stamped.ts)
            return replace(state, calls=calls, starts={**state.starts, tool: starts})
        case (
            RunStarted(earlier_calls=earlier, earlier_starts=others)
            | Resumed(earlier_calls=earlier, earlier_starts=others)
        ):
            return replace(state, earlier=earlier, others=others)
        case Forked():  # those of its parent are among the other runs' where they share the session
            return EMPTY
        case _:
            return state


def check(state: State, contract: Contract, now: float) -> Envelope | None:
    """The tool's own call limit, if it is reached: of the session in all, or in any 60 seconds. D88"""
    lately = sum(len(_lately(starts, contract.name, now)) for starts in (state.starts, state.others))
    calls = state.calls.get(contract.name, 0) + state.earlier.get(contract.name, 0)
    return over(contract, calls, lately)


def late(state: State, contract: Contract, now: float, others: tuple[int, int]) -> Envelope | None:
    """The same for a call that is counted already, by what others had started when it was: in all and lately. D88"""
    calls = state.calls.get(contract.name, 0) - 1 + others[0]
    return over(contract, calls, len(_lately(state.starts, contract.name, now)) - 1 + others[1])


def over(contract: Contract, calls: int, lately: int) -> Envelope | None:
    """The answer to a call after so many, in the session and in the last minute; None: it may run."""
    most, per_minute = contract.max_calls_per_session, contract.max_calls_per_minute
    if most is not None and calls >= most:
        limit = f"max_calls_per_session of {most}"
    elif per_minute is not None and lately >= per_minute:
        limit = f"max_calls_per_minute of {per_minute}"
    else:
        return None
    text = f"Call limit: {limit} reached for {contract.name}."
    return envelope.permanent(text, code="CALL_LIMIT", hint="Go on with what you know.")


def _lately(starts: dict[str, tuple[float, ...]], tool: str, now: float) -> tuple[float, ...]:
    """The starts of the last minute; of one ahead of now the clock was set back, and it was who knows when."""
    over, newest = now - MINUTE_S, now + clock.SKEW_S  # `clock.past`, without a call for each of them at each step
    return tuple([ts for ts in starts.get(tool, ()) if over < ts <= newest])


def retry_delay(rules: Rules, contract: Contract, answer: Envelope, attempt: int) -> float | None:
    """Seconds until this call is worth another attempt, or None. A tool's own rest is never undercut. B15"""
    if answer.ok or not answer.retry_safe or attempt >= rules.max_attempts or not rules.enabled:
        return None
    if contract.retry_policy == "none" or in_doubt(contract, answer):
        return None
    doubled = 2.0 ** min(attempt - 1, MOST_DOUBLINGS) if contract.retry_policy == "exponential_backoff" else 1.0
    asked = REST.search(answer.message) if answer.error_type == "rate_limit" else None
    rest = float(asked[1]) if asked else 0.0
    return max(rules.base_delay_s * doubled, rest) if rest <= LONGEST_REST_S else None


def in_doubt(contract: Contract, answer: Envelope) -> bool:
    """It timed out, may have happened, and must not happen twice."""
    timed_out = answer.error_type == "transient" and answer.message.startswith("Timeout after ")
    return timed_out and not contract.idempotent and not contract.read_only


def settle(contract: Contract, answer: Envelope, attempts: int) -> Envelope:
    """The answer after the last attempt, in the words of the contract."""
    if in_doubt(contract, answer):
        return envelope.permanent(
            f"{answer.message}; the outcome of {contract.name} is unknown and it is not retried.",
            code="UNKNOWN_OUTCOME",
            hint="Check whether it happened before doing it again.",
        )
    if not answer.ok and answer.retry_safe and attempts > 1:
        return envelope.exhausted(attempts, answer)
    return answer


def cut(text: str, most_bytes: int) -> str:
    """The head of a text that is too long, and a marker with its full size. Filter."""
    raw, end = text.encode(errors="surrogatepass"), most_bytes
    if len(raw) <= end:
        return text
    while raw[end] & 0xC0 == 0x80:  # within a character
        end -= 1
    head = raw[:end].decode(errors="surrogatepass")
    return head + MARKER.format(left=f"{len(text) - len(head):,}", size=f"{len(text):,}")
