"""What the cache did for a run is recorded after each reply, and why, where it did not do what it should."""

import pytest

from agentctl.core.events import CacheSeen, ContextTrimmed
from tests.runner.stage import APIS, Fault, Reply, calls

LONG = "Be careful with money. " * 800
DONE = Reply(text="Done.")
LOOKS = [calls(*(("lookup", {"id": f"{at}"}) for at in range(3)), text="Look.") for _ in range(3)]


def seen(stage):
    return stage.events(CacheSeen)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("rehearsed", [False, True])
async def test_a_run_reads_what_it_has_written_and_no_miss_is_told(stages, api, rehearsed):
    """A51: each reply's usage is recorded."""
    stage = stages(api)
    stage.rehearsed = rehearsed
    stage.tool("lookup", "cat")
    stage.task["system"] = LONG
    stage.replies = [*LOOKS, DONE]

    done = await stage.run()

    assert 0.6 < done.body["cache_hit_ratio"] < 1
    assert {""} == {each.miss_reason for each in seen(stage)}
    assert done.body["usage"]["cache_read_tokens"] == seen(stage)[-1].read


@pytest.mark.parametrize("model", ["gpt-5.6-sol", "gpt-6-luna"])
@pytest.mark.parametrize("api", ["responses", "chat"])
async def test_breakpoints_are_read_too(stages, api, model):
    stage = stages(api)
    stage.rehearsed = True
    stage.tool("lookup", "cat")
    stage.task["system"] = LONG
    stage.providers = [{"name": "main", "api": api, "model": model}]
    stage.replies = [*LOOKS, DONE]

    done = await stage.run()

    assert 0.6 < done.body["cache_hit_ratio"] < 1
    assert 0 < done.body["usage"]["cache_write_tokens"]
    assert {""} == {each.miss_reason for each in seen(stage)}


async def test_a_trim_is_a_miss_that_says_so(stage):
    """A53, C55"""
    stage.rehearsed = True
    stage.tool("lookup", """printf '"%s"' "$(head -c 9000 /dev/zero | tr '\\0' x)\"""")
    stage.task["system"] = LONG
    context = {"max_tokens": 12_000, "hard_limit_tokens": 16_000, "keep_recent": 1}
    stage.policy(context=context, progress={"enabled": False})
    stage.replies = [calls(("lookup", {"id": f"{at}"})) for at in range(9)] + [DONE]

    await stage.run()

    trims = [at.seq for at in stage.of(ContextTrimmed)]
    misses = [at for at in stage.of(CacheSeen) if at.event.miss_reason]
    assert trims
    assert {"messages changed, says the provider; the history was trimmed"} == {at.event.miss_reason for at in misses}
    assert len(misses) == len(trims)


async def test_a_lifetime_that_ran_out_is_told_in_seconds(stage, monkeypatch):
    from agentctl.runner import caching

    monkeypatch.setattr(caching, "lifetime_s", lambda *_: 0.2)
    stage.rehearsed = True
    clock = [0.0]
    stage.standin_options["clock"] = lambda: clock[0]
    stage.tool("lookup", "sleep 0.4; cat")
    stage.task["system"] = LONG
    stage.replies = [calls(("lookup", {"id": "1"})), DONE]
    stage.when(CacheSeen, lambda: clock.__setitem__(0, 1_000.0))

    await stage.run()

    assert seen(stage)[-1].miss_reason.startswith("the TTL ran out: ")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"system": LONG + "Be kind."}, "system"),
        ({"tools": "Looks something else up."}, "tools: lookup"),
    ],
)
async def test_a_deploy_that_changes_the_prefix_is_a_miss_with_its_owner(stage, change, told):
    """A53, C46: the first run after it says whose change it was."""
    stage.tool("lookup", "cat")
    stage.task["system"] = LONG
    stage.replies = [DONE]
    await stage.run()
    await stage.run()
    assert [""] == [each.miss_reason for each in seen(stage)]

    if "system" in change:
        stage.task["system"] = change["system"]
    else:
        stage.tools[0]["description"] = change["tools"]
    before = stage.run_id
    await stage.run()

    assert [f"the prefix has changed since {before}: {told}"] == [each.miss_reason for each in seen(stage)]


async def test_a_prefix_too_small_to_be_cached_is_no_miss(stage):
    stage.replies = [DONE]
    await stage.run()
    stage.task["system"] = "You are a butler."
    await stage.run()

    assert [] == seen(stage)


async def test_another_provider_in_between_is_no_miss_as_long_as_the_prefix_stands(stages):
    stage = stages("messages")
    stage.rehearsed = True
    stage.tool("lookup", "cat")
    stage.task["system"] = LONG
    stage.providers = [{"name": "main", "api": "messages"}, {"name": "spare", "api": "responses", "priority": 2}]
    stage.policy(retry={"max_attempts": 1})
    stage.faults = [Fault(kind="status", provider="main", requests="2", status=500)]
    stage.replies = [*LOOKS, DONE]

    await stage.run()

    assert {""} == {each.miss_reason for each in seen(stage)}


async def test_a_cache_that_is_off_says_nothing(stage):
    stage.task["system"] = LONG
    stage.policy(cache={"enabled": False})
    stage.replies = [DONE]

    await stage.run()

    assert [] == seen(stage)
