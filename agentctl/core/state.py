"""Where a run stands: the product of what each guard remembers, folded from the journal and from nothing else.

Law: the live state after every event equals the state folded from the journal on disk. No guard's `apply` sees
another's state, a clock, or anything but the event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from agentctl.core import inflight, transcript
from agentctl.core.events import (
    Checked,
    Completed,
    Decided,
    Degraded,
    Event,
    Forked,
    HandedOff,
    ModelReplied,
    Resumed,
    RunStarted,
    Stamped,
    Status,
    ToolFinished,
)
from agentctl.core.guards import (
    approval,
    budget,
    cache,
    circuit,
    context,
    handoff,
    loops,
    pace,
    progress,
    results,
    route,
    scrub,
    tokens,
    trust,
)
from agentctl.records import dataclass, replace

MOST_DEGRADED = 16


@dataclass(frozen=True, slots=True)
class Run:
    """What the run is, how far it came, and how its last drive ended."""

    task: str = ""
    status: Status = "queued"
    reason: str = ""
    step: int = 0
    started: float = 0.0
    fixed_tokens: int = 0
    landing: Decided | None = None
    """A limit was reached: the next model call is the last one."""
    landed: Decided | None = None
    """The landing that the model was last told of, until it is told to go on."""
    landing_done: bool = False
    """That landing has its answer."""
    nudged: bool = False
    """The model was told that its last reply said nothing."""
    answer: str = ""
    """Text of the replies since the last tool call; several where a reply was cut."""
    continued: bool = False
    """The last reply was cut, so the next one adds to `answer`."""
    degraded: tuple[Degraded, ...] = ()
    """Bound: MOST_DEGRADED, each notice once."""
    rehearsed: bool = False
    output_tries: int = 0
    """Answers of the wrong shape so far."""
    check_tries: int = 0
    """Failed checks so far."""
    checked: bool | None = None
    """What `[check]` said of things as they stand; None: it was not run since something changed."""
    check_output: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """See the module."""

    seq: int = 0
    """Of the last event."""
    run: Run = Run()
    inflight: inflight.State = inflight.State()
    transcript: transcript.State = transcript.State()
    budget: budget.State = budget.State()
    tokens: tokens.State = tokens.State()
    pace: pace.State = field(default_factory=lambda: pace.EMPTY)
    circuit: circuit.State = field(default_factory=lambda: circuit.EMPTY)
    route: route.State = field(default_factory=lambda: route.EMPTY)
    context: context.State = context.State()
    loops: loops.State = loops.State()
    progress: progress.State = field(default_factory=lambda: progress.EMPTY)
    results: results.State = field(default_factory=lambda: results.EMPTY)
    approval: approval.State = approval.State()
    cache: cache.State = field(default_factory=lambda: cache.EMPTY)
    handoff: handoff.State = handoff.State()
    trust: trust.State = trust.State()
    scrub: scrub.State = scrub.State()

    @property
    def prompt_tokens(self) -> int:
        """The estimated size of the next request."""
        return context.estimate(self.context)


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    return State(
        seq=stamped.seq,
        run=_apply_run(state.run, stamped),
        inflight=inflight.apply(state.inflight, stamped),
        transcript=transcript.apply(state.transcript, stamped),
        budget=budget.apply(state.budget, stamped),
        tokens=tokens.apply(state.tokens, stamped),
        pace=pace.apply(state.pace, stamped),
        circuit=circuit.apply(state.circuit, stamped),
        route=route.apply(state.route, stamped),
        context=context.apply(state.context, stamped),
        loops=loops.apply(state.loops, stamped),
        progress=progress.apply(state.progress, stamped),
        results=results.apply(state.results, stamped),
        approval=approval.apply(state.approval, stamped),
        cache=cache.apply(state.cache, stamped),
        handoff=handoff.apply(state.handoff, stamped),
        trust=trust.apply(state.trust, stamped),
        scrub=scrub.apply(state.scrub, stamped),
    )


def fold(events: Iterable[Stamped], state: State | None = None) -> State:
    """The state after these events."""
    folded = State() if state is None else state
    for stamped in events:
        folded = apply(folded, stamped)
    return folded


def _apply_run(run: Run, stamped: Stamped) -> Run:
    match stamped.event:
        case RunStarted() as started:
            return replace(
                run,
                task=started.task,
                status="running",
                started=stamped.ts,
                fixed_tokens=started.fixed_tokens,
                rehearsed=started.rehearsed,
            )
        case ModelReplied(purpose="answer" | "landing") as reply:
            return _reply(run, reply)
        case Checked(passed=passed, output=output):
            tries = run.check_tries + (not passed)
            return replace(run, checked=passed, check_tries=tries, check_output=output)
        case ToolFinished(effect=True):
            return replace(run, checked=None)
        case Decided(decision="land") as landing:
            return replace(run, landing=landing, landed=landing, landing_done=False)
        case Decided(decision="say", reason=reason):
            landed = None if reason == "resumed" else run.landed
            shape = run.output_tries + (reason == "output")
            checked = None if reason == "check" else run.checked
            return replace(
                run,
                nudged=reason == "empty",
                continued=reason == "cut",
                landed=landed,
                output_tries=shape,
                checked=checked,
            )
        case Degraded() as degraded if degraded not in run.degraded:
            return replace(run, degraded=(*run.degraded, degraded)[-MOST_DEGRADED:])
        case Resumed(fixed_tokens=fixed):
            fixed = fixed or run.fixed_tokens
            return replace(run, status="running", reason="", landing=None, nudged=False, fixed_tokens=fixed)
        case Forked():
            return replace(
                run, status="queued", reason="", started=stamped.ts, landing=None, degraded=(), output_tries=0,
                check_tries=0, checked=None,
            )  # fmt: skip
        case _:
            return _end(run, stamped.event)


def _end(run: Run, event: Event) -> Run:
    match event:
        case HandedOff() as handed:
            return replace(run, answer=handoff.sentence(handed), continued=False)
        case Completed(status=status, reason=reason):
            return replace(run, status=status, reason=reason)
        case _:
            return run


def _reply(run: Run, reply: ModelReplied) -> Run:
    step = run.step + (reply.purpose == "answer")
    answer = run.answer + reply.text if run.continued and not reply.withheld else reply.text
    nudged = run.nudged and not reply.text
    done = run.landing_done or reply.purpose == "landing"
    return replace(run, step=step, answer=answer, continued=False, nudged=nudged, landing_done=done)
