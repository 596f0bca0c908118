"""Streams that break and replies that make no sense, in a whole run: it recovers, and nothing that was paid is lost.

That the ledger holds the sum of the events' costs, and no hold is left, is checked by the stage after every drive.
"""

import pytest

from tests.runner.stage import APIS, Fault, ModelAsked, ModelFailed, ModelReplied, Reply, calls, usage

DONE = Reply(text="Answered, in words enough for several chunks.", usage=usage(100, 20))
KINDS = {
    "status": "overloaded",
    "reset": "connection",
    "truncate": "truncated",
    "garbage": "malformed",
    "error_event": "overloaded server",
    "empty": "malformed",
    "bad_json": "malformed",
    "wrong_shape": "malformed",
}
SILENT = {"hang": "timeout", "stall": "timeout"}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", [*KINDS, *SILENT])
async def test_the_next_attempt_mends_it(stages, api, kind):
    """E01: a call that came to nothing is a failure, never an answer, and is made again."""
    stage = stages(api)
    if kind in SILENT:
        stage.providers[0]["timeout_s"] = 0.3
    stage.tool("lookup", "cat")
    stage.replies = [calls(("lookup", {"id": "a"}), text="Let me look.", usage=usage(100, 20)), DONE]
    stage.faults = [Fault(kind, requests="1"), Fault(kind, requests="3")]

    result = await stage.run()

    assert (0, DONE.text) == (result.exit_code, result.answer)
    assert 4 == len(stage.asked())
    first, second = stage.events(ModelFailed)
    assert first.kind == second.kind
    assert first.kind in (KINDS | SILENT)[kind].split()
    assert 2 == result.body["retries"]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", [*KINDS])
async def test_what_never_gets_better_ends_with_14(stages, api, kind):
    stage = stages(api)
    stage.policy(retry={"max_attempts": 2})
    stage.replies = [DONE]
    stage.faults = [Fault(kind)]

    result = await stage.run()

    assert ("failed", "providers", 14, "") == (result.status, result.reason, result.exit_code, result.answer)
    assert 2 == len(stage.asked()) == len(stage.events(ModelFailed))


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", ["reset", "truncate", "stall", "hang"])
async def test_what_may_have_been_billed_counts_as_spent(stages, api, kind):
    """A18: the reservation is settled in full where nobody knows better, never forgotten and never more."""
    stage = stages(api)
    stage.providers[0]["timeout_s"] = 0.3
    stage.policy(retry={"max_attempts": 1})
    stage.replies = [Reply(text=DONE.text, usage=usage(20, 20))]  # a prompt as small as was estimated
    stage.faults = [Fault(kind)]

    result = await stage.run()

    (asked,), (failed,) = stage.events(ModelAsked), stage.events(ModelFailed)
    assert 0 < failed.cost_micro <= asked.reserved_micro
    assert failed.cost_micro / 1e6 == result.body["cost_usd"]


@pytest.mark.parametrize("status", [429, 500, 503, 529])
async def test_what_was_refused_costs_nothing(stage, status):
    stage.policy(retry={"max_attempts": 2})
    stage.replies = [DONE]
    stage.faults = [Fault("status", status=status)]

    assert 0 == (await stage.run()).body["cost_usd"]


@pytest.mark.parametrize("api", APIS)
async def test_a_slow_stream_is_only_slow(stages, api):
    stage = stages(api)
    stage.providers[0]["timeout_s"] = 0.5
    stage.replies = [DONE]
    stage.faults = [Fault("slow", delay_s=0.05)]

    result = await stage.run()

    assert (0, DONE.text, 1) == (result.exit_code, result.answer, len(stage.asked()))


@pytest.mark.parametrize("api", APIS)
async def test_a_call_that_takes_too_long_in_all_is_cut(stages, api):
    """E02"""
    stage = stages(api)
    stage.providers[0] |= {"timeout_s": 5.0, "deadline_s": 0.3}
    stage.policy(retry={"max_attempts": 1})
    stage.replies = [DONE]
    stage.faults = [Fault("slow", delay_s=0.2)]

    result = await stage.run()

    assert (14, ["timeout"]) == (result.exit_code, [failed.kind for failed in stage.events(ModelFailed)])


@pytest.mark.parametrize("api", APIS)
async def test_arguments_that_are_no_json_are_told_to_the_model(stages, api):
    """A09 C80: the call is answered like any bad call, and the model mends it."""
    stage = stages(api)
    stage.tool("lookup", "echo ran >> ran.log; cat")
    stage.replies = [calls(("lookup", {"id": "a"})), calls(("lookup", {"id": "b"})), DONE]
    stage.faults = [Fault("bad_args", requests="1")]

    result = await stage.run()

    assert 0 == result.exit_code
    assert "INVALID_ARGS" == stage.results()["c1.1"]["code"]
    assert ["ran"] == (stage.folder / "ran.log").read_text().split()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("figure", ["negative", "huge", "null", "hollow", "missing"])
async def test_absurd_usage_neither_breaks_the_ledger_nor_is_free(stages, api, figure):
    """E01: no NaN, nothing negative, no reply for nothing."""
    stage = stages(api)
    stage.tool("lookup", "cat")
    stage.replies = [calls(("lookup", {"id": "a"})), DONE]
    stage.faults = [Fault("absurd_usage", usage=figure, requests="1")]

    result = await stage.run()

    counts = result.body["usage"]
    assert all(count >= 0 for count in counts.values())
    assert result.body["cost_usd"] > 0
    for event in stage.events(ModelReplied, ModelFailed):
        assert event.cost_micro >= 0
    if figure != "huge":  # that one is believed as far as money goes: it may end the run
        assert (0, DONE.text) == (result.exit_code, result.answer)


async def test_a_reply_that_asks_for_too_many_tools_is_a_failed_call(stage):
    stage.policy(retry={"max_attempts": 1})
    stage.tool("lookup", "cat")
    stage.replies = [calls(*(("lookup", {"id": str(n)}) for n in range(65)))]

    result = await stage.run()

    assert (14, ["malformed"]) == (result.exit_code, [failed.kind for failed in stage.events(ModelFailed)])


async def test_a_server_that_is_not_there_costs_nothing(stage):
    """E01"""
    stage.providers[0]["base_url"] = "http://127.0.0.1:9/"
    stage.policy(retry={"max_attempts": 2})

    result = await stage.run()

    assert (14, 0) == (result.exit_code, result.body["cost_usd"])
    assert ["connection"] * 2 == [failed.kind for failed in stage.events(ModelFailed)]
