"""What must hold of every simulation, whatever befell it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

from agentctl.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    Completed,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Resumed,
    Stamped,
    StepsPlanned,
    ToolFinished,
    ToolStarted,
)
from agentctl.core.guards import risk
from agentctl.core.inflight import MOST_CALLS
from agentctl.core.messages import Json, Reply
from agentctl.core.prices import micro
from agentctl.core.state import State, fold
from agentctl.errors import AgentctlError, LeaseLost
from tests.play import PRICE
from tests.simulation.runs import Run
from tests.simulation.simulation import Simulation

ENDINGS = {
    ("completed", "done"): {0},
    **{("stopped", reason): {10} for reason in (
        "run_usd", "session_usd", "user_daily_usd", "tenant_daily_usd", "hourly_usd", "pace", "max_steps",
        "max_tool_calls", "max_wall_s", "max_tool_errors", "tokens", "context",
    )},
    ("stopped", "loop"): {11},
    ("stopped", "no_progress"): {11},
    ("parked", "approval"): {12},
    ("parked", "unknown_outcome"): {12},
    ("stopped", "denied"): {13},
    ("failed", "providers"): {14},
    **{("failed", reason): {15} for reason in ("output", "check", "invalid_args", "system_prompt")},
    ("failed", "refusal"): {18},
    ("stopped", "handoff"): {19},
    ("paused", "SIGINT"): {130},
    ("paused", "SIGTERM"): {143},
    ("paused", "pause"): {143},
    ("cancelled", "cancel"): {20},
}  # fmt: skip
"""Section 4 of the contract."""
MOST_EVENTS = 3_000
"""Of one drive."""


class Audit:
    """The invariants of one simulation."""

    def __init__(self) -> None:
        self.simulation: Simulation

    # --- at every moment ---

    def __call__(self, run: Run, stamped: Stamped, state: State) -> None:
        """After each event that a driver was told."""
        if isinstance(stamped.event, ModelAsked):
            self._within_limits(run, stamped.event, state)
            self._within_caps()

    def _within_limits(self, run: Run, asked: ModelAsked, state: State) -> None:
        """B53, C33: what a request could cost and use at the worst has room, whatever came before."""
        policy = run.case.policy
        if policy.tokens.enabled:
            total = policy.tokens.total + state.tokens.raised
            room = total - state.tokens.used
            assert asked.max_output_tokens <= room, f"{asked.max_output_tokens} output tokens asked for, {room} left"
        if policy.context.enabled:
            most = policy.context.hard_limit_tokens
            assert asked.estimated_tokens <= most, f"a request of {asked.estimated_tokens} tokens, over {most}"

    def _within_caps(self) -> None:
        """Spent and held together never pass a cap, but by what calls came dearer than their reservations."""
        simulation = self.simulation
        rows = simulation.store.read(
            lambda tx: tx.execute("SELECT scope, window_start, spent, held FROM budgets").fetchall()
        )
        dearer: Counter[tuple[str, int]] = Counter()
        for amount, actual, scopes in simulation.store.read(
            lambda tx: tx.execute("SELECT amount, actual, scopes FROM holds WHERE actual > amount").fetchall()
        ):
            for key, start in json.loads(scopes):
                dearer[key, start] += actual - amount
        caps = self._caps()
        for scope, start, spent, held in rows:
            cap = caps.get(scope, caps.get(scope.partition(":")[0]))
            if cap is None:
                continue  # counted, not limited
            assert spent + held <= cap + dearer[scope, start], f"{scope} {start}: {spent} + {held} of {cap}"

    def _caps(self) -> dict[str, int]:
        """In micro-dollars: by scope for a run's own, by key for shared ones."""
        caps = {key: micro(usd) for key, usd in self.simulation.case.caps.items()}
        for run in self.simulation.runs:
            if run.run_id:
                raised = sum(told.event.add_micro for told in self._raises(run))
                caps[f"run_usd:{run.run_id}"] = micro(run.case.policy.budget.run_usd) + raised
        return caps

    def _raises(self, run: Run) -> list[Any]:
        return [stamped for _, stamped, _ in run.told if isinstance(stamped.event, Resumed)]

    # --- in the end ---

    def at_the_end(self) -> None:
        """Once all runs are over and what the dead held is settled."""
        simulation = self.simulation
        assert [] == simulation.broken, f"the event loop complains: {simulation.broken[:3]}"
        if simulation.case.window is None:  # else some prompts are too long, and nobody knew
            assert [] == simulation.refusals, simulation.refusals[:1]
        self._books_balance()
        for run in simulation.runs:
            self._ends_well(run)
            if run.run_id:
                Verdict(simulation, run).all()

    def _ends_well(self, run: Run) -> None:
        """Every drive ends in a way that the contract names, in bounded time."""
        for life in run.lives:
            if life.result is not None:
                ending = life.result.status, life.result.reason
                assert life.result.exit_code in ENDINGS.get(ending, set()), f"{ending} with {life.result.exit_code}"
            elif isinstance(life.error, AgentctlError):
                known = life.error.exit_code == 20 or "has no beginning" in life.error.message
                assert known, told_of(life.error)
            assert life.took <= longest(run), f"{life.process} took {life.took:.0f} s"
        for (before, since), (process, until) in pairwise(run.moments):
            if before is process and not (process and process.froze):
                silence = longest_silence(run, self.simulation.case.latency)
                assert until - since <= silence, f"{process} did nothing for {until - since:.0f} s"

    def _books_balance(self) -> None:
        """Every scope says what its holds say, and nothing is held by nobody."""
        read = self.simulation.store.read
        held: Counter[tuple[str, int]] = Counter()
        spent: Counter[tuple[str, int]] = Counter()
        for hold, amount, actual, state, scopes in read(
            lambda tx: tx.execute("SELECT hold_id, amount, actual, state, scopes FROM holds").fetchall()
        ):
            assert state != "open", f"{hold} is still held"
            for key, start in json.loads(scopes):
                held[key, start] += amount if state == "open" else 0
                spent[key, start] += actual
        for scope, start, said_spent, said_held in read(
            lambda tx: tx.execute("SELECT scope, window_start, spent, held FROM budgets").fetchall()
        ):
            assert (spent[scope, start], held[scope, start]) == (said_spent, said_held), scope


def told_of(error: AgentctlError) -> str:
    """All that is known of it; of a defect, where it happened."""
    return f"{error!r} {getattr(error, 'report', '')}"


def longest(run: Run) -> float:
    """Virtual seconds that a drive may take: its own limit, and what was begun before it was reached."""
    policy = run.case.policy
    people = (policy.approval.timeout_s + 12.0) * 60
    return policy.budget.max_wall_s + people + 10 * longest_silence(run, 4.0)


def longest_silence(run: Run, latency: float) -> float:
    """Virtual seconds in which a driver may have nothing to tell: one wait, or one call, at the longest."""
    policy = run.case.policy
    calls = max(provider.deadline_s for provider in policy.providers)
    return 10.0 + 4 * latency + max(policy.retry.max_delay_s, policy.pace.max_wait_s, calls, policy.approval.timeout_s)


class Verdict:
    """One run, judged by its journal and by what happened outside."""

    def __init__(self, simulation: Simulation, run: Run) -> None:
        self.simulation, self.run = simulation, run
        self.events = simulation.store.events(run.run_id)
        self.died = any(process.dead for process in simulation.processes if process.run is run)

    def of(self, *kinds: type) -> list[Any]:
        return [stamped.event for stamped in self.events if isinstance(stamped.event, kinds)]

    def replies(self) -> list[Reply]:
        """What came to drivers that lived, and that nobody had taken the run from."""
        gone = lost(self.run)
        return [
            outcome
            for process, outcome in self.run.outcomes
            if isinstance(outcome, Reply) and not (process is not None and (process.dead or process in gone))
        ]

    def all(self) -> None:
        """Everything."""
        self.the_journal_is_whole()
        self.live_is_folded()
        self.decisions_are_made_again()
        self.money_is_told()
        self.paid_answers_are_kept()
        self.limits_are_kept()
        self.every_call_is_answered_once()
        self.nothing_forbidden_ran()
        self.nothing_happened_twice()

    def the_journal_is_whole(self) -> None:
        """Seqs without gaps, a beginning, and an end unless its driver died."""
        assert [stamped.seq for stamped in self.events] == list(range(1, len(self.events) + 1))
        last = self.run.lives[-1]
        if last.result is not None:
            assert isinstance(self.events[-1].event, Completed)
            row = self.simulation.store.run(self.run.run_id)
            assert (row.status, row.reason) == (last.result.status, last.result.reason)
            assert not row.owner or self.run.zombies
        assert len(self.events) <= MOST_EVENTS * len(self.run.lives)

    def live_is_folded(self) -> None:
        """Laws 2 and 3: some driver was told each event, and knew what the journal says."""
        told: dict[int, list[tuple[Stamped, State]]] = defaultdict(list)
        for _, stamped, state in self.run.told:
            told[stamped.seq].append((stamped, state))
        state = State()
        for stamped in self.events:
            state = fold([stamped], state)
            live = [known for said, known in told[stamped.seq] if said == stamped]
            assert live or self.died, f"nobody was told of {stamped}"
            if live and (stamped.seq <= 40 or stamped.seq % 20 == 0 or stamped.seq > len(self.events) - 3):
                assert state in live, f"another state after {stamped}"

    def decisions_are_made_again(self) -> None:
        """Law 1, over the journal on disk."""
        written = {stamped.seq: stamped for stamped in self.events}
        known = {stamped.seq: process for process, stamped, _ in self.run.told if written.get(stamped.seq) == stamped}
        state, at = State(), 0
        for decision in self.run.decisions:
            if decision.seq < at or decision.seq > len(self.events):
                continue
            if decision.seq and known.get(decision.seq) is not decision.process:
                continue  # of a driver whose events were never written
            state, at = fold(self.events[at : decision.seq], state), decision.seq
            setup, *rest = decision.args
            given = (setup, state, *rest) if decision.seq else (setup, *rest)
            assert decision.seam(*given) == decision.said, f"another decision after {at}: {decision.said}"

    def money_is_told(self) -> None:
        """The ledger is the events, but for what a reaper charged of runs that nobody went on with."""
        costs = sum(event.cost_micro for event in self.of(ModelReplied, ModelFailed))
        read = self.simulation.store.read
        (spent,) = read(
            lambda tx: tx.execute(
                "SELECT COALESCE(SUM(spent), 0) FROM budgets WHERE scope = ?", (f"run_usd:{self.run.run_id}",)
            )
        ).fetchone()
        (reaped,) = read(
            lambda tx: tx.execute(
                "SELECT COALESCE(SUM(actual), 0) FROM holds WHERE run_id = ? AND reaped = 1", (self.run.run_id,)
            )
        ).fetchone()
        assert costs + reaped == spent, f"{costs} in the events, {reaped} reaped, {spent} in the ledger"
        # What a dead driver had been told is settled at what was reserved for it, which may be less.
        billed = sum(PRICE.cost(reply.usage) for reply in self.replies())
        assert billed <= spent, f"{billed} was billed, {spent} is in the ledger"

    def paid_answers_are_kept(self) -> None:
        """Each reply that reached a driver is in the journal, unless the driver died with it."""
        kept = Counter(repr(event.usage) for event in self.of(ModelReplied))
        came = Counter(repr(reply.usage) for reply in self.replies() if len(reply.blocks) < MOST_CALLS)
        assert not came - kept, f"{came - kept} came and is not in the journal"

    def limits_are_kept(self) -> None:
        """B24, B52"""
        policy = self.run.case.policy.budget
        steps = sum(event.purpose == "answer" for event in self.of(ModelReplied))
        more = sum(event.add_steps for event in self.of(Resumed))
        started = Counter(event.tool for event in self.of(ToolStarted) if event.attempt == 1)
        assert steps <= policy.max_steps + more, f"{steps} steps"
        assert started.total() <= policy.max_tool_calls, f"{started.total()} tool calls"
        assert started["few"] <= 2, "more calls than the tool's contract allows"

    def every_call_is_answered_once(self) -> None:
        proposed = Counter(call.call_id for event in self.of(ModelReplied, StepsPlanned) for call in event.calls)
        answered = Counter(event.call_id for event in self.of(ToolFinished) if event.final)
        assert not [call for call, count in proposed.items() if count > 1], "two calls have one id"
        assert not [call for call, count in answered.items() if count > 1], "a call has two answers"
        assert not answered - proposed, "an answer without a call"

    def nothing_forbidden_ran(self) -> None:
        """B40: what needs a person ran only after a yes, and never after a no."""
        policy = self.run.case.policy
        contracts = self.run.plan.setup.contracts
        yes: set[str] = set()
        no: set[str] = set()
        started: set[str] = set()
        asked: dict[str, Json] = {}
        kept: list[Json] = []
        for event in self.of(ApprovalRequested, ApprovalDecided, CallEdited, ToolStarted):
            if isinstance(event, ApprovalRequested):
                asked[event.call_id] = [event.tool, event.args]
                continue
            if isinstance(event, CallEdited):
                yes.discard(event.call_id)
                continue
            if isinstance(event, ApprovalDecided):
                (yes if event.decision == "approve" else no).add(event.call_id)
                (no if event.decision == "approve" else yes).discard(event.call_id)
                kept += [asked[event.call_id]] if event.remember else []
                continue
            started.add(event.call_id)
            assert event.call_id not in no, f"{event.call_id} ran although it was denied"
            gated = policy.risk.enabled and policy.approval.enabled
            if gated and risk.tier(policy.risk, contracts[event.tool]).tier > policy.risk.auto_approve:
                seen = event.call_id in yes and [event.tool, event.args] == asked[event.call_id]
                assert seen or [event.tool, event.args] in kept, f"{event.tool} ran and nobody was asked"
        tried = {tried.call_id for tried in self.simulation.outside.tries if tried.run_id == self.run.run_id}
        effects = {call for call in tried if contracts_of(self, call)}
        assert effects <= started, f"{effects - started} ran without an intent in the journal"

    def nothing_happened_twice(self) -> None:
        """E30: but where the tool's contract allows it, or a person who was asked about the doubt."""
        contracts = self.run.plan.setup.contracts
        started: dict[str, str] = {}
        again: Counter[str] = Counter()
        for event in self.of(ApprovalDecided, ToolStarted):
            if isinstance(event, ToolStarted):
                started[event.call_id] = event.tool
            elif event.decision == "approve" and event.call_id in started:
                again[event.call_id] += 1
        for (run_id, call_id), keys in self.simulation.outside.effects.items():
            if run_id != self.run.run_id or not keys:
                continue
            contract = contracts[started[call_id]]
            if contract.idempotent:
                assert len(set(keys)) == 1, f"{call_id} has several keys: {keys}"
            else:
                assert len(keys) <= 1 + again[call_id], f"{call_id} of {contract.name} happened {len(keys)} times"


def contracts_of(verdict: Verdict, call_id: str) -> bool:
    """Whether a call was of a tool that may change something."""
    tried = [t for t in verdict.simulation.outside.tries if (t.run_id, t.call_id) == (verdict.run.run_id, call_id)]
    return any(not verdict.run.plan.setup.contracts[t.tool].read_only for t in tried)


def lost(run: Run) -> set[Any]:
    """The drivers that lost their lease."""
    zombies = {life.process for life in run.lives if life.ending == "frozen"}
    return zombies | {life.process for life in run.lives if isinstance(life.error, LeaseLost)}
