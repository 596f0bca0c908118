"""A recorded run decided again: where a policy would first have decided otherwise, and which guard. Law 1.

Each event that is the mark of a decision is held against the decision that the state before it leads to. What no event
tells is not judged: delays with jitter, calls whose arguments are masked or that an answer remembered covers, and what
came from outside (signals, letters, people). Nothing is claimed past the first difference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Literal

from agentctl.core import decisions as do
from agentctl.core import events as e
from agentctl.core.decide import next_action
from agentctl.core.decide_call import before_tool
from agentctl.core.guards import scrub
from agentctl.core.inflight import find
from agentctl.core.messages import Json, is_object
from agentctl.core.setup import Call, Setup
from agentctl.core.state import State, apply
from agentctl.records import dataclass, replace

FILES = "is an instruction, hook, CI or policy file"
"""Arguments are not looked at for files here: what depends on that is passed over."""
OUTSIDE = frozenset({"paused", "cancelled", "parked", "crashed"})
"""Ends that no guard decides alone."""
ROUNDING_S = 1.0
"""A wait that would go on for less than this is over: a decision and its event are not stamped by one look."""


Kind = Literal["ask", "refuse", "stop", "allow", "other"]
"""A person is asked; the call is refused; the run stops or lands; it goes on where it did not; another request."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first event that would have been another."""

    seq: int
    guard: str
    """Who decided otherwise."""
    recorded: str
    now: str
    step: int = 0
    kind: Kind = "other"
    """What would have become of the call or the run."""
    why: str = ""
    """The rule, or the guard's own sentence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What deciding again came to."""

    divergence: Divergence | None
    decisions: int
    """That were made again and are the same."""
    passed_over: int
    """That can't be made again from what was recorded."""


@dataclass(frozen=True, slots=True)
class _Again:
    """One decision beside the recorded one."""

    same: bool
    guard: str
    was: str
    now: str
    kind: Kind = "other"
    why: str = ""
    alike: bool = False
    """Other words, and nothing of the run changes by it."""
    room: int = 0
    """Tokens of the reply to the same request; 0: it would be another."""


def first_divergence(
    setup: Setup,
    events: Sequence[e.Stamped],
    first: int = 1,
    last: int | None = None,
    *,
    effects: bool = False,
    answers: bool = True,
) -> Verdict:
    """Decide a run again from the event `first` to `last`; those before are only folded.

    `effects`: only what changes the run counts. A call that runs all the same does not differ by its tier, nor a
    request by the room for its reply where the reply fits into it; one to another model does. `answers`: what an answer
    has to be is known.
    """
    state, before, same, passed = State(), None, 0, 0
    edited: dict[str, Json] = {}
    for number, at in enumerate(events):
        if last is not None and at.seq > last:
            break
        if isinstance(at.event, e.CallEdited):
            edited[at.event.call_id] = at.event.args
        if at.seq >= first and _is_decision(state, before, at.event):
            following = events[number + 1].event if number + 1 < len(events) else None
            judged = answers or not _of_an_answer(at.event)
            again = _again(setup, state, at, following, edited) if judged else None
            if again is not None and effects:
                again = _by_effect(setup, again, events, number)
            if again is None:
                passed += 1
            elif again.same:
                same += 1
            else:
                found = Divergence(at.seq, again.guard, again.was, again.now, at.step, again.kind, again.why)
                return Verdict(found, same, passed)
        state, before = apply(state, at), at.event
    return Verdict(None, same, passed)


def _is_decision(state: State, before: e.Event | None, event: e.Event) -> bool:
    """Whether an event is the first mark of a decision."""
    match event:
        case e.ModelAsked() | e.ContextTrimmed() | e.ProviderOut() | e.Retried(call_id=""):
            return True
        case e.FellBack():
            return not isinstance(before, e.ProviderOut)
        case e.LoopSeen(kind="stall"):
            return True
        case e.Decided(decision="land" | "say"):
            return not (isinstance(before, e.LoopSeen) and before.kind == "stall")  # it was the mark
        case e.Decided(decision="refuse"):
            return True
        case e.Completed(status=status):
            return status not in OUTSIDE
        case e.ToolStarted(call_id=call_id, attempt=1):
            remembered = isinstance(before, e.Decided) and before.decision == "remembered"
            return find(state.inflight, call_id) is not None and not remembered
        case e.ApprovalRequested(call_id=call_id):
            call = find(state.inflight, call_id)
            return call is not None and not call.attempts and not call.approved  # what has drifted since is not told
        case _:
            return False


def _of_an_answer(event: e.Event) -> bool:
    """Whether it may hang on the task's `[output]` or `[check]`."""
    return isinstance(event, e.Completed) or (isinstance(event, e.Decided) and event.decision == "say")


def _again(
    setup: Setup, state: State, at: e.Stamped, following: e.Event | None, edited: Mapping[str, Json]
) -> _Again | None:
    match at.event:
        case e.ToolStarted() | e.ApprovalRequested():
            return _call(setup, state, at, at.event.call_id, at.event.args)
        case e.Decided(decision="refuse"):  # the answer that follows says which call
            if not isinstance(following, e.ToolFinished):
                return None
            proposed = {each.call_id: each.args for each in state.inflight.last.calls} if state.inflight.last else {}
            call_id = following.call_id
            return _call(setup, state, at, call_id, edited.get(call_id, proposed.get(call_id)))
        case e.LoopSeen() as loop:
            now = next_action(setup, state, at.ts, 0.0)
            guard, said = _said(now)
            same, was = getattr(now, "loop", None) == loop, f"progress: stall of {loop.tool}"
            return _Again(same, guard, was, f"{guard}: {said}", *_kind(now, ended=loop.halt))
        case _:
            return _action(setup, state, at)


def _action(setup: Setup, state: State, at: e.Stamped) -> _Again | None:
    now = next_action(setup, state, at.ts, 0.0)
    if isinstance(now, do.Sleep) and now.seconds < ROUNDING_S:
        now = next_action(setup, state, at.ts + ROUNDING_S, 0.0)
    guard, said = _said(now)
    match at.event:
        case e.ModelAsked() as asked:
            was = f"{asked.provider} is asked ({asked.purpose}, {asked.max_output_tokens:,} tokens back)"
            alike = isinstance(now, do.AskModel) and (now.provider, now.purpose) == (asked.provider, asked.purpose)
            room = now.max_output_tokens if isinstance(now, do.AskModel) and alike else 0
            return _Again(was == said, guard, was, said, *_kind(now), room=room)
        case e.ContextTrimmed(first_kept=first):
            was = f"trim down to event {first}"
        case e.Retried(attempt=attempt):
            was = f"retry #{attempt}"
        case e.ProviderOut(provider=provider):
            was = f"leave {provider}"
        case e.FellBack(from_=provider, to=to):
            if isinstance(now, do.AskModel) and (now.fell_from, now.provider) == (provider, to):
                return _Again(True, guard, said, said)
            was = f"{provider} → {to}"
        case e.Decided(guard=who, decision=decision, reason=reason):
            was = f"{decision}: {reason}"
            same, ended = (who, was) == (guard, said), decision == "land"
            return _Again(same, guard, f"{who}: {was}", f"{guard}: {said}", *_kind(now, ended=ended))
        case e.Completed() as end:
            return _end(end, now, guard, said)
        case _:
            return None
    return _Again(was == said, guard, was, said, *_kind(now))


def _end(end: e.Completed, now: do.Action, guard: str, said: str) -> _Again | None:
    """An end that a call has led to, and a defect, are decided elsewhere; that a run has its answer is decided here."""
    was = f"{end.status}: {end.reason}"
    elsewhere = not isinstance(now, do.Stop) or end.exit_code in {1, 11, 13, 15, 19}
    if was != said and elsewhere and end.status != "completed":
        return None
    return _Again(was == said, guard, was, said, *_kind(now, ended=True))


def _kind(now: do.Action, *, ended: bool = False) -> tuple[Kind, str]:
    """The kind of a decision, and its own sentence. `ended`: the recorded one stopped the run, or would have."""
    match now:
        case do.Stop(message=message) | do.Land(message=message):
            return "stop", message
        case _:
            return "allow" if ended else "other", ""


def _by_effect(setup: Setup, again: _Again, events: Sequence[e.Stamped], number: int) -> _Again:
    """The same, as far as the run is concerned."""
    asked = events[number].event
    if not isinstance(asked, e.ModelAsked):
        return replace(again, same=again.same or again.alike)
    if not again.room:
        return again
    model = setup.provider(asked.provider).model
    if model != asked.model:
        return replace(again, same=False, was=f"{asked.model} is asked", now=f"{model} is asked")
    if again.same:
        return again
    outcomes = (at.event for at in islice(events, number + 1, None))
    came = next((each for each in outcomes if isinstance(each, e.ModelReplied | e.ModelFailed)), None)
    cut = isinstance(came, e.ModelReplied) and (came.usage.output > again.room or came.stop_reason == "max_tokens")
    return replace(again, same=not cut, guard="budget" if cut else again.guard)


def _said(action: do.Action) -> tuple[str, str]:
    """The guard and the words of an action; those that events hold."""
    match action:
        case do.AskModel() as ask:
            return "route", f"{ask.provider} is asked ({ask.purpose}, {ask.max_output_tokens:,} tokens back)"
        case do.Trim(first_kept=first):
            return "context", f"trim down to event {first}"
        case do.Retry(attempt=attempt):
            return "retry", f"retry #{attempt}"
        case do.LeaveProvider(provider=provider):
            return "retry", f"leave {provider}"
        case do.NextProvider(provider=provider, to=to):
            return "circuit", f"{provider} → {to}"
        case do.Land(guard=guard, reason=reason):
            return guard, f"land: {reason}"
        case do.Say(guard=guard, reason=reason):
            return guard, f"say: {reason}"
        case do.Stop(status=status, reason=reason):
            return reason, f"{status}: {reason}"
        case _:
            return "loop", type(action).__name__


def _call(setup: Setup, state: State, at: e.Stamped, call_id: str, args: Json) -> _Again | None:
    """A tool call: whether it ran, was asked about, or was refused, and by whom."""
    event, call = at.event, find(state.inflight, call_id)
    if call is None or _hidden(setup, event, args) or call.tool not in setup.contracts:
        return None
    given, contract = args if is_object(args) else None, setup.contracts[call.tool]
    command = contract.command(given) if contract.command is not None and given is not None else None
    copied = event.copied if isinstance(event, e.ToolStarted | e.ApprovalRequested) else ()
    garbled = "" if given is not None else str(args)
    exact = Call(call, given, garbled, call.digest, call.bound, copied, command=command)
    return _compared(event, before_tool(setup, state, exact, at.ts))


def _hidden(setup: Setup, event: e.Event, args: Json) -> bool:
    """Whether the decision hung on what the journal does not show."""
    text = json.dumps(args)
    masked = any(mask in text for mask in (setup.policy.scrub.replacement, "[REDACTED", scrub.FAILED))
    files = isinstance(event, e.ApprovalRequested) and FILES in event.rule
    return masked or files or (isinstance(event, e.Decided) and event.guard in {"trust", "circuit", "scrub"})


def _compared(event: e.Event, now: do.CallDecision) -> _Again | None:
    kind: Kind = "stop"
    match now:
        case do.RunCall(tier=tier):
            guard, said, kind, why = "risk", f"runs as {tier.word}", "allow", ""
        case do.AskPerson(tier=tier, rule=why):
            guard, said, kind = "risk", f"asks a person as {tier.word}", "ask"
        case do.RefuseCall(guard=who):
            guard, said, kind, why = who, f"refused by {who}", "refuse", now.envelope.message
        case do.Stop(reason=reason, message=why):
            guard, said = reason, f"stops: {reason}"
        case _:
            return None
    other = ""
    match event:
        case e.ToolStarted(tier=word, tool=tool):
            was, then = f"runs as {word}", "allow"
            if isinstance(now, do.RunCall) and now.instead not in {"", tool}:
                other = f" by {now.instead}"
                kind = "other"
        case e.ApprovalRequested(tier=word):
            was, then = f"asks a person as {word}", "ask"
        case e.Decided(guard=who):
            was, then = f"refused by {who}", ""
        case _:
            return None
    said += other
    return _Again(was == said, guard, was, said, kind, why, alike=kind == then)
