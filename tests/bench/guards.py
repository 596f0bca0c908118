"""What each guard costs per event: `PYTHONPATH=. .venv/bin/python tests/bench/guards.py [--rounds 7]`.

A run of 200 steps is played in memory; `apply` of each guard folds all of its events, `check` is what the seams ask of
it before a call. Microseconds each, the best of the rounds.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from agentctl.core import callkey, guards
from agentctl.core import state as states
from agentctl.core.decide import next_action
from agentctl.core.events import ModelFailed, ToolFinished
from agentctl.core.guards import (
    approval,
    args,
    budget,
    circuit,
    context,
    handoff,
    loops,
    pace,
    progress,
    results,
    retry,
    risk,
    route,
    scrub,
    tokens,
)
from agentctl.core.policy import Policy
from tests.play import MAIN, PRICE, SPARE, Play, Reply, Script, asks, call, contract, make_setup, policy

STEPS, TARGET_US = 200, 20.0


def played() -> Play:
    """A run of many steps, each with two calls."""
    rules = {
        "budget": budget.Rules(run_usd=1_000.0, max_steps=10_000, max_tool_calls=10_000),
        "tokens": tokens.Rules(total=1_000_000_000),
    }
    replies = [asks(call("look", q=n), call("find", text=f"order {n}")) for n in range(STEPS)]
    setup = make_setup(policy(MAIN, SPARE, **rules), [contract("look"), contract("find")])
    play = Play(setup, Script([*replies, Reply("done")]))
    play.run()
    return play


def best(work: Callable[[], object], count: int, rounds: int) -> float:
    """Microseconds per piece of work, of the quickest round."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken) / count * 1e6


def folding(module: Any, events: Sequence[Any]) -> Callable[[], Any]:
    """Fold all events with one guard."""

    def fold() -> Any:
        state, apply = getattr(module, "EMPTY", None) or module.State(), module.apply
        for stamped in events:
            state = apply(state, stamped)
        return state

    return fold


def checks(play: Play) -> dict[str, Callable[[], object]]:
    """What is asked of each guard before a call, after the run's last tool call."""
    answered = max(n for n, one in enumerate(play.events) if isinstance(one.event, ToolFinished))
    rules, state, now = Policy(), states.fold(play.events[: answered + 1]), play.now
    look, wanted = play.setup.contracts["look"], {"q": 7}
    failed = ModelFailed("main", "id", "server", 500, None, "x", 2, "answer", 0, 1)
    booked = {slice_ * pace.SLICE_S: 3_000 for slice_ in range(12)}
    demand = pace.Demand("tokens_per_minute:x", 2_000, 40_000)
    chain = tuple((one.name, one.priority, one.roles) for one in rules.providers)
    seen = circuit.CLOSED
    for number in range(60):
        seen = circuit.recorded(circuit.Rules(), seen, "x", ok=number % 4 > 0, asked_at=number, now=float(number))
    units = tuple(context.Unit(number, 2, 300) for number in range(STEPS))
    mask = scrub.make(scrub.Rules(), {"sk-0123456789abcdef"})
    text = "The quick brown fox jumps over order A-1001. " * 20
    return {
        "approval": lambda: approval.check(rules.approval, state.approval),
        "args": lambda: args.check(rules.args, look, wanted, ""),
        "budget": lambda: (
            budget.check(rules.budget, state.budget, now),
            budget.room(rules.budget, state.budget, PRICE, 9_000, 8_000, landing=False),
        ),
        "circuit": lambda: (
            circuit.check(rules.circuit, state.circuit, "main", now),
            circuit.phase(rules.circuit, seen, now),
            circuit.recorded(rules.circuit, seen, "x", ok=False, asked_at=60.0, now=60.0),
        ),
        "context": lambda: (context.estimate(state.context), context.limits(rules.context, 200_000, 8_192)),
        "context, a trim": lambda: context.cut(rules.context, 2_000, units, 45_000, 60_000),
        "loops": lambda: loops.check(rules.loops, state.loops, "another", pollable=False),
        "loops, a key": lambda: callkey.canonical_bytes("look", wanted),
        "pace": lambda: (pace.check(rules.pace, state.pace, "main", now), pace.fits(demand, booked, 60, 9_000)),
        "handoff": lambda: handoff.check(rules.handoff, state.handoff),
        "progress": lambda: progress.check(rules.progress, state.progress),
        "results": lambda: results.check(state.results, look, now),
        "retry": lambda: (retry.worthwhile(rules.retry, failed), retry.delay(rules.retry, failed, 0.5)),
        "risk": lambda: risk.check(rules.risk, look) or risk.tier(rules.risk, look),
        "route": lambda: (route.order(chain, "answer"), route.preferred(rules.route, state.route)),
        "scrub, 900 characters": lambda: mask.text(text),
        "tokens": lambda: (
            tokens.level(rules.tokens, state.tokens),
            tokens.compress(rules.tokens, state.tokens, 9_000),
            tokens.left(rules.tokens, state.tokens, 0.08),
        ),
        "all of them: next_action": lambda: next_action(play.setup, state, now, 0.5),
    }


def main() -> None:
    """A line per guard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    play, count = played(), 2_000
    asked = checks(play)
    names = [module.name for module in pkgutil.iter_modules(guards.__path__)]
    sys.stdout.write(f"{'guard':<26}{'apply':>8}{'check':>8}   microseconds, {len(play.events)} events\n")
    for name in [*names, *(name for name in asked if name not in names)]:
        module = importlib.import_module(f"agentctl.core.guards.{name}") if name in names else None
        applies, checked = hasattr(module, "apply"), asked.get(name)
        folded = best(folding(module, play.events), len(play.events), rounds) if applies else 0.0
        often = best(lambda work=checked: [work() for _ in range(count)], count, rounds) if checked else 0.0
        if applies or checked:
            over = "   over the target" if name in names and folded + often > TARGET_US else ""
            sys.stdout.write(f"{name:<26}{folded:>8.2f}{often:>8.2f}{over}\n")
    whole = best(lambda: states.fold(play.events), len(play.events), rounds)
    sys.stdout.write(f"{'all of them: apply':<26}{whole:>8.2f}\n")


if __name__ == "__main__":
    main()
