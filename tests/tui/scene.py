"""A store as somebody finds it at night: a run that works, one that waits, one that died, some that are over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.journal import events as rows
from agentctl.journal import lease, runs
from agentctl.journal.events import Change
from agentctl.journal.runs import NewRun
from agentctl.journal.store import Store, open_store
from agentctl.tui.app import Monitor
from agentctl.tui.outside import Outside
from agentctl.tui.seen import Outage

NOW = 1_790_000_000.0
"""The clock of every scene stands here."""
IDENTITY = "anthropic||claude-sonnet-4-6"
TASK = """
version = 1
name = "order-triage"
policy = "policy.toml"
goal = "Find order A-1001."
"""
POLICY = """
version = 1
extends = "standard"
[budget]
run_usd = 0.50
max_steps = 20
"""
OUTAGES = (
    Outage("anthropic claude-sonnet-4-6", "open", 5, NOW + 42.0),
    Outage("openai gpt-5.4", "closed"),
    Outage("search_orders", "closed"),
)


def started(goal: str = "Find order A-1001.") -> e.RunStarted:
    return e.RunStarted("order-triage", "policy", "d", "ada", "", goal, "", 400, 60, {"get_order_status": "9c"})


def asked(provider: str = "anthropic", tokens: int = 1_847, attempt: int = 1) -> e.ModelAsked:
    return e.ModelAsked(provider, IDENTITY, "claude-sonnet-4-6", attempt, "answer", tokens, 8_192, 128_000)


def replied(text: str = "", *calls: e.CallProposed, micro: int = 18_400, tokens: int = 1_847) -> e.ModelReplied:
    usage = Usage(input=tokens - 700, output=60, cache_read=640)
    stop = "tool_use" if calls else "end_turn"
    return e.ModelReplied(
        "anthropic", IDENTITY, "claude-sonnet-4-6", usage, micro, 423, stop, text, calls, "answer", 60
    )  # fmt: skip


def proposed(call_id: str, tool: str, **args: Any) -> e.CallProposed:
    return e.CallProposed(call_id, f"w{call_id}", tool, args, f"k{tool}{sorted(args.items())}")


def ran(call_id: str, tool: str, ms: int = 88, *, labels: tuple[str, ...] = (), **args: Any) -> list[e.Event]:
    """A tool call that only reads, and what it came to."""
    result = {"status": "success", "data": {"order_id": "A-1001", "state": call_id}}
    return [
        e.ToolStarted(call_id, tool, args, "safe", 1, effect=False, timeout_s=5.0),
        e.ToolFinished(
            call_id, tool, "success", None, False, ms, result, 40, key=f"k{tool}{sorted(args.items())}", labels=labels
        ),
    ]  # fmt: skip


def requested(call_id: str = "c3.1", tool: str = "send_refund", **args: Any) -> e.ApprovalRequested:
    given = args or {"order_id": "A-1001", "amount_usd": 48.5}
    return e.ApprovalRequested(
        call_id, tool, "high", "risk.tiers.send_refund (policy.toml:12)", "d" * 64, given, owner="support-payments"
    )


def completed(status: Any = "completed", reason: str = "done", code: int = 0, answer: str = "", **more: Any) -> Any:
    return e.Completed(status, reason, code, 36_800, answer, **more)


def steps(number: int) -> list[e.Event]:
    """So many steps with a call each."""
    found: list[e.Event] = []
    for step in range(1, number + 1):
        tokens = 1_200 + 400 * step
        call = proposed(f"c{step}.1", "get_order_status", order_id=f"A-{1000 + step}")
        found += [
            asked(tokens=tokens), replied(f"Step {step}.", call, micro=9_000 + 2_100 * (step % 4), tokens=tokens),
            *ran(call.call_id, "get_order_status", 80 + step, order_id=f"A-{1000 + step}"),
        ]  # fmt: skip
    return found


WORKING = [
    started(),
    *steps(4),
    asked(tokens=3_600),
    e.ModelFailed("anthropic", IDENTITY, "overloaded", 529, 0.4, "overloaded", 1, "answer", 0, 36),
    e.Retried(1, 0.4),
    asked(tokens=3_600, attempt=2),
    e.ModelFailed("anthropic", IDENTITY, "overloaded", 529, 0.4, "overloaded", 2, "answer", 0, 31),
    e.CircuitMoved("anthropic", "closed", "open", NOW + 42.0),
    e.FellBack("anthropic", "openai", "overloaded"),
    asked("openai", tokens=3_700),
]
WAITING = [
    started(),
    *steps(2),
    asked(tokens=2_600),
    e.Thought("Lost in transit for more than ten days: the notes allow a refund."),
    replied("The notes allow a full refund.", proposed("c3.1", "send_refund", order_id="A-1001", amount_usd=48.5)),
    requested(),
    completed("parked", "approval", 12, message="Waiting for a person."),
]
DONE = [
    started(),
    *steps(3),
    asked(tokens=2_900),
    replied("Your order left our warehouse on 2 November. A new parcel is with you on Friday."),
    completed(answer="Your order left our warehouse on 2 November. A new parcel is with you on Friday."),
]
LOOPED = [
    started(),
    *steps(1),
    e.LoopSeen("consecutive", "get_order_status", 3, 8, halt=True),
    completed("stopped", "loop", 11, message="Could not complete: loop. Please try a more specific query."),
]


class Scene:
    """A store in a folder, with a clock that stands still."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.now = NOW
        (folder / "task.toml").write_text(TASK)
        (folder / "policy.toml").write_text(POLICY)
        self.store: Store = open_store(
            url or f"sqlite:///{folder}/agentctl.db", seal_dir=folder / "keys", clock=lambda: self.now
        )
        self.epochs: dict[str, int] = {}
        self.seqs: dict[str, int] = {}

    def run(
        self, run_id: str, events: Sequence[e.Event], status: str = "running", reason: str = "", *, ago: float = 60.0,
        user: str = "ada", task: str = "order-triage", driven: bool = True,
    ) -> str:  # fmt: skip
        """A run; while it says `running` it is driven, or it has crashed."""
        spec = {"task": str(self.folder / "task.toml"), "policy": None, "max_usd": None}
        new = NewRun(run_id, "s_1", user, task, json.dumps(spec), self.now - ago)

        self.store.write(lambda tx: runs.create(tx, new))
        self.epochs[run_id] = self.store.write(lambda tx: lease.take(tx, run_id, f"elsewhere:1:1:{run_id}", self.now))
        self.add(run_id, events, status, reason, ago=ago)
        if status != "running" or not driven:
            self.store.write(lambda tx: lease.release(tx, run_id, self.epochs[run_id]))
        return run_id

    def add(
        self, run_id: str, events: Sequence[e.Event], status: str = "running", reason: str = "", *, ago: float = 0.0
    ) -> None:
        """More events of it, spread over the time since."""
        first = self.seqs.get(run_id, 0) + 1
        apart = max(0.0, ago - 1.0) / max(1, len(events))
        stamped: list[e.Stamped] = []
        step = 0
        for seq, event in enumerate(events, first):
            step += isinstance(event, e.ModelAsked) and event.attempt == 1
            at = self.now - ago + (seq - first) * apart
            stamped.append(e.Stamped(run_id, seq, "s_1", step, at, event))
        cost = sum(event.cost_micro for event in events if isinstance(event, e.ModelReplied))
        count = sum(isinstance(event, e.ModelReplied) for event in events)
        draft, change = self.store.packed(stamped), Change(status, reason, cost, count)
        self.store.write(lambda tx: rows.append(tx, self.epochs[run_id], draft, change, self.now))
        self.seqs[run_id] = stamped[-1].seq

    def night(self) -> Scene:
        """What the module says."""
        self.run("r_done0000a1", DONE, "completed", "done", ago=7_200, user="eve")
        self.run("r_loop0000a2", LOOPED, "stopped", "loop", ago=3_700, user="bob", task="search-agent")
        self.run("r_work0000a3", WORKING, ago=92)
        self.run("r_wait0000a4", WAITING, "parked", "approval", ago=310)
        self.run("r_dead0000a5", WORKING[:9], ago=620, user="bob", driven=False)
        return self

    def monitor(self, run_id: str = "", **options: Any) -> Monitor:
        """The program over it."""
        outside = options.pop("outside", Outside(lambda: OUTAGES))
        return Monitor(self.store, user="ada", outside=outside, run_id=run_id, **options)
