"""What has been started and not yet been settled: the model call, its failure, the tool calls of the last reply.

Rules. A model call is `asked` from its intent to its outcome. A failure is `failed` until a retry, another provider
or a stop has been chosen. A tool call goes proposed → (waiting → approved | denied) → started → done; a retry takes
it from started back to approved, a person's edit from waiting back to proposed. From its intent on a call is `unknown`,
until its outcome, or until somebody has said that it did not happen; one that is unknown when a process died is in
doubt, and only the tool's recovery settles it.

Bound: the calls of one reply, at most `MOST_CALLS`; the recorder refuses the rest.
"""

from __future__ import annotations

from typing import Literal

from agentctl.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    CallSettled,
    ContextTrimmed,
    Decided,
    FellBack,
    Forked,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Resumed,
    Retried,
    Stamped,
    StepsPlanned,
    ToolFinished,
    ToolStarted,
)
from agentctl.core.receipts import Bound
from agentctl.records import dataclass, replace

MOST_CALLS = 64
CallPhase = Literal["proposed", "waiting", "approved", "denied", "stopped", "started", "retrying", "done"]


@dataclass(frozen=True, slots=True)
class CallState:
    """One tool call of the last reply."""

    call_id: str
    tool: str
    key: str
    """The same for calls that mean the same."""
    exact: str = ""
    """With `key`: the same for identical calls."""
    phase: CallPhase = "proposed"
    attempts: int = 0
    """Attempts that were started."""
    retry_at: float = 0.0
    delay_s: float = 0.0
    """What it waits until then in all: the longest that anybody waits for it, however a clock is set back."""
    digest: str = ""
    """What the person's answer is bound to."""
    asked_seq: int = 0
    """Which request an answer from elsewhere has to name."""
    asked_at: float = 0.0
    """When it was asked, in seconds since the epoch."""
    approved: bool = False
    """A person said yes to `digest`."""
    approved_at: float = 0.0
    """When, in seconds since the epoch."""
    bound: Bound = ()
    """What `digest` is of, part by part."""
    edited_by: str = ""
    """Who changed its arguments; empty: nobody."""
    why: str = ""
    """The person's reason."""
    tier: str = ""
    unknown: bool = False
    """Its last attempt was started, and nobody has seen what came of it."""
    started_at: float = 0.0
    """When that was, in seconds since the epoch."""
    timeout_s: float = 0.0
    by: str = ""
    """The tool that was started: another one may stand in for `tool`."""
    remote: bool = False
    """It works on, whatever became of who started it, until its time is over."""
    quiet: tuple[float, float] = (0.0, 0.0)
    """From a takeover until nothing that an earlier driver started can still be at work, in seconds since the epoch."""
    verify_said: str = ""
    """Why the tool's `verify` could not tell, in this drive."""

    @property
    def in_doubt(self) -> bool:
        """It may have happened, and nobody has said yet what is to become of it."""
        return self.unknown and self.phase in {"started", "waiting"}


@dataclass(frozen=True, slots=True)
class State:
    """See the module."""

    asked: ModelAsked | None = None
    failed: ModelFailed | None = None
    retry_at: float = 0.0
    """When the failed model call may be made again; 0: undecided."""
    last: ModelReplied | None = None
    """The reply that nothing has been said or sent after yet."""
    calls: tuple[CallState, ...] = ()
    passed: tuple[str, ...] = ()
    """Providers that had their attempts at this model call. Bound: the policy's providers."""

    @property
    def open_calls(self) -> tuple[CallState, ...]:
        """The calls without an answer, in call order."""
        return tuple(call for call in self.calls if call.phase != "done")


def find(state: State, call_id: str) -> CallState | None:
    """The call of that id, if it belongs to the last reply."""
    return next((call for call in state.calls if call.call_id == call_id), None)


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case ModelAsked(purpose="summary") | ModelReplied(purpose="summary") | ModelFailed(purpose="summary") as event:
            return replace(state, asked=event if isinstance(event, ModelAsked) else None)
        case ModelAsked() as asked:
            return replace(state, asked=asked, failed=None, retry_at=0.0, last=None)
        case ModelReplied() as reply:
            calls = tuple(CallState(c.call_id, c.tool, c.key, c.exact) for c in reply.calls)
            return State(last=reply, calls=calls)
        case StepsPlanned(calls=calls):
            return State(calls=tuple(CallState(c.call_id, c.tool, c.key, c.exact) for c in calls))
        case ModelFailed() as failed:
            return replace(state, asked=None, failed=failed)
        case Retried(call_id="", delay_s=delay):
            return replace(state, retry_at=stamped.ts + delay)
        case FellBack(from_=provider):
            passed = state.passed if provider in state.passed else (*state.passed, provider)
            return replace(state, failed=None, passed=passed)
        case Resumed(quiet_at=quiet_at):
            calls = tuple(_taken_over(call, stamped.ts, quiet_at) for call in state.calls)
            return replace(state, asked=None, failed=None, retry_at=0.0, passed=(), calls=calls)
        case Forked():
            calls = tuple(_undecided(call) if call.phase != "done" else call for call in state.calls)
            return replace(state, asked=None, failed=None, retry_at=0.0, passed=(), calls=calls)
        case _:
            return _apply_to_turn(state, stamped)


def _apply_to_turn(state: State, stamped: Stamped) -> State:
    match stamped.event:
        case Decided(decision="say"):
            return replace(state, last=None)
        case ContextTrimmed():
            return replace(state, failed=None)
        case _:
            return _apply_to_call(state, stamped)


def _taken_over(call: CallState, now: float, quiet_at: float) -> CallState:
    """What another driver finds: a call that somebody stopped the run over is open again, one in doubt still is."""
    if call.phase == "stopped":
        call = replace(call, phase="started" if call.unknown else "proposed")
    if not call.unknown:
        return call
    last = max(quiet_at, call.started_at if call.remote else 0.0)
    quiet = (now, last + call.timeout_s) if last else call.quiet
    return replace(call, quiet=quiet, verify_said="")


def _undecided(call: CallState) -> CallState:
    """What somebody said of it in another run does not count in this one; how they changed it does."""
    return CallState(call.call_id, call.tool, call.key, call.exact, edited_by=call.edited_by)


def _apply_to_call(state: State, stamped: Stamped) -> State:
    match stamped.event:
        case ApprovalRequested(call_id=call_id, digest=digest, tier=tier, bound=bound):
            asked, at = stamped.seq, stamped.ts
            return _change(
                state, call_id, phase="waiting", digest=digest, bound=bound, tier=tier, asked_seq=asked, asked_at=at,
                approved=False,
            )  # fmt: skip
        case ApprovalDecided(call_id=call_id, decision=decision, why=why, at=at):
            phase = {"approve": "approved", "deny": "denied", "stop": "stopped"}[decision]
            said_at = at or stamped.ts
            return _change(state, call_id, phase=phase, why=why, approved=decision == "approve", approved_at=said_at)
        case CallEdited(call_id=call_id, key=key, exact=exact, by=by):
            return _change(
                state, call_id, phase="proposed", key=key, exact=exact, edited_by=by, approved=False, digest="",
                bound=(),
            )  # fmt: skip
        case ToolStarted(call_id=call_id, tool=by, attempt=attempt, tier=tier, timeout_s=timeout_s) as started:
            return _change(
                state, call_id, phase="started", attempts=attempt, tier=tier, unknown=True, started_at=stamped.ts,
                timeout_s=timeout_s, by=by, remote=started.remote, quiet=(0.0, 0.0), verify_said="",
            )  # fmt: skip
        case Retried(call_id=call_id, delay_s=delay):
            return _change(state, call_id, phase="retrying", retry_at=stamped.ts + delay, delay_s=delay, unknown=False)
        case CallSettled(call_id=call_id, happened=False):
            return _change(state, call_id, phase="proposed", unknown=False)
        case CallSettled(call_id=call_id, happened=None, why=why):
            return _change(state, call_id, verify_said=why)
        case ToolFinished(call_id=call_id, final=final):
            return _change(state, call_id, phase="done", unknown=False) if final else state
        case _:
            return state


def _change(state: State, call_id: str, **changes: object) -> State:
    calls = tuple(
        replace(call, **changes) if call.call_id == call_id else call  # type: ignore[arg-type]  # fields of CallState
        for call in state.calls
    )
    return replace(state, calls=calls)
