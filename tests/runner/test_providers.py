"""Several providers: who is asked how often, who stands in, who comes back, what crosses from API to API."""

import asyncio
import itertools
import json
import signal

import pytest

from agentctl.core.events import (
    CircuitMoved,
    ContextTrimmed,
    Decided,
    Degraded,
    FellBack,
    ProviderOut,
    Retried,
    ToolStarted,
)
from tests.runner.stage import (
    APIS,
    Fault,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Reply,
    ToolFinished,
    calls,
    sent,
    usage,
)  # fmt: skip

DONE = Reply(text="Answered.")
LESSER = {"messages": "claude-haiku-4-5", "responses": "gpt-5.4-mini", "chat": "gpt-5.4-mini"}


@pytest.fixture
def two(stages):
    """Two providers, the second one over another API."""

    def make(first: str = "messages", second: str = "responses"):
        stage = stages(first)
        stage.providers = [
            {"name": "first", "api": first, "priority": 1},
            {"name": "second", "api": second, "priority": 2, "degraded": True, "model": LESSER[second]},
        ]
        stage.tool("lookup", "cat")
        return stage

    return make


async def test_four_requests_in_all_and_then_the_next_provider_in_the_same_step(two):
    """A55 C87 G5: a provider that is overloaded is asked four times, with no sleep after the last."""
    stage = two()
    stage.faults = [Fault("status", provider="first", status=529)]
    stage.replies = [DONE]

    result = await stage.run()

    assert (0, "Answered.", 1) == (result.exit_code, result.answer, result.body["steps"])
    assert ["first"] * 4 + ["second"] == [seen.provider for seen in stage.asked()]
    assert [1, 2, 3, 4, 1] == [asked.attempt for asked in stage.events(ModelAsked)]
    assert [0.01, 0.02, 0.04] == [retry.delay_s for retry in stage.events(Retried)]
    assert [("first", "second")] == [(fell.from_, fell.to) for fell in stage.events(FellBack)]
    assert 0 == sum(failed.cost_micro for failed in stage.events(ModelFailed))


async def test_the_circuit_opens_at_five_failures_and_then_nobody_is_asked_in_vain(two):
    """A58 A60 E09: four failures in one step, the fifth in the next; after that the first provider sees no request."""
    stage = two()
    stage.faults = [Fault("status", provider="first", status=529)]
    stage.replies = [calls(("lookup", {"id": name})) for name in "abc"] + [DONE]

    result = await stage.run()

    assert 0 == result.exit_code
    assert ["first"] * 4 + ["second", "first"] + ["second"] * 3 == [seen.provider for seen in stage.asked()]
    (opened,) = stage.events(CircuitMoved)
    assert ("first", "closed", "open") == (opened.name, opened.from_, opened.to)
    after = [one.event for one in stage.stamped if one.seq > stage.of(CircuitMoved)[0].seq]
    assert {"second"} == {event.provider for event in after if isinstance(event, ModelAsked)}


async def test_the_first_provider_comes_back_when_it_answers_a_probe(two):
    """A62 C86 E10: one probe after the rest, and the primary resumes."""
    stage = two()
    stage.policy(circuit={"failure_threshold": 1, "recovery_s": 0.3})
    stage.faults = [Fault("status", provider="first", status=529, requests="1-2")]
    stage.tool("rest", "sleep 0.35; echo 1")
    stage.replies = [calls(("rest", {"id": name})) for name in "abc"] + [DONE]

    result = await stage.run()

    assert 0 == result.exit_code
    moves = [(moved.from_, moved.to) for moved in stage.events(CircuitMoved)]
    assert [
        ("closed", "open"), ("open", "half_open"), ("half_open", "open"),
        ("open", "half_open"), ("half_open", "closed"),
    ] == moves  # fmt: skip
    assert ["first", "second"] * 2 + ["first", "first"] == [seen.provider for seen in stage.asked()]
    assert 2 == sum(asked.probe for asked in stage.events(ModelAsked))


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_refused_takes_its_provider_out_for_the_run(two, status):
    stage = two()
    stage.faults = [Fault("status", provider="first", status=status)]
    stage.replies = [calls(("lookup", {"id": "a"})), DONE]

    result = await stage.run()

    assert 0 == result.exit_code
    assert ["first", "second", "second"] == [seen.provider for seen in stage.asked()]
    assert [("first", None)] == [(out.provider, out.until) for out in stage.events(ProviderOut)]
    assert [] == stage.events(CircuitMoved)


async def test_none_left_ends_the_run_as_a_failure_of_providers(two):
    """C26 E11"""
    stage = two()
    stage.faults = [
        Fault("status", provider="first", status=401),
        Fault("status", provider="second", status=429, code="insufficient_quota", message="You exceeded your quota."),
    ]
    stage.replies = [DONE]

    result = await stage.run()

    assert ("failed", "providers", 14) == (result.status, result.reason, result.exit_code)
    assert ["first", "second"] == [seen.provider for seen in stage.asked()]
    assert "first" in result.message
    assert "second" in result.message


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_an_invalid_request_is_neither_tried_again_nor_passed_on(two, status):
    stage = two()
    stage.faults = [Fault("status", provider="first", status=status, message="messages.1: unexpected role")]
    stage.replies = [DONE]

    result = await stage.run()

    assert ("providers", 14) == (result.reason, result.exit_code)
    assert ["first"] == [seen.provider for seen in stage.asked()]
    assert result.message.startswith("first refused the request: ")
    assert "unexpected role" in result.message


@pytest.mark.parametrize("api", APIS)
async def test_a_prompt_that_the_provider_finds_too_long_is_trimmed_harder_once(stages, api):
    """A22, D06: and what is left still pairs its calls with their results."""
    stage = stages(api)
    stage.policy(context={"keep_recent": 2}, progress={"enabled": False})
    stage.tool("lookup", "printf '\"'; yes word | head -c 2000 | tr '\\n' ' '; printf '\"'")
    stage.replies = [calls(("lookup", {"id": str(n)}), text=f"Step {n}.") for n in range(6)] + [DONE]
    stage.faults = [Fault("context_exceeded", requests="7")]

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert 8 == len(stage.asked())
    (trim,) = stage.events(ContextTrimmed)
    assert 0 < trim.dropped
    refused, again = stage.asked()[6:]
    assert len(sent(again)) < 0.7 * len(sent(refused))
    assert "Do what has to be done." in sent(again)


async def test_a_prompt_that_stays_too_long_ends_as_context(stage):
    stage.policy(context={"keep_recent": 2})
    stage.tool("lookup", "cat")
    stage.replies = [calls(("lookup", {"id": str(n)})) for n in range(6)] + [DONE]
    stage.faults = [Fault("context_exceeded", requests="7-")]

    result = await stage.run()

    assert ("stopped", "context", 10) == (result.status, result.reason, result.exit_code)
    assert 8 == len(stage.asked())


async def test_a_short_retry_after_is_waited_for(stage):
    """A16: a rate limit is tried again, after what the provider asks for and not before."""
    stage.faults = [Fault("status", status=429, headers={"retry-after": "0.2"}, requests="1")]
    stage.replies = [DONE]

    result = await stage.run()

    refused, answered = stage.asked()
    assert (0, 0.2) == (result.exit_code, stage.events(Retried)[0].delay_s)
    assert 0.2 <= answered.at - refused.at < 2


async def test_a_long_retry_after_rests_the_provider(two):
    """A14: longer than any retry waits, so the next one answers at once."""
    stage = two()
    stage.faults = [Fault("status", provider="first", status=429, headers={"retry-after": "600"})]
    stage.replies = [calls(("lookup", {"id": "a"})), DONE]

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert ["first", "second", "second"] == [seen.provider for seen in stage.asked()]
    (out,) = stage.events(ProviderOut)
    assert 590 < out.until - stage.of(ProviderOut)[0].ts <= 600
    assert [] == stage.events(Retried)


async def test_a_long_retry_after_with_nobody_else_stops_the_run(stage):
    stage.faults = [Fault("status", status=429, headers={"retry-after": "600"})]
    stage.replies = [DONE]

    result = await stage.run()

    assert ("providers", 14, 1) == (result.reason, result.exit_code, len(stage.asked()))
    assert "rests" in result.message


@pytest.mark.parametrize(("kind", "code"), [("quota", "insufficient_quota"), ("auth", "invalid_api_key")])
async def test_what_no_retry_mends_is_asked_once(stages, kind, code):
    """E11"""
    stage = stages("chat")
    stage.faults = [Fault("status", status=429 if kind == "quota" else 401, code=code)]
    stage.replies = [DONE]

    result = await stage.run()

    assert (14, 1, [kind]) == (result.exit_code, len(stage.asked()), [f.kind for f in stage.events(ModelFailed)])


async def test_a_lesser_model_is_announced_once(two):
    """A61 E26 E27"""
    stage = two()
    stage.faults = [Fault("status", provider="first", status=401)]
    stage.replies = [calls(("lookup", {"id": "a"})), DONE]

    result = await stage.run()

    assert ["second"] == [event.provider for event in stage.events(Degraded)]
    (told,) = result.body["degraded"]
    assert "second" == told["provider"]
    assert "less polished" in told["notice"]


@pytest.mark.parametrize(
    ("first", "second"), [(a, b) for a, b in itertools.product(APIS, APIS) if a != b], ids=lambda value: value
)
async def test_a_history_crosses_from_one_api_to_the_other_and_back(two, first, second):
    """Calls, results, thinking and text survive; whoever is asked refuses nothing of it."""
    stage = two(first, second)
    stage.rehearsed = True  # the APIs themselves: with reasoning items
    stage.policy(circuit={"failure_threshold": 1, "recovery_s": 0.25})
    stage.faults = [Fault("status", provider="first", status=529, requests="3")]
    stage.tool("rest", "sleep 0.3; echo 1")
    stage.replies = [
        calls(("lookup", {"id": "one"}), ("lookup", {"id": "two"}), text="Both.", thinking="First thoughts."),
        calls(("lookup", {"id": "three"}), thinking="More."),
        calls(("rest", {"id": "four"}), ("lookup", {"id": "five"}), text="Meanwhile.", thinking="From the second."),
        calls(("lookup", {"id": "six"}), text="Back.", thinking="Again the first."),
        DONE,
    ]

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert ["first"] * 3 + ["second"] + ["first"] * 2 == [seen.provider for seen in stage.asked()]
    assert ["first", "first", "second", "first", "first"] == [r.provider for r in stage.events(ModelReplied)]
    for word in ("one", "two", "three", "four", "five", "six", "Both.", "Meanwhile.", "Back."):
        assert word in sent(stage.asked()[-1])


async def test_the_order_is_priority_and_then_the_file(stages):
    """A84"""
    stage = stages()
    stage.providers = [
        {"name": "third", "api": "messages", "priority": 5},
        {"name": "second", "api": "messages", "priority": 2, "model": "claude-opus-4-6"},
        {"name": "first", "api": "messages", "priority": 2, "model": "claude-haiku-4-5"},
    ]
    stage.faults = [Fault("status", status=401, provider="second"), Fault("status", status=401, provider="first")]
    stage.replies = [DONE]

    await stage.run()

    assert ["second", "first", "third"] == [seen.provider for seen in stage.asked()]


async def test_landing_and_summary_roles_do_not_answer(stages):
    stage = stages()
    stage.providers = [
        {"name": "closer", "api": "messages", "priority": 1, "roles": ["landing"], "model": "claude-haiku-4-5"},
        {"name": "answerer", "api": "messages", "priority": 2},
    ]
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 1})
    stage.replies = [calls(("lookup", {"id": "a"}), usage=usage(10)), Reply(text="Landed.")]

    result = await stage.run()

    assert ("max_steps", "Landed.") == (result.reason, result.answer)
    assert ["answerer", "closer"] == [seen.provider for seen in stage.asked()]


async def test_nothing_but_the_named_server_is_asked_whatever_the_environment_says(stage, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-evil: 1")
    stage.replies = [DONE]

    result = await stage.run()

    assert 0 == result.exit_code
    assert "x-evil" not in stage.asked()[0].headers
    assert any("ANTHROPIC_BASE_URL is set and not obeyed" in note for note in stage.notes)


async def test_a_provider_without_a_key_is_skipped_with_one_line(two, monkeypatch):
    stage = two()
    stage.providers[0]["key_env"] = "NO_SUCH_KEY"
    stage.replies = [DONE]

    result = await stage.run()

    assert (0, ["second"]) == (result.exit_code, [seen.provider for seen in stage.asked()])
    assert 1 == sum("provider first is skipped" in note for note in stage.notes)


async def test_twenty_runs_at_once_all_get_through_a_rate_limit(stages):
    """A10: every one of them is told 429 first, and none fails."""
    from agentctl.core.events import Completed
    from agentctl.runner import api as runner
    from agentctl.runner.order import Order
    from tests.runner.stage import Watcher

    stage = stages()
    stage.policy(retry={"max_attempts": 8})
    stage.replies = [DONE]
    stage.faults = [Fault("status", status=429, requests="1-20")]
    task = await stage.lay_out()

    watchers = [Watcher(stages()) for _ in range(20)]
    results = await asyncio.gather(
        *(runner.run(Order(task), store=None, listener=watcher, approver=None) for watcher in watchers)
    )

    assert [0] * 20 == [result.exit_code for result in results]
    assert 40 == len(stage.asked())
    assert all(isinstance(watcher.stage.stamped[-1].event, Completed) for watcher in watchers)
    assert 20 == len({json.dumps(result.body["run_id"]) for result in results})


async def test_above_its_share_of_the_budget_a_run_goes_on_with_the_cheapest_over_another_api(two):
    """D18, A84: in the middle of a run; the history crosses whole, no tool runs again, and the trace says why."""
    stage = two("messages", "chat")
    counter = stage.effect("send", side_effects="none")
    stage.providers[1] |= {"price": {"input": 0.1, "output": 0.5}, "priority": 9}
    stage.policy(route={"cheaper_above": 0.01}, budget={"run_usd": 1.0})
    stage.replies = [calls(("send", {"id": "a"}), usage=usage(2_000, 600)), calls(("send", {"id": "b"})), DONE]

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert ["first", "second", "second"] == [seen.provider for seen in stage.asked()]
    assert ["second: above 1% of run_usd"] == [one.reason for one in stage.events(Decided) if one.guard == "route"]
    assert 2 == len(counter.read_text().splitlines())
    assert '"a"' in sent(stage.asked()[1]).replace("\\", "")


async def test_a_rule_sends_the_simple_question_to_the_small_model(two):
    """D18"""
    stage = two()
    stage.policy(route={"rules": [{"provider": "second", "when": {"goal_max_chars": 200, "tools": 1}}]})
    stage.replies = [DONE]

    await stage.run()

    assert ["second"] == [seen.provider for seen in stage.asked()]
    assert [] == stage.events(FellBack)


@pytest.mark.parametrize("api", APIS)
async def test_a_slash_at_the_end_of_a_base_url_makes_no_other_server(stages, api):
    """E09: it shares the minute and the circuit, and is asked at the same path."""
    stage = stages(api)
    stage.replies = [DONE]
    plain = await stage.run()
    path = stage.folder / "policy.toml"
    text = path.read_text()
    (written,) = [line for line in text.splitlines() if line.startswith("base_url")]
    path.write_text(text.replace(written, f'{written[:-1]}/"'))
    stage.standin.set_position("", 0)
    slash = await stage.run(task=stage.folder / "task.toml")
    with stage.store() as journal:
        scopes = journal.read(lambda tx: tx.execute("SELECT DISTINCT scope FROM token_buckets").fetchall())

    assert (0, 0) == (plain.exit_code, slash.exit_code)
    assert 2 == len(stage.asked())
    assert 2 == len(scopes), "tokens and USD of one server"


async def test_a_circuit_that_somebody_reset_is_asked_again_in_the_middle_of_a_run(two):
    """C55: `agentctl circuits reset` helps the runs that are under way too."""
    stage = two()
    stage.policy(circuit={"failure_threshold": 1, "recovery_s": 600})
    stage.faults = [Fault("status", provider="first", status=529, requests="1")]
    stage.replies = [calls(("lookup", {"id": "a"})), calls(("lookup", {"id": "b"})), DONE]

    def reset():
        with stage.store() as journal:
            journal.write(lambda tx: tx.execute("DELETE FROM circuits"))

    stage.when(ToolFinished, reset)
    await stage.run()

    assert ["first", "second", "first", "first"] == [seen.provider for seen in stage.asked()]
    assert ("open", "closed") == [(moved.from_, moved.to) for moved in stage.events(CircuitMoved)][-1]


@pytest.mark.parametrize("status", [401, 429, 400])
async def test_a_probe_that_is_refused_was_answered_and_closes_the_circuit(two, status):
    """G6: 429 and other 4xx say nothing against a provider's health."""
    stage = two()
    stage.policy(circuit={"failure_threshold": 1, "recovery_s": 0.2}, retry={"max_attempts": 1})
    stage.faults = [
        Fault("status", provider="first", status=529, requests="1"),
        Fault("status", provider="first", status=status, requests="2"),
    ]
    stage.tool("rest", "sleep 0.25; echo 1")
    stage.replies = [calls(("rest", {"id": "a"})), DONE]
    stage.refusals_expected = True

    await stage.run()

    assert ("half_open", "closed") == [(moved.from_, moved.to) for moved in stage.events(CircuitMoved)][-1]


async def test_the_probe_of_a_tool_that_another_run_saw_failing_closes_its_circuit(stages):
    """H3: whoever comes after the rest probes, also a run that was never told."""
    stage = stages("messages")
    stage.policy(circuit={"tools": {"failure_threshold": 2, "recovery_s": 0.3}}, results={"max_attempts": 1})
    flag = stage.folder / "healed"
    stage.tool("look", f"test -f {flag} && echo 1 || exit 75")
    stage.replies = [calls(("look", {"id": name})) for name in "ab"] + [DONE]
    await stage.run()
    assert "open" == stage.events(CircuitMoved)[-1].to
    await asyncio.sleep(0.35)
    flag.write_text("")

    stage.standin, stage.replies = None, [calls(("look", {"id": "c"})), DONE]
    await stage.run()

    assert [("open", "half_open"), ("half_open", "closed")] == [
        (moved.from_, moved.to) for moved in stage.events(CircuitMoved)
    ]


async def test_a_call_that_probes_is_counted_before_the_next_one_is_decided(stages):
    """B24: of two calls under a limit of one more, one runs, though the first has to ask for its probe."""
    stage = stages("messages")
    stage.policy(circuit={"tools": {"failure_threshold": 2, "recovery_s": 0.3}}, results={"max_attempts": 1})
    flag = stage.folder / "healed"
    stage.tool("look", f"test -f {flag} && echo 1 || exit 75")
    stage.tool("other", "echo 2")
    stage.replies = [calls(("look", {"id": name})) for name in "ab"] + [DONE]
    await stage.run()
    await asyncio.sleep(0.35)
    flag.write_text("")

    stage.policy(budget={"max_tool_calls": 1})
    stage.standin, stage.replies = None, [calls(("look", {"id": "c"}), ("other", {"id": "d"})), DONE]
    assert 10 == (await stage.run()).exit_code

    assert ["look"] == [started.tool for started in stage.events(ToolStarted)]


async def test_a_probe_that_is_cut_short_gives_its_place_back(two):
    stage = two()
    stage.providers = stage.providers[:1]
    stage.policy(circuit={"failure_threshold": 1, "recovery_s": 0.2}, retry={"max_attempts": 1})
    stage.faults = [
        Fault("status", provider="first", status=529, requests="1"),
        Fault("hang", provider="first", requests="2"),
    ]
    stage.replies = [DONE]
    assert 14 == (await stage.run()).exit_code
    await asyncio.sleep(0.25)
    stage.signal_when_asked(signal.SIGINT, 2)
    assert 130 == (await stage.resume()).exit_code

    assert 0 == (await stage.resume()).exit_code
