"""A recorded run decided again under the policy that it was recorded under. Nothing is sent, started or written.

The files have to say what they said: a drive whose policy's digest they no longer give is not judged. Who had a key is
in no event; whoever the journal names had one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from agentctl.core.backtest import Divergence, first_divergence
from agentctl.core.events import Forked, Resumed, RunStarted, Stamped
from agentctl.core.setup import Setup
from agentctl.errors import Invalid
from agentctl.journal.store import Store
from agentctl.records import dataclass
from agentctl.runner import plan, recall, starting


@dataclass(frozen=True, slots=True)
class Checked:
    """What deciding a run again came to."""

    divergence: Divergence | None
    decisions: int
    passed_over: int
    left_out: tuple[str, ...]
    """The drives that were not judged, and why."""


@dataclass(frozen=True, slots=True)
class _Drive:
    first: int
    last: int
    policy: str
    digest: str


def recheck(journal: Store, run_id: str) -> Checked:
    """Decide it again, up to the first difference.

    Raises:
        Forbidden: the journal has no beginning.
        Invalid: the task or the policy can't be read, or gives the recorded policy of no drive.
    """
    events = journal.events(run_id)
    if not events or not isinstance(events[0].event, RunStarted):
        raise recall.unbegun(run_id)
    order = starting.order_of(run_id, journal.spec(run_id))
    decisions, passed, left_out = 0, 0, list[str]()
    drives = list(_drives(events))
    for drive in drives:
        named = dataclasses.replace(order, policy=drive.policy or order.policy)
        planned = plan.make(named, only_lower=False, sends=False, store=journal)
        if planned.digest != drive.digest:
            left_out.append(f"events {drive.first} to {drive.last}: {planned.loaded.path} has changed since")
            continue
        verdict = first_divergence(_setup(planned.setup, events), events, drive.first, drive.last)
        decisions, passed = decisions + verdict.decisions, passed + verdict.passed_over
        if verdict.divergence is not None:
            return Checked(verdict.divergence, decisions, passed, tuple(left_out))
    if len(left_out) == len(drives):
        raise Invalid(
            f"{run_id} can't be decided again: " + "; ".join(left_out),
            hint=f"agentctl replay {run_id}",
        )
    return Checked(None, decisions, passed, tuple(left_out))


def _drives(events: Sequence[Stamped]) -> Iterator[_Drive]:
    """From one start to the next; what a fork has copied was decided by its parent, for which it stands."""
    starts = [at for at, stamped in enumerate(events) if isinstance(stamped.event, RunStarted | Resumed | Forked)]
    ends = [*starts[1:], len(events)] if starts else []  # one that was cancelled before its start has none
    for at, end in zip(starts, ends, strict=True):
        until = events[: at + 1]
        if end > at + 1:
            policy = recall.policy_named(until)
            yield _Drive(events[at].seq + 1, events[end - 1].seq, policy, recall.policy_digest(until))


def _setup(setup: Setup, events: Sequence[Stamped]) -> Setup:
    """With the providers ready that the run met."""
    met = recall.met(events)
    return dataclasses.replace(setup, ready=setup.ready & met) if met else setup
