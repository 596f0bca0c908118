"""Random policies and random scripts of the world, for the laws.

`AGENTCTL_LAWS=1000` tries so many examples of each law instead of `examples`' own number.
"""

import os
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
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
    tokens,
    trust,
)
from agentctl.core.policy import Policy, Provider
from agentctl.core.tiers import Tier
from tests.play import PRICE, Asks, Crash, Fault, Full, Play, Refused, Reply, Says, Script, contract, make_setup, writer

TOOLS = (
    contract("look"),
    contract("poll", pollable=True),
    contract("few", max_calls_per_session=2),
    contract("slow", retry_policy="fixed"),
    writer("send"),
    writer("store", side_effects="local", idempotent=True, retry_policy="exponential_backoff", recovery="same_key"),
    writer("erase", side_effects="irreversible"),
    writer("charge", recovery="reconcile", verify=("charged",)),
)
ANSWERS = (
    envelope.success("ok"),
    envelope.success({"id": 1}),
    envelope.transient("it broke"),
    envelope.timed_out(5),
    envelope.rate_limited(1),
    envelope.permanent("no such thing"),
)
LONG = tuple(envelope.success(letter * size) for letter, size in (("x", 900), ("y", 2_500), ("z", 9_000)))
FAULTS = (
    ("server", 500), ("overloaded", 529), ("rate_limit", 429), ("timeout", None), ("connection", None),
    ("truncated", 200), ("malformed", None), ("quota", 429), ("auth", 401), ("invalid", 400), ("context", 400),
)  # fmt: skip
STOPS = ("", "", "", "", "max_tokens", "pause", "context_exceeded", "refusal")


def examples(count: int) -> settings:
    """How often a law is tried."""
    wanted = int(os.environ.get("AGENTCTL_LAWS", "0")) or count
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    phases = [phase for phase in Phase if phase is not Phase.explain]
    return settings(
        max_examples=wanted, deadline=None, suppress_health_check=slow, phases=phases, derandomize=wanted == count
    )


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


@st.composite
def providers(draw: st.DrawFn) -> tuple[Provider, ...]:
    count = draw(st.integers(1, 3))
    made = [
        Provider(
            name=f"p{number}",
            sdk=draw(some("anthropic", "openai")),
            model=f"m{number}",
            priority=draw(st.integers(1, 3)),
            roles=draw(some(("answer",), ("answer", "landing"), ("answer", "summary"))),
            max_output_tokens=draw(some(16, 200, 1_500, 8_192)),
        )
        for number in range(count)
    ]
    return tuple(made)


@st.composite
def policies(draw: st.DrawFn, *, bounded: bool = True) -> Policy:
    on = some(True, True, True, False)
    most = draw(some(700, 3_000, 75_000))
    hard = most + draw(some(0, 500, 15_000))
    named = draw(providers())
    rule = route.Rule(draw(st.sampled_from(named)).name, route.When(tools=draw(some(0, None))))
    return Policy(
        providers=named,
        route=route.Rules(
            enabled=draw(on), cheaper_above=draw(some(0.01, 0.5, 1.0)), rules=draw(some((), (rule,), (rule, rule)))
        ),
        pace=pace.Rules(enabled=draw(on)),
        budget=budget.Rules(
            enabled=bounded or draw(on),
            run_usd=draw(some(0.001, 0.02, 0.2, 1.5)),
            max_steps=draw(st.integers(1, 7)),
            max_tool_calls=draw(st.integers(1, 12)),
            max_tool_errors=draw(st.integers(1, 12)),
            max_wall_s=draw(some(3.0, 60.0, 3600.0)),
            landing=draw(some(0.01, 0.08, 0.5)),
        ),
        tokens=tokens.Rules(enabled=draw(on), total=draw(some(900, 5_000, 60_000, 500_000))),
        retry=retry.Rules(
            enabled=draw(on), max_attempts=draw(st.integers(1, 5)), max_delay_s=draw(some(2.0, 30.0)), jitter=draw(on)
        ),
        circuit=circuit.Rules(
            enabled=draw(on),
            failure_threshold=draw(st.integers(1, 6)),
            failure_rate=draw(some(0.3, 0.5, 1.0)),
            min_calls=draw(st.integers(1, 10)),
            recovery_s=draw(some(1.0, 10.0, 60.0)),
            tools=circuit.ToolRules(failure_threshold=draw(st.integers(1, 5)), recovery_s=draw(some(1.0, 60.0))),
        ),
        context=context.Rules(
            enabled=draw(on),
            max_tokens=most,
            hard_limit_tokens=hard,
            trim_to=draw(some(0.3, 0.6, 1.0)),
            keep_recent=draw(some(1, 2, 10)),
            strategy=draw(some("oldest", "summary", "summary")),
        ),
        loops=loops.Rules(
            enabled=draw(on),
            window=draw(st.integers(1, 9)),
            max_repeats=draw(st.integers(1, 4)),
            consecutive=draw(st.integers(1, 4)),
            on_loop=draw(some("reflect", "halt", "reflect_then_halt")),
        ),
        progress=progress.Rules(
            enabled=draw(on),
            window=draw(st.integers(1, 6)),
            similarity=draw(some(0.3, 0.85, 1.0)),
            max_stale=draw(st.integers(1, 4)),
            halt_on_stall=draw(on),
        ),
        handoff=handoff.Rules(
            enabled=draw(some(True, False, False)),
            after_tool_errors=draw(st.integers(1, 4)),
            before_tier=draw(some("", "", "low", "high")),
            contact="ada",
        ),
        results=results.Rules(enabled=draw(on), max_attempts=draw(st.integers(1, 4))),
        args=args.Rules(enabled=draw(on), error_format=draw(some("structured", "structured", "throw"))),
        risk=risk.Rules(enabled=draw(on), auto_approve=draw(st.sampled_from(Tier))),
        trust=trust.Rules(enabled=draw(on), after_untrusted=draw(st.sampled_from(Tier))),
        approval=approval.Rules(
            enabled=draw(on), max_denials=draw(st.integers(1, 4)), non_interactive=draw(some("park", "deny"))
        ),
    )


wanted_calls = st.builds(
    Asks,
    st.sampled_from([*(tool.name for tool in TOOLS), "unknown"]),
    st.one_of(
        st.none(),
        st.fixed_dictionaries({"q": st.integers(0, 3)}),
        st.fixed_dictionaries({"bad": st.just([1])}),
        st.fixed_dictionaries({"copied": st.just("somebody else's words")}),
        st.fixed_dictionaries({"writes": st.just(".envrc")}),
        st.fixed_dictionaries({"leaks": st.just(True)}),
    ),
)
replies = st.builds(
    Reply,
    text=some("", "a thought", "an answer"),
    calls=st.lists(wanted_calls, max_size=4).map(tuple),
    stop=st.sampled_from(STOPS),
    share=some(0.1, 1.0),
    withheld=st.sampled_from(("",) * 15 + ("system_prompt",)),
    took=some(0.1, 2.0, 40.0),
)
faults = st.builds(
    lambda kind, retry_after, billed, took: Fault(kind[0], kind[1], retry_after, billed, took),
    st.sampled_from(FAULTS),
    some(None, None, 0.0, 1.5, 600.0),
    some(0.0, 0.4, 1.0),
    some(0.1, 20.0),
)
refusals = st.builds(Refused, some("session_usd", "hourly_usd"))


@st.composite
def scripts(draw: st.DrawFn, *, crashes: bool = False, paced: bool = True) -> Script:
    dies: list[st.SearchStrategy[Any]] = [st.just(Crash())] if crashes else []
    answered: st.SearchStrategy[Envelope | Crash] = st.one_of(st.sampled_from(ANSWERS), *dies)
    says: st.SearchStrategy[Says | None] = st.one_of(
        st.none(),
        st.builds(
            Says, some("approve", "approve", "deny", "stop", "edit"), some("", "too risky"), remember=st.booleans()
        ),
    )
    full = [st.just(Full(200.0, refused=True))] if paced else []
    models = st.one_of(replies, replies, replies, faults, refusals, *full, *dies)
    return Script(
        models=draw(st.lists(models, min_size=1, max_size=8)),
        tools={tool.name: draw(st.lists(answered, min_size=1, max_size=3)) for tool in TOOLS},
        people=draw(st.lists(says, min_size=1, max_size=3)),
        cycle=True,
        tool_took=draw(some(0.1, 5.0)),
    )


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Contract, ...]:
    """The tools, each with labels of its own."""
    label = some(False, False, True)
    return tuple(replace(one, untrusted=draw(label), private=draw(label), egress=draw(label)) for one in TOOLS)


asking = st.builds(
    Reply,
    text=some("", "- a fact\n- a decision", "a long thought " * 30),
    calls=st.lists(wanted_calls, min_size=1, max_size=3).map(tuple),
    took=some(0.1, 2.0),
)


@st.composite
def long_scripts(draw: st.DrawFn, *, crashes: bool = False) -> Script:
    """Much is asked and much is answered, so that the context fills again and again."""
    usual = draw(scripts(crashes=crashes, paced=False))
    models = [*draw(st.lists(asking, min_size=6, max_size=12)), *usual.models]
    tools = {tool.name: draw(st.lists(st.sampled_from((*LONG, *ANSWERS)), min_size=1, max_size=3)) for tool in TOOLS}
    return replace(usual, models=draw(st.permutations(models)), tools=tools)


@st.composite
def long_policies(draw: st.DrawFn) -> Policy:
    """Little room in the context, and enough of everything else to fill it."""
    most = draw(some(1_500, 4_000, 12_000))
    usual = draw(policies())
    return replace(
        usual,
        providers=tuple(replace(one, max_output_tokens=draw(some(16, 200))) for one in usual.providers),
        budget=replace(usual.budget, run_usd=50.0, max_steps=30, max_tool_calls=80, max_tool_errors=80, max_wall_s=9e9),
        tokens=tokens.Rules(enabled=draw(some(True, False)), total=draw(some(20_000, 100_000, 5_000_000))),
        context=replace(
            usual.context,
            enabled=True,
            max_tokens=most,
            hard_limit_tokens=most + draw(some(0, 10_000)),
            strategy=draw(some("oldest", "summary", "summary", "summary")),
        ),
        loops=replace(usual.loops, enabled=False),
        progress=replace(usual.progress, enabled=False),
        approval=replace(usual.approval, enabled=False),
    )


@st.composite
def long_plays(draw: st.DrawFn, *, crashes: bool = False) -> Play:
    """A run that has not begun, and that will be trimmed."""
    policy = draw(long_policies())
    setup = make_setup(
        policy, draw(labelled()), windows={one.name: draw(some(None, 2_000)) for one in policy.providers}
    )
    return Play(setup, draw(long_scripts(crashes=crashes)), seed=draw(st.integers(0, 99)), most=3_000)


def plays(*, bounded: bool = True, crashes: bool = False) -> st.SearchStrategy[Play]:
    """A run that has not begun: one in three is long."""
    usual = short_plays(bounded=bounded, crashes=crashes)
    return st.one_of(usual, usual, long_plays(crashes=crashes)) if bounded else usual


@st.composite
def short_plays(draw: st.DrawFn, *, bounded: bool = True, crashes: bool = False) -> Play:
    """A run that has not begun."""
    policy = draw(policies(bounded=bounded))
    names = [provider.name for provider in policy.providers]
    setup = make_setup(
        policy,
        draw(labelled()),
        prices={name: draw(some(PRICE, PRICE, PRICE, None)) for name in names},
        windows={name: draw(some(None, 1_000, 200_000)) for name in names},
        ready=[name for name in names if draw(some(True, True, True, False))],
    )
    sizes = {"fixed_tokens": draw(some(0, 100, 2_000)), "goal_tokens": draw(some(1, 50, 500))}
    script, seed = draw(scripts(crashes=crashes, paced=policy.pace.enabled)), draw(st.integers(0, 99))
    play = Play(setup, script, seed=seed, most=1_500, **sizes)
    play.start = replace(play.start, untrusted=draw(some((), (), ("var.mail",))))
    return play
