"""A run from its first request to its answer, over each API: tools, thinking, errors, retries, order."""

import json

import pytest

from agentctl.core.events import Retried, Thought, ToolStarted
from tests.runner.stage import APIS, ModelAsked, ModelReplied, Reply, RunStarted, Stage, ToolFinished, calls, sent

ID = {"type": "object", "properties": {"id": {"type": "string", "minLength": 1}}, "required": ["id"]}
BODY = {
    "run_id", "session_id", "status", "reason", "exit_code", "answer", "output", "cost_usd", "usage", "cache_hit_ratio",
    "steps", "tool_calls", "retries", "providers", "degraded", "budget", "duration_s", "policy", "rehearsed", "resume",
}  # fmt: skip


def answers(seen) -> list[tuple[str, str]]:
    """The tool results of a request, in order, as (wire id, text)."""
    body, found = seen.body, []
    for item in body.get("messages") or body["input"]:
        if item.get("type") == "function_call_output":
            found.append((item["call_id"], item["output"]))
        elif item.get("role") == "tool":
            found.append((item["tool_call_id"], item["content"]))
        elif isinstance(item.get("content"), list):
            found += [(b["tool_use_id"], b["content"]) for b in item["content"] if b["type"] == "tool_result"]
    return found


@pytest.mark.parametrize("api", APIS)
async def test_a_task_is_done_with_parallel_tools_and_thinking(stages, api):
    """F04: the whole way over each API, as a rehearsal speaks it."""
    stage = stages(api)
    stage.rehearsed = True
    stage.tool("lookup", "cat")
    stage.tool("stock", "echo '{\"left\": 3}'")
    stage.replies = [
        calls(("lookup", {"id": "A-1"}), ("stock", {"id": "A-1"}), text="Let me see.", thinking="Two things to ask."),
        calls(("lookup", {"id": "A-2"}), thinking="One more."),
        Reply(text="It is on its way.", thinking="Done."),
    ]

    result = await stage.run()

    assert ("completed", "done", 0) == (result.status, result.reason, result.exit_code)
    assert "It is on its way." == result.answer == result.body["answer"]
    assert (3, 3) == (result.body["steps"], result.body["tool_calls"])
    assert result.resume is None
    first, second, third = stage.asked()
    assert [] == answers(first)
    assert ['{"id":"A-1"}', '{"left":3}'] == [
        json.dumps(json.loads(text)["data"], separators=(",", ":")) for _, text in answers(second)
    ]
    if api == "messages":
        assert ["Two things to ask.", "One more.", "Done."] == [thought.text for thought in stage.events(Thought)]
        assert 2 == sent(third).count('"signature": ')
    if api == "responses":
        assert 2 == sent(third).count('"encrypted_content": ')


async def test_the_result_has_every_key_of_the_contract(stage):
    stage.replies = [Reply(text="Yes.")]

    result = await stage.run()

    assert set() == BODY - result.body.keys()
    assert {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"} == set(result.body["usage"])
    assert {"run_usd", "max_steps", "max_tool_calls", "max_tool_errors", "max_wall_s"} <= set(result.body["budget"])
    assert {"used", "limit"} == set(result.body["budget"]["run_usd"])
    assert [{"name", "model", "calls", "cost_usd"}] == [set(one) for one in result.body["providers"]]
    assert {"name", "digest"} == set(result.body["policy"])
    assert 0 < result.body["cost_usd"] < 0.01
    json.dumps(result.body, allow_nan=False)


@pytest.mark.parametrize("api", APIS)
async def test_text_streams_to_the_listener(stages, api):
    stage = stages(api)
    stage.replies = [Reply(text="A long enough answer to come in pieces.", thinking="Hm.")]

    await stage.run()

    assert "A long enough answer to come in pieces." == "".join(d.text for d in stage.deltas if d.kind == "text")


async def test_reading_tools_run_side_by_side_and_answer_in_call_order(stage):
    """A78"""
    meet = 'touch "$1.here"; n=0; while [ ! -e "$2.here" ] && [ $n -lt 200 ]; do sleep 0.02; n=$((n+1)); done; '
    # Each waits for the other to have begun: one after the other they would fail.
    stage.tool("left", meet.replace("$1", "l").replace("$2", "r") + "[ -e r.here ] && sleep 0.1 && echo '\"left\"'")
    stage.tool("right", meet.replace("$1", "r").replace("$2", "l") + "[ -e l.here ] && echo '\"right\"'")
    stage.replies = [calls(("left", {}), ("right", {})), Reply(text="Both.")]

    await stage.run()

    assert ["right", "left"] == [done.tool for done in stage.events(ToolFinished)]
    texts = [json.loads(text)["data"] for _, text in answers(stage.asked()[1])]
    assert ["left", "right"] == texts


async def test_effects_run_one_after_the_other_and_after_what_reads(stage):
    slow = "echo begin-$AGENTCTL_CALL_ID >> order.log; sleep 0.05; echo end-$AGENTCTL_CALL_ID >> order.log; cat"
    stage.tool("read", slow)
    stage.tool("write", slow, side_effects="local")
    wanted = [("read", {"id": "1"}), ("write", {"id": "2"}), ("write", {"id": "3"}), ("read", {"id": "4"})]
    stage.replies = [calls(*wanted), Reply(text="Written.")]

    await stage.run()

    order = [f"{word}-c1.{n}" for n in (1, 2, 3, 4) for word in ("begin", "end")]
    assert order == (stage.folder / "order.log").read_text().split()


async def test_identical_calls_of_one_step_run_once_and_share_the_result(stage):
    """The same tool with the same arguments."""
    stage.tool("lookup", "echo x >> count.log; cat")
    wanted = [("lookup", {"id": name}) for name in "aab"]
    stage.replies = [calls(*wanted), Reply(text="Ok.")]

    await stage.run()

    assert 2 == len((stage.folder / "count.log").read_text().split())
    shared = [done for done in stage.events(ToolFinished) if done.shared_with]
    assert [("c1.2", "c1.1")] == [(done.call_id, done.shared_with) for done in shared]
    one, same, _ = (text for _, text in answers(stage.asked()[1]))
    assert one == same


async def test_a_shared_result_outlives_a_park(stage):
    """The call that shares comes after one that needs a person, and the answer comes in another process."""
    stage.tool("lookup", "cat")
    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("lookup", {"id": "a"}), ("refund", {}), ("lookup", {"id": "a"})), Reply(text="Ok.")]

    parked = await stage.run()
    stage.letter("approve", "c1.2")
    done = await stage.resume()

    assert (12, 0) == (parked.exit_code, done.exit_code)
    one, _, same = (text for _, text in answers(stage.asked()[1]))
    assert one == same
    assert 1 == len(log.read_text().split())


@pytest.mark.parametrize("api", APIS)
async def test_bad_arguments_are_corrected_by_the_model(stages, api):
    """A03 A04 A09: a list for a string never reaches the tool; the model is told and mends it."""
    stage = stages(api)
    stage.tool("search", "echo ran >> ran.log; cat", parameters=ID)
    stage.replies = [
        calls(("search", {"id": ["a", "b"]})),
        calls(("search", {"id": "a"})),
        Reply(text="Found."),
    ]

    result = await stage.run()

    assert 0 == result.exit_code
    assert ["ran"] == (stage.folder / "ran.log").read_text().split()
    told = json.loads(answers(stage.asked()[1])[0][1])
    assert ("INVALID_ARGS", "permanent", False, True) == (
        told["code"], told["error_type"], told["retry_safe"], told["error"],
    )  # fmt: skip
    assert told["message"].startswith("Bad tool arguments: ")
    assert all(word in told["hint"] for word in ("id", "string", "array"))
    assert "Traceback" not in sent(stage.asked()[1])


@pytest.mark.parametrize(
    ("strict", "args", "runs"),
    [(True, {"id": "a", "more": 1}, False), (False, {"id": "a", "more": 1}, True), (True, {"id": 5}, False)],
)
async def test_strict_refuses_what_the_schema_does_not_name(stage, strict, args, runs):
    """A05"""
    stage.policy(args={"strict": strict})
    stage.tool("search", "echo ran >> ran.log; cat", parameters=ID)
    stage.replies = [calls(("search", args)), Reply(text="So be it.")]

    await stage.run()

    assert runs == (stage.folder / "ran.log").exists()


async def test_an_unknown_tool_is_named_with_its_nearest(stage):
    """D08"""
    stage.tool("get_order", "cat")
    stage.tool("get_stock", "cat")
    stage.replies = [calls(("get_orders", {"id": "a"})), Reply(text="Sorry.")]

    result = await stage.run()

    told = json.loads(answers(stage.asked()[1])[0][1])
    assert (0, 0) == (result.exit_code, result.body["tool_calls"])
    assert "get_orders" in told["message"]
    assert "get_order" in told["hint"]
    assert ("permanent", False) == (told["error_type"], told["retry_safe"])


async def test_a_failure_that_may_pass_is_tried_again(stage):
    """B12: exit 75 is transient; the third try answers."""
    stage.tool("flaky", "echo x >> n.log; [ $(wc -l < n.log) -ge 3 ] || { echo busy >&2; exit 75; }; echo 1")
    stage.replies = [calls(("flaky", {})), Reply(text="At last.")]

    result = await stage.run()

    assert [1, 2, 3] == [started.attempt for started in stage.events(ToolStarted)]
    assert [0.01, 0.02] == [retry.delay_s for retry in stage.events(Retried)]
    assert "success" == stage.results()["c1.1"]["status"]
    assert (1, 2) == (result.body["tool_calls"], result.body["retries"])


async def test_after_the_last_try_the_model_goes_on_without_the_result(stage):
    """B19 G11: the count in the message is the real one."""
    stage.tool("flaky", "echo busy >&2; exit 75")
    stage.replies = [calls(("flaky", {})), Reply(text="Without it then.")]

    result = await stage.run()

    told = stage.results()["c1.1"]
    assert "Tool failed after 3 attempts: busy. Proceeding without this result." == told["message"]
    assert (False, 0) == (told["retry_safe"], result.exit_code)


@pytest.mark.parametrize("body", ["echo 'no such order' >&2; exit 3", "echo not json", "exit 137"])
async def test_what_will_not_pass_is_not_tried_again(stage, body):
    """B11: and it neither stops the run nor loops it."""
    stage.tool("broken", body)
    stage.replies = [calls(("broken", {})), Reply(text="Sorry.")]

    result = await stage.run()

    assert [1] == [started.attempt for started in stage.events(ToolStarted)]
    assert ("permanent", False) == tuple(stage.results()["c1.1"][key] for key in ("error_type", "retry_safe"))
    assert 0 == result.exit_code


async def test_a_late_tool_is_killed_and_an_effect_is_not_tried_again(stage):
    """B13: a timeout is transient where the call reads, unknown where it may have happened."""
    stage.tool("slow", "sleep 20", timeout_seconds=0.2)
    stage.tool("pay", "echo x >> pay.log; sleep 20", timeout_seconds=0.2, side_effects="local")
    stage.policy(results={"max_attempts": 2})
    stage.replies = [calls(("slow", {}), ("pay", {})), Reply(text="Late.")]

    await stage.run()

    read, paid = stage.results()["c1.1"], stage.results()["c1.2"]
    assert "Tool failed after 2 attempts: Timeout after 0.2s. Proceeding without this result." == read["message"]
    assert ("permanent", False, "UNKNOWN_OUTCOME") == (paid["error_type"], paid["retry_safe"], paid["code"])
    assert 1 == len((stage.folder / "pay.log").read_text().split())


async def test_the_call_limit_of_a_tool_is_named(stage):
    """D88"""
    stage.tool("lookup", "echo x >> n.log; cat", max_calls_per_session=2)
    stage.replies = [calls(*(("lookup", {"id": each}) for each in "abc")), Reply(text="Enough.")]

    await stage.run()

    told = stage.results()["c1.3"]
    assert "max_calls_per_session of 2" in told["message"]
    assert 2 == len((stage.folder / "n.log").read_text().split())


async def test_a_long_result_is_cut_visibly(stage):
    stage.tool("dump", "yes word | head -c 60000 | tr '\\n' ' ' | sed 's/^/\"/;s/$/\"/'")
    stage.policy(results={"max_tokens": 500})
    stage.replies = [calls(("dump", {})), Reply(text="Long.")]

    await stage.run()

    ((_, text),) = answers(stage.asked()[1])
    assert len(text) < 6_000
    assert "[… cut: " in text


async def test_a_reply_that_was_cut_goes_on_and_the_answer_is_whole(stage):
    stage.replies = [Reply(text="First half, ", stop="max_tokens"), Reply(text="second half.")]

    result = await stage.run()

    assert "First half, second half." == result.answer


async def test_an_empty_reply_is_asked_again_once(stage):
    stage.replies = [Reply(text=""), Reply(text="Here.")]

    result = await stage.run()

    assert ("Here.", 2) == (result.answer, len(stage.asked()))


async def test_variables_are_filled_and_journalled(stage):
    stage.task |= {"goal": "Find {{order}}.", "vars": {"order": {"type": "string", "required": True}}}
    stage.replies = [Reply(text="Found.")]

    await stage.run(variables={"order": "A-77"})

    (started,) = stage.events(RunStarted)
    assert ("Find A-77.", {"order": "A-77"}) == (started.goal, started.variables)
    assert "Find A-77." in sent(stage.asked()[0])


@pytest.mark.parametrize("most", [512, 1_024])
@pytest.mark.parametrize(
    ("api", "key"), zip(APIS, ("max_tokens", "max_output_tokens", "max_completion_tokens"), strict=True)
)
async def test_a_reply_is_as_long_as_its_provider_lets_it(stages, api, key, most):
    """A17, A81: in the request, and in what is reserved for it; the standard policy says 8,192."""
    stage = stages(api)
    stage.providers[0]["max_output_tokens"] = most
    stage.replies = [Reply(text="Yes.")]

    await stage.run()

    (asked,), (seen,) = stage.events(ModelAsked), stage.asked()
    assert most == seen.body[key] == asked.max_output_tokens
    assert asked.reserved_micro >= most * 15


async def test_what_was_sent_is_told_by_its_id(stage):
    """D119: as the data of a success."""
    stage.effect("send_note", 'echo \'{"message_id": "m-17"}\'')
    stage.replies = [calls(("send_note", {"id": "a"})), Reply(text="Sent.")]

    await stage.run()

    ((_, told),) = answers(stage.asked()[1])
    assert ("success", {"message_id": "m-17"}) == tuple(json.loads(told)[key] for key in ("status", "data"))


async def test_the_key_is_sent_and_nothing_is_stored(stages):
    stage = stages("responses")
    stage.replies = [Reply(text="Yes.")]

    await stage.run()

    (seen,) = stage.asked()
    assert seen.body["store"] is False
    assert seen.headers["authorization"].startswith("Bearer ")


async def test_each_guard_can_be_switched_off_alone(stages):
    """A02"""
    for name in ("budget", "tokens", "retry", "circuit", "context", "results", "loops", "args", "approval", "scrub"):
        stage: Stage = stages()
        stage.policy(**{name: {"enabled": False}})
        stage.tool("lookup", "cat")
        stage.replies = [calls(("lookup", {"id": "a"})), Reply(text="Done.")]

        result = await stage.run()

        assert (0, "Done.") == (result.exit_code, result.answer), name
        assert any(f"switched off by policy policy: {name}" == note for note in stage.notes)


async def test_the_cost_is_the_price_of_the_usage(stage):
    """A19 C22: the actual usage counts, not the reservation."""
    from tests.runner.stage import usage

    stage.replies = [Reply(text="Yes.", usage=usage(1_000_000, 100))]
    stage.policy(budget={"run_usd": 10.0})

    result = await stage.run()

    (reply,) = stage.events(ModelReplied)
    assert 3_001_500 == reply.cost_micro
    assert 3.0015 == result.body["cost_usd"]
