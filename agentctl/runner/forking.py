"""A new run that starts from a recorded point of another, under another policy, with another goal, or as it was.

Rules.
1. The new run's journal begins with the parent's events up to a safe point; `Forked` follows, and from there on it is
   driven as a resumed run is. Of the parent only what is committed is read, so that it may be driven meanwhile; nothing
   of it changes.
2. What the conversation is goes along: messages, sizes, loop and progress windows, whose words are in it, the
   stand-in's position. What was spent stays where it was spent: dollars, tokens, steps, calls, errors and time count
   from nothing, in the new run's own limits and in the ledger. Limits of a session count each call once, by its run.
3. What was approved, denied or remembered was said of the parent. A call that is open is decided anew.
4. An approved or executed effect after the point is not undone, and the fork knows nothing of it: the person is told
   which there are.
5. A fork may be lowered by flags as a run may; what the parent was lowered by stays, unless a flag says otherwise.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from agentctl.config import masking
from agentctl.core import forking
from agentctl.core.events import Forked, RunStarted, SecretsNumbered, Stamped
from agentctl.core.state import apply, fold
from agentctl.errors import Forbidden
from agentctl.journal import copying
from agentctl.journal.runs import RunRow
from agentctl.journal.sealed import Sealed
from agentctl.journal.store import Store
from agentctl.records import dataclass
from agentctl.runner import numbered, plan, recall, relearning, starting
from agentctl.runner.drive import known_secrets
from agentctl.runner.order import Listener, Order
from agentctl.runner.plan import Plan

GONE = "what it masked was destroyed when it ended ({count} originals): the fork sends placeholders, and no thinking"


@dataclass(frozen=True, slots=True)
class Branch:
    """What a fork is asked for. Empty or None: as in the parent; `user`: who forks and whom it is for."""

    user: str
    at: int | None = None
    """None: the last safe point."""
    policy: str | None = None
    goal: str = ""
    session: str = ""
    max_usd: float | None = None
    auto_approve: str | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """A fork that can be begun."""

    parent: RunRow
    at: int
    order: Order
    plan: Plan
    policy: str
    """As named; empty: the task's own."""
    note: str


def prepared(journal: Store, name: str, branch: Branch) -> Fork:
    """Work out and check everything. Nothing is written.

    Raises:
        Forbidden: there is no such run or no such point. Invalid, Usage: what the task, the policy or a flag says.
    """
    parent = journal.run(name)
    events = journal.events(parent.run_id)
    at = _point(parent.run_id, events, branch.at)
    kept = starting.order_of(parent.run_id, journal.spec(parent.run_id))
    policy = starting.placed(branch.policy) or recall.policy_named(events[:at]) or kept.policy or ""
    order = dataclasses.replace(
        kept,
        policy=policy or None,
        user=branch.user,
        session=branch.session or (kept.session if branch.user == parent.user_id else ""),
        max_usd=kept.max_usd if branch.max_usd is None else branch.max_usd,
        auto_approve=branch.auto_approve or kept.auto_approve,
    )
    planned = plan.make(order, only_lower=branch.max_usd is not None, store=journal)
    numbered.refuse_late(events[:at], parent.run_id, to_model=planned.policy.scrub.to_model)
    return Fork(parent, at, order, planned, policy, _told(parent.run_id, events, at))


def _point(run_id: str, events: Sequence[Stamped], at: int | None) -> int:
    """The seq to fork after.

    Raises:
        Forbidden: the journal has no beginning, or it is no safe point; names the nearest.
    """
    points = forking.safe_points(events)
    if not points or not isinstance(events[0].event, RunStarted):
        raise recall.unbegun(run_id)
    if at is None or at in points:
        return points[-1] if at is None else at
    before, after = forking.around(points, at)
    last = events[-1].seq
    why = f"it ends at {last}" if at > last else "a call is under way there, or the run has its answer"
    near = " and ".join(
        f"{point} {where}" for point, where in ((before, "before it"), (after, "after it")) if point is not None
    )
    raise Forbidden(
        f"{run_id} can't be forked at {at}: {why}. The nearest safe points: {near}",
        hint=f"agentctl fork {run_id} --at {before if before is not None else after}",
    )


def _told(run_id: str, events: Sequence[Stamped], at: int) -> str:
    """One line for the person: from where, and what the parent did after that."""
    step, last = fold(events[:at]).run.step, events[-1].seq
    line = f"forking {run_id} at {at} of {last}, step {step}; what it cost stays its own"
    effects = forking.effects_after(events, at)
    if not effects:
        return line
    return f"{line}. After that it ran {', '.join(effects)}: this is not undone, and the fork does not know of it"


async def begin(journal: Store, fork: Fork, complete: Plan, branch: Branch, listener: Listener) -> str:
    """Write the beginning of the new run; its id. `complete`: the plan with the tools of its servers.

    Raises:
        StoreUnusable: something of the parent can't be read.
    """
    new = starting.new(fork.order, complete, journal.clock())
    copied = copying.prefix(journal, fork.parent.run_id, fork.at, new)
    forked = Forked(fork.parent.run_id, fork.at, branch.user, fork.policy, complete.digest, gone=copied.gone)
    goal = _Goal(forked, (), ())
    if branch.goal:
        known = copied.events if copied.gone else journal.events(fork.parent.run_id, limit=fork.at)
        goal = _goal(journal, complete, known, branch.goal, forked, new.run_id, listener)
    state, more = fold(copied.events), list[Stamped]()
    events: tuple[SecretsNumbered | Forked, ...] = (goal.forked, *goal.after)
    for event in events:
        seq = fork.at + len(more) + 1
        more.append(Stamped(new.run_id, seq, new.session_id, state.run.step, journal.clock(), event))
    await journal.submit(copying.written(journal, new, copied, more, goal.originals), durable=True)
    for stamped in more:
        state = apply(state, stamped)
        listener.event(stamped, state)
    listener.note(fork.note)
    if copied.gone:
        listener.note(GONE.format(count=copied.gone).replace("(1 originals)", "(1 original)"))
    return new.run_id


@dataclass(frozen=True, slots=True)
class _Goal:
    """Another goal, as it is recorded."""

    forked: Forked
    after: tuple[SecretsNumbered, ...]
    """Numbers that it needs: those of before are the parent's."""
    originals: tuple[Sealed, ...]


def _goal(
    journal: Store,
    complete: Plan,
    known: Sequence[Stamped],
    goal: str,
    forked: Forked,
    run_id: str,
    listener: Listener,
) -> _Goal:
    """The goal, masked by everything that the run has learned by then. `known`: the events that tell."""
    mine = known[0].run_id
    start = recall.original_start(journal, mine, known)
    mask = masking.mask(complete.policy.scrub, known_secrets(complete, start.secrets))
    relearning.relearn(mask, journal, known)
    vault = numbered.recalled(journal, mine, known, mask)
    sent = str(numbered.shows(mask, vault, to_model=complete.policy.scrub.to_model).text(goal))
    shown, seal = mask.text(sent), journal.seal
    whole = [seal.seal(run_id, sent.encode(errors="surrogatepass"))] if shown != sent else []
    forked = dataclasses.replace(
        forked,
        goal=shown,
        goal_tokens=complete.counter(listener.note)(sent),
        sealed=whole[0].digest if whole else "",
    )
    values = vault.untold()
    if not values:
        return _Goal(forked, (), tuple(whole))
    numbers = seal.seal(run_id, json.dumps(values).encode())
    return _Goal(forked, (SecretsNumbered(len(values), numbers.digest),), (*whole, numbers))
