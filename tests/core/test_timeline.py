"""The trace in the contract's words."""

from hypothesis import given
from hypothesis import strategies as st

from agentctl.core import events as e
from agentctl.core import timeline
from agentctl.core.messages import Usage
from tests.journal.golden import EXPECTED

SONNET = ("anthropic", "anthropic||claude-sonnet-4-6", "claude-sonnet-4-6")
TIMED_OUT = {"status": "error", "message": "Timeout after 5s"}
EXHAUSTED = {"status": "error", "message": "Tool failed after 2 attempts: Timeout after 5s."}


def stamped(*events, run="r_a3f7b2"):
    return [e.Stamped(run, seq, "s_1", 1, 1000.0 + seq, event) for seq, event in enumerate(events, 1)]


def started(**changes):
    values = {
        "task": "order-triage",
        "policy": "customer-facing",
        "policy_digest": "",
        "user": "ada",
        "tenant": "",
        "goal": "",
        "system": "",
        "fixed_tokens": 0,
        "goal_tokens": 0,
        "tools": {},
    }
    return e.RunStarted(**{**values, **changes})


def asked(provider=SONNET, purpose="answer"):
    return e.ModelAsked(*provider, 1, purpose, 1200, 8192, 120_000)


def replied(tokens, micro, ms=423, provider=SONNET, purpose="answer", stop="tool_use"):
    usage = Usage(input=tokens - 100, output=60, cache_read=40)
    return e.ModelReplied(*provider, usage, micro, ms, stop, "", (), purpose, 60)


def failed(kind="overloaded", status=529, micro=0):
    return e.ModelFailed("anthropic", SONNET[1], kind, status, None, "overloaded_error", 1, "answer", micro, 25)


def tool_started(call="c1.1", tool="get_order_status", attempt=1):
    return e.ToolStarted(call, tool, {"order_id": "A-1001"}, "safe", attempt, False, 5.0)


def finished(call="c1.1", ms=88, error=None, result=None, tool="get_order_status", **more):
    status = "success" if error is None else "error"
    return e.ToolFinished(call, tool, status, error, False, ms, result or {"data": 1}, 10, **more)


def completed(status="completed", reason="done", code=0):
    return e.Completed(status, reason, code, 0, "All is well.")


def drawn(events, **how):
    lines = [text for text, _ in timeline.tree(timeline.rows(events), **how)]
    return "\n".join([timeline.header(events), *lines])


SAMPLE = """\
Trace: r_a3f7b2 · order-triage · customer-facing
├── llm.completion [423ms, 1,847 tokens, $0.0184]
│   └── anthropic.claude-sonnet-4-6
├── tool.get_order_status [88ms, success]
├── tool.get_order_status [timeout] → retry #1
├── tool.get_order_status [5,012ms, transient error] → circuit open
├── llm.completion [312ms, 624 tokens, $0.0062]
└── response.final [2,471 tokens total, $0.0246 total]"""


def sample():
    return stamped(
        started(),
        asked(),
        replied(1847, 18_400),
        tool_started(),
        finished(),
        tool_started("c1.2"),
        finished("c1.2", 5000, "transient", TIMED_OUT, final=False),
        e.Retried(1, 0.5, "c1.2"),
        tool_started("c1.2", attempt=2),
        finished("c1.2", 5012, "transient", EXHAUSTED),
        e.CircuitMoved("tool:get_order_status", "closed", "open"),
        asked(),
        replied(624, 6_200, 312, stop="end_turn"),
        completed(),
    )


def test_the_contract_s_sample_to_the_letter():
    """D57, D58, D59: the header, the call and its model."""
    assert drawn(sample()) == SAMPLE


def test_tools_say_how_they_ended():
    """D60, D61, D62: success, timeout and what follows from a failure."""
    lines = drawn(sample()).splitlines()

    assert "├── tool.get_order_status [88ms, success]" == lines[3]
    assert "├── tool.get_order_status [timeout] → retry #1" == lines[4]
    assert "├── tool.get_order_status [5,012ms, transient error] → circuit open" == lines[5]


def test_totals_are_the_sum_of_the_exact_figures():
    """D63: rounded once, at the end."""
    events = stamped(started(), replied(500, 10_049), replied(500, 10_049), completed())

    assert drawn(events).endswith("└── response.final [1,000 tokens total, $0.0201 total]")


def test_each_row_has_what_it_alone_cost():
    """D63: they add up to the total, a call that failed and was billed included."""
    paid = replied(500, 10_049), failed("timeout", None, 120_001), replied(90, 7, purpose="summary")
    events = stamped(started(), asked(), *paid, e.Retried(1, 0.1), tool_started(), finished(), completed())

    assert {
        "llm.completion": [10_049, 120_001],
        "llm.summary": [7],
        "tool.get_order_status": [0],
        "response.final": [0],
    } == {
        row.name: [each.cost_micro for each in timeline.rows(events) if each.name == row.name]
        for row in timeline.rows(events)
    }


def test_a_provider_that_fails_is_retried_then_replaced():
    other = ("openai", "openai||gpt-5.4", "gpt-5.4")
    events = stamped(
        started(),
        asked(),
        failed(),
        e.Retried(1, 0.84),
        asked(),
        failed("timeout", None, 120_000),
        e.CircuitMoved(SONNET[1], "closed", "open"),
        e.FellBack("anthropic", "openai", "circuit open"),
        e.FellBack("openai", "", "circuit open"),
        e.Degraded("openai", "may be less polished"),
        asked(other),
        replied(700, 2_000, provider=other),
        e.CircuitMoved(SONNET[1], "open", "half_open"),
        completed(),
    )

    assert drawn(events).splitlines()[1:] == [
        "├── llm.completion [25ms, 529 overloaded] → retry #1 in 0.8s",
        "│   └── anthropic.claude-sonnet-4-6",
        "├── llm.completion [25ms, timeout, $0.1200] → circuit open",
        "├── fallback [anthropic → openai, circuit open]",
        "├── fallback [openai → nobody, circuit open]",
        "├── degraded [openai, may be less polished]",
        "├── llm.completion [423ms, 700 tokens, $0.0020]",
        "│   └── openai.gpt-5.4",
        "├── circuit.anthropic||claude-sonnet-4-6 [open → half-open]",
        "└── response.final [700 tokens total, $0.1220 total]",
    ]


def test_who_decided_when_and_why():
    events = stamped(
        started(),
        e.ApprovalRequested("c1.1", "send_refund", "high", "risk.tiers.send_refund", "d", {"amount": 5}),
        e.ApprovalDecided("c1.1", "deny", "ada", 12.34, "ask first", "d"),
        finished("c1.1", 0, "permanent", {"message": "no"}, tool="send_refund", ran=False, code="DENIED"),
        completed("stopped", "denied", 13),
    )

    assert drawn(events).splitlines()[1:] == [
        "├── approval.send_refund [denied by ada at 1970-01-01 00:16:43Z after 12.3s, high: ask first]",
        "├── tool.send_refund [not run, denied]",
        "└── response.final [0 tokens total, $0.0000 total] → stopped: denied",
    ]


def test_a_summary_is_a_line_and_so_is_why_there_is_none():
    events = stamped(
        started(),
        asked(purpose="summary"),
        replied(300, 900, purpose="summary"),
        e.ContextTrimmed(45_000, 75_000, 12, 7, "- a fact", 9),
        e.Decided("before_model", "context", "no_summary", "no room in session_usd"),
        completed(),
    )

    assert drawn(events).splitlines()[1].startswith("├── llm.summary [")
    assert drawn(events).splitlines()[3:5] == [
        "├── context.trim [12 messages summarised, 45,000 tokens left]",
        "├── context.summary [none: no room in session_usd]",
    ]


def test_limits_trims_loops_and_the_landing_are_lines_of_it():
    events = stamped(
        started(rehearsed=True),
        e.ContextTrimmed(45_000, 75_000, 12, 7),
        e.LoopSeen("consecutive", "search", 2, 8),
        e.LoopSeen("cycle", "search", 3, 5),
        e.LoopSeen("stall", "search", 3, 5, halt=True),
        e.HandedOff("5 tool errors in a row", "ops@example.com"),
        finished("c1.1", 0, "permanent", {"message": "You've called"}, tool="search", ran=False),
        finished("c1.2", 0, tool="search", shared_with="c1.1"),
        e.BudgetCounted("run_usd", 0.2, 0.25, "warning"),
        e.Waited("pace", 2.0),
        e.ProviderOut("anthropic", "auth: no such key"),
        e.CacheSeen(0.875, 7, 1, "another prefix"),
        e.Decided("before_model", "budget", "land", "run_usd", message="run_usd limit exceeded"),
        e.Decided("before_answer", "answer", "say", "empty"),
        asked(purpose="landing"),
        replied(300, 900, purpose="landing", stop="max_tokens"),
        e.Failed("defect", "KeyError"),
        completed("stopped", "run_usd", 10),
    )

    assert drawn(events).splitlines() == [
        "Trace: r_a3f7b2 · order-triage · customer-facing · rehearsed",
        "├── context.trim [12 messages dropped, 45,000 tokens left]",
        "├── loop.search [consecutive, 2 times within 8]",
        "├── loop.search [cycle of 5 calls, round 3]",
        "├── loop.search [stall, 3 of the last 5 results are the same]",
        "├── handoff [ops@example.com, 5 tool errors in a row]",
        "├── tool.search [not run, You've called]",
        "├── tool.search [same call as c1.1, success]",
        "├── budget.run_usd [warning, 0.2 of 0.25]",
        "├── wait [2.0s, pace]",
        "├── provider.out [anthropic, auth: no such key]",
        "├── cache.miss [hit ratio 87.5%, another prefix]",
        "├── landing [run_usd, run_usd limit exceeded]",
        "├── nudge [answer, empty]",
        "├── llm.landing [423ms, 300 tokens, $0.0009] → cut at the output limit",
        "│   └── anthropic.claude-sonnet-4-6",
        "├── error [defect, KeyError]",
        "└── response.final [300 tokens total, $0.0009 total] → stopped: run_usd",
    ]


def test_a_change_of_route_says_why_and_an_open_circuit_that_stays_open_says_nothing():
    chosen = e.Decided("before_model", "route", "choose", "cheap: above 50% of run_usd")
    events = stamped(started(), chosen, e.CircuitMoved("anthropic", "open", "open", 90.0), completed())

    assert "├── route [cheap: above 50% of run_usd]" == drawn(events).splitlines()[1]
    assert "circuit" not in drawn(events)


def test_a_suspected_injection_is_a_line():
    events = stamped(started(), e.InjectionSuspected("http_get", "prompt_leak", "c1.1"), completed())

    assert "├── injection.http_get [suspected, prompt leak]" == drawn(events).splitlines()[1]


def test_whose_words_came_in_is_told_once_below_the_call_that_brought_them():
    """D21"""
    labels = ("untrusted", "egress")
    page = [finished(call, tool="http_get", labels=labels) for call in ("c1.1", "c2.1")]
    lines = drawn(stamped(started(untrusted=("var.mail",)), *page, completed())).splitlines()

    assert "├── run.variables [untrusted from var.mail]" == lines[1]
    assert "│   └── untrusted from http_get" == lines[3]
    assert 1 == sum("from http_get" in line for line in lines)


def test_a_resumed_run_shows_both_drives():
    events = stamped(
        started(),
        e.ApprovalRequested("c1.1", "send_refund", "high", "rule", "d", {}),
        completed("parked", "approval", 12),
        e.Resumed(3, "ada", 500_000, 5, 1_000),
        e.ApprovalDecided("c1.1", "approve", "bob", 60.0, "", "d"),
        completed(),
    )

    assert drawn(events).splitlines()[1:] == [
        "├── run.parked [approval]",
        "├── run.resumed [by ada, +$0.50, +5 steps, +1,000 tokens]",
        "├── approval.send_refund [approved by bob at 1970-01-01 00:16:45Z after 60.0s, high]",
        "└── response.final [0 tokens total, $0.0000 total]",
    ]


def test_what_has_no_outcome_yet_stands_at_the_end():
    running = stamped(started(), asked(), replied(500, 100), tool_started("c1.1"), asked())
    parked = stamped(
        started(),
        e.ApprovalRequested("c1.1", "send_refund", "high", "rule", "d", {}),
        completed("parked", "approval", 12),
    )

    assert drawn(running).splitlines()[-2:] == [
        "├── tool.get_order_status [no outcome]",
        "└── llm.completion [no outcome]",
    ]
    assert drawn(parked).splitlines()[-2:] == [
        "├── approval.send_refund [waits for a person, high by rule]",
        "└── response.final [0 tokens total, $0.0000 total] → parked: approval",
    ]


def test_inputs_show_what_went_in_and_out():
    """E22"""
    call = e.CallProposed("c1.1", "w", "get_order_status", {"order_id": "A-1001"}, "k")
    reply = e.ModelReplied(*SONNET, Usage(10, 5), 100, 40, "tool_use", "Let me\nlook.", (call,), "answer", 5)
    long = {"data": "x" * 2_000}
    events = stamped(started(), asked(), e.Thought("hm"), reply, tool_started(), finished(result=long), completed())

    lines = drawn(events, inputs=True).splitlines()

    assert lines[1:8] == [
        "├── llm.completion [40ms, 15 tokens, $0.0001]",
        "│   ├── anthropic.claude-sonnet-4-6",
        "│   ├── in: 1,200 tokens estimated, $0.1200 reserved",
        "│   ├── thought: hm",
        "│   ├── out: Let me look.",
        '│   └── call c1.1: get_order_status {"order_id": "A-1001"}',
        "├── tool.get_order_status [88ms, success]",
    ]
    assert lines[8] == '│   ├── in: {"order_id": "A-1001"}'
    assert "(2,012 characters)" in lines[9]
    assert lines[-1] == "    └── answer: All is well."


def test_nothing_recorded_is_no_error():
    assert "Trace: nothing recorded yet" == drawn([])


def test_a_retry_of_nothing_is_a_line_of_its_own():
    assert drawn(stamped(started(), e.Retried(2, 1.0))).endswith("└── retry #2 in 1.0s")


def test_what_has_no_outcome_yet_is_under_way_while_somebody_drives_the_run():
    asked = e.ModelAsked("anthropic", "i", "m", 1, "answer", 10, 10, 0)
    seen = [e.Stamped("r_1", 1, "s_1", 1, 1.0, asked)]

    assert ["no outcome"] == [row.detail for row in timeline.rows(seen)]
    assert ["under way"] == [row.detail for row in timeline.rows(seen, live=True)]


@given(st.lists(st.integers(0, len(EXPECTED["1.0.0"]) - 1), max_size=25))
def test_a_trace_that_grows_is_the_trace_of_all_of_it_at_every_event(kinds):
    trace, seen = timeline.Trace(), []
    for seq, kind in enumerate(kinds, 1):
        seen.append(e.Stamped("r_1", seq, "s_1", 1, float(seq), EXPECTED["1.0.0"][kind]))
        trace.take(seen[-1])

        assert timeline.rows(seen) == trace.rows() == trace.rows()
