"""A run read back from its journal.

Its originals are unsealed, so that the next request is the one that would have been sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field

from agentctl.core import envelope, forking
from agentctl.core.envelope import Envelope
from agentctl.core.events import (
    CallEdited,
    ContextTrimmed,
    Decided,
    FellBack,
    Forked,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    ProviderOut,
    Resumed,
    RunStarted,
    Stamped,
    StepsPlanned,
    ToolFinished,
)
from agentctl.core.messages import Block, Message, Text, ToolAnswer, ToolUse, is_object
from agentctl.core.state import State
from agentctl.core.transcript import GOAL_SEQ
from agentctl.core.wrapping import unwrapped
from agentctl.errors import Forbidden, StoreUnusable
from agentctl.journal import ledger
from agentctl.journal.runs import RunRow
from agentctl.journal.store import Store
from agentctl.records import dataclass
from agentctl.runner import conversing, numbered, originals, recaps, words
from agentctl.runner.explanation import fixed_tokens
from agentctl.runner.plan import Plan
from agentctl.runner.recorder import Recorder
from agentctl.runner.world import World


@dataclass(frozen=True, slots=True)
class Start:
    """What a run began with, unscrubbed."""

    goal: str
    system: str
    secrets: tuple[str, ...] = field(repr=False)
    foreign: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """The variables whose words are somebody else's, with their values."""


def original_start(journal: Store, run_id: str, events: Sequence[Stamped]) -> Start:
    """Goal, system prompt and secret variables of a run.

    Raises:
        Forbidden: the journal does not begin with a start.
        StoreUnusable: its original is gone.
    """
    if not events or not isinstance(events[0].event, RunStarted):
        raise unbegun(run_id)
    started, goal = events[0].event, other_goal(journal, events)
    if not started.sealed:
        named = (name.removeprefix(words.VARIABLE) for name in started.untrusted)
        foreign = {name: str(started.variables[name]) for name in named if name in started.variables}
        return Start(goal or started.goal, started.system, (), foreign)
    kept = json.loads(journal.original(run_id, started.sealed))
    return Start(goal or kept["goal"], kept["system"], tuple(kept["secrets"]), kept.get("foreign", {}))


def unbegun(run_id: str) -> Forbidden:
    """What to tell whoever wants more of a run than it has recorded."""
    return Forbidden(
        f"the journal of {run_id} has no beginning: it crashed before it did anything, or was repaired",
        hint="Run its task anew.",
    )


def other_goal(journal: Store, events: Sequence[Stamped]) -> str:
    """The goal that the last fork with one has given the run, unscrubbed; empty: it is the one that it began with."""
    for stamped in reversed(events):
        match stamped.event:
            case Forked(goal=goal, sealed=digest) if goal:
                return journal.original(stamped.run_id, digest).decode() if digest else goal
            case _:
                pass
    return ""


def conversation(world: World, journal: Store, events: Sequence[Stamped]) -> None:
    """Give the conversation the originals of everything that the transcript still holds, and the open calls theirs."""
    transcript = world.state.transcript
    wanted = {seq for entry in transcript.entries for seq in entry.parts}
    wanted.update(seq for _, seq, _ in transcript.answers)
    wanted.add(world.state.context.summary)
    replies = [stamped for stamped in events if recaps.is_message(stamped.event)]
    wire_ids = {call.call_id: call.wire_id for stamped in replies for call in _calls(stamped)}
    unmarked = forking.masked_until(events)
    for stamped in events:
        if stamped.seq in wanted:
            _hold(world, journal, stamped, wire_ids, unmarked)
    if goal := other_goal(journal, events):
        world.conversation.hold(GOAL_SEQ, Text(goal))
    world.conversation.wire_ids.update(wire_ids.values())
    if replies and world.state.inflight.calls:
        last = _message(world, journal, replies[-1])
        answers, labels = world.answers, world.labels
        numbered.called(world, [block for block in last.blocks if isinstance(block, ToolUse)])
        world.answers, world.labels = answers, labels
        _edits(world, journal, events)


def _edits(world: World, journal: Store, events: Sequence[Stamped]) -> None:
    """Open calls have the arguments that a person gave them."""
    for stamped in events:
        edit = stamped.event
        use = world.said.get(edit.call_id) if isinstance(edit, CallEdited) else None
        if isinstance(edit, CallEdited) and use is not None:
            kept = json.loads(journal.original(stamped.run_id, edit.sealed)) if edit.sealed else edit.args
            world.proposed.setdefault(edit.call_id, use.args or {})
            numbered.edited(world, edit.call_id, kept if is_object(kept) else None)


def _calls(stamped: Stamped) -> tuple[ToolUse, ...]:
    event = stamped.event
    if not isinstance(event, ModelReplied | StepsPlanned):
        return ()
    return tuple(
        ToolUse(call.call_id, call.wire_id, call.tool, call.args if is_object(call.args) else None)
        for call in event.calls
    )


def _hold(world: World, journal: Store, stamped: Stamped, wire_ids: dict[str, str], unmarked: int) -> None:
    """Up to the seq `unmarked` somebody else's words stand without the marks that were sealed with them."""
    run_id, anew = stamped.run_id, stamped.seq <= unmarked
    match stamped.event:
        case RunStarted() as started:
            start = original_start(journal, run_id, [stamped])
            conversing.hold(world.conversation, started)
            world.conversation.hold(stamped.seq, Text(start.goal))
        case ContextTrimmed() as trimmed:
            shown = recaps.marked(world, trimmed.summary, stamped.seq) if anew else trimmed.summary
            text = journal.original(run_id, trimmed.sealed).decode() if trimmed.sealed else shown
            world.conversation.hold(stamped.seq, Text(text))
        case ModelReplied(purpose="summary") as reply:
            text = journal.original(run_id, reply.sealed).decode() if reply.sealed else reply.text
            world.conversation.hold(stamped.seq, Text(text))
        case ModelReplied() | StepsPlanned():
            world.conversation.hold(stamped.seq, _message(world, journal, stamped))
        case ToolFinished() as done:
            shown = words.marked(world, done, _as_sent(done)) if anew else _as_sent(done)
            text = journal.original(run_id, done.sealed).decode() if done.sealed else shown
            answer = ToolAnswer(done.call_id, wire_ids[done.call_id], text, is_error=done.status == "error")
            world.conversation.hold(stamped.seq, answer)
            if any(seq == stamped.seq for _, seq, _ in world.state.transcript.answers):
                world.answers[done.call_id] = _envelope(done, unwrapped(text))
                world.labels[done.call_id] = done.labels
        case Decided(text=text):
            world.conversation.hold(stamped.seq, Text(text))
        case _:
            pass


def _as_sent(done: ToolFinished) -> str:
    return json.dumps(done.result, ensure_ascii=False, separators=(",", ":"))


def _envelope(done: ToolFinished, text: str) -> Envelope:
    """The answer that a later call of the same reply may share; one that was cut is no JSON any more."""
    try:
        said = json.loads(text)
    except ValueError:
        said = {**done.result, "data": text}
    return envelope.of_json(said)


def _message(world: World, journal: Store, stamped: Stamped) -> Message:
    reply = stamped.event
    if not isinstance(reply, ModelReplied | StepsPlanned):
        raise TypeError("only replies are messages")
    maker, text = (reply.identity, reply.text) if isinstance(reply, ModelReplied) else ("", "")
    if reply.sealed:
        return originals.to_message(journal.original(stamped.run_id, reply.sealed).decode(), maker)
    uses = tuple(_wired(world, use) for use in _calls(stamped))
    said: tuple[Block, ...] = (Text(text),) if text else ()
    return Message("assistant", (*said, *uses), maker)


def _wired(world: World, use: ToolUse) -> ToolUse:
    """The journal shows a tool's own name; the model knows it by its wire name."""
    contract = world.setup.contracts.get(use.name)
    name = use.name if contract is None else contract.wire
    return ToolUse(use.call_id, use.wire_id, name, use.args)


def met(events: Sequence[Stamped]) -> set[str]:
    """The providers that a run had to do with."""
    found: set[str] = set()
    for stamped in events:
        match stamped.event:
            case ModelAsked(provider=provider) | ProviderOut(provider=provider):
                found.add(provider)
            case FellBack(from_=one, to=other):
                found |= {one, other}
            case _:
                pass
    return found


def policy_digest(events: Sequence[Stamped]) -> str:
    """The policy that the run was under last."""
    for stamped in reversed(events):
        if isinstance(stamped.event, Forked | Resumed | RunStarted):
            return stamped.event.policy_digest
    return ""


def policy_named(events: Sequence[Stamped]) -> str:
    """The policy that the last resume named since the run is a run of its own; empty: none did."""
    for stamped in reversed(events):
        match stamped.event:
            case Forked(policy=policy):
                return policy
            case Resumed(policy=policy) if policy:
                return policy
            case _:
                pass
    return ""


def prefix(world: World, plan: Plan, system: str) -> str:
    """Keyed digest of what every request begins with: thinking and caches are bound to it."""
    tools = [[schema.name, schema.description, schema.parameters] for schema in plan.schemas]
    return world.call_key(json.dumps([system, tools], sort_keys=True).encode())


def new_prefix(world: World, plan: Plan, events: Sequence[Stamped], system: str) -> int:
    """The estimate of system prompt and tools where they are others than in the last drive; 0: they are the same."""
    begun = [stamped.event for stamped in events if isinstance(stamped.event, RunStarted | Resumed)]
    same = bool(begun) and begun[-1].prefix == prefix(world, plan, system)
    return 0 if same else fixed_tokens(world.count, system, plan.schemas)


def orphans(recorder: Recorder, journal: Store) -> None:
    """A model call whose outcome nobody saw may have been billed: its hold is settled in full with its outcome.

    Also where a reaper has charged it already: the outcome is still to be told, and charges nothing more.
    """
    run_id, asked = recorder.identity.run_id, recorder.state.inflight.asked
    for hold, amount in journal.read(lambda tx: ledger.open_holds(tx, run_id)):
        if asked is None:
            raise StoreUnusable(f"the hold {hold} of {run_id} belongs to no model call in its journal")
        lost = ModelFailed(
            asked.provider, asked.identity, "unknown_outcome", None, None, "its driver died before the reply",
            asked.attempt, asked.purpose, amount, 0, asked.estimated_tokens + asked.max_output_tokens,
        )  # fmt: skip
        recorder.settle(hold, lost)


def told(row: RunRow, state: State, *, changed: bool, policy: str) -> str:
    """One line for the person: what is resumed, and from where."""
    was = "crashed" if row.status == "running" else row.status
    spent = state.budget.spent_micro / 1e6
    line = f"resuming {row.run_id} ({was}) at step {state.run.step}, ${spent:.4f} spent so far"
    unsure = [call.tool for call in state.inflight.calls if call.in_doubt]
    line += f"; started and not seen to finish: {', '.join(unsure)}" if unsure else ""
    return f"{line}; policy {policy} has changed since" if changed else line
