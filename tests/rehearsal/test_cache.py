"""The cache model reads, writes and forgets as the providers say they do."""

import pytest

SONNET = "claude-sonnet-4-6"
EPHEMERAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
async def standin(start):
    return await start('[[reply]]\ntext = "ok"', clock=Clock())


@pytest.fixture
def ask(standin, raw):
    async def send(body, **whom):
        path = "/v1/responses" if "input" in body else "/v1/messages"
        path = "/v1/chat/completions" if body["model"] == "chat" else path
        response = await raw(standin).post(path, body, **whom)
        assert 200 == response.status_code, response.text
        return response.json()["usage"]

    return send


def request(size=8_000, control=EPHEMERAL, model=SONNET, **more):
    system = [{"type": "text", "text": "s" * size, "cache_control": control}]
    user = [{"role": "user", "content": "x" * 400}]
    return {"model": model, "max_tokens": 9, "system": system, "messages": user} | more


def split(usage):
    return (
        usage["input_tokens"],
        usage["cache_read_input_tokens"],
        usage["cache_creation_input_tokens"],
    )


async def test_a_marked_prefix_is_written_once_and_read_from_then_on(ask):
    first, second = split(await ask(request())), split(await ask(request()))

    assert (0, 0) == (first[1], second[2])
    assert first[2] == second[1] > 2_000
    assert 100 < first[0] == second[0] < 120


async def test_without_markers_nothing_is_cached(ask):
    body = request() | {"system": "s" * 8_000}

    for _ in range(2):
        assert (0, 0) == split(await ask(body))[1:]


async def test_reads_are_shared_by_runs_but_not_by_models_or_providers(ask):
    await ask(request(), run="r_1")

    assert split(await ask(request(), run="r_2"))[1] > 0
    assert 0 == split(await ask(request(model="claude-sonnet-4-5")))[1]
    assert 0 == split(await ask(request(), provider="q"))[1]


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("claude-opus-5", 512),
        ("claude-sonnet-5-5", 512),
        ("claude-sonnet-5", 1_024),
        (SONNET, 1_024),
        ("claude-opus-4-8", 1_024),
        ("claude-opus-4-7", 2_048),
        ("claude-opus-4-6", 4_096),
        ("claude-haiku-4-5", 4_096),
        ("claude-haiku-5-5", 512),
    ],
)
async def test_a_prefix_below_the_models_minimum_is_not_cached_in_silence(ask, model, least):
    below = await ask(request(size=(least - 20) * 4, model=model))
    above = await ask(request(size=(least + 20) * 4, model=model))

    assert (0, 0) == split(below)[1:]
    assert split(above)[2] >= least


@pytest.mark.parametrize(("control", "life"), [(EPHEMERAL, 300), (HOUR, 3600)])
async def test_an_entry_lives_its_time_and_a_read_starts_it_again(ask, standin, control, life):
    clock = standin._handler.cache._clock
    await ask(request(control=control))

    clock.now += life - 1
    assert split(await ask(request(control=control)))[1] > 0
    clock.now += life - 1
    assert split(await ask(request(control=control)))[1] > 0
    clock.now += life + 1
    assert 0 == split(await ask(request(control=control)))[1]


async def test_writes_are_told_apart_by_lifetime(ask):
    body = request(control=HOUR)
    body["messages"][0]["content"] = [{"type": "text", "text": "x" * 4_000, "cache_control": EPHEMERAL}]

    usage = await ask(body)

    hour, short = (usage["cache_creation"][f"ephemeral_{ttl}_input_tokens"] for ttl in ("1h", "5m"))
    assert hour > 2_000
    assert 1_000 < short < 1_100
    assert hour + short == usage["cache_creation_input_tokens"]
    assert usage["input_tokens"] == 0


async def test_a_growing_conversation_reads_what_it_wrote_and_writes_what_is_new(ask):
    messages = [{"role": "user", "content": "x" * 4_000}]
    written = 0
    for _ in range(4):
        usage = await ask(request(messages=messages, cache_control=EPHEMERAL))
        fresh, read, new = split(usage)
        assert (0, written) == (fresh, read)
        written += new
        messages = [
            *messages,
            {"role": "assistant", "content": "y" * 400},
            {"role": "user", "content": "z" * 400},
        ]


@pytest.mark.parametrize(("blocks", "found"), [(20, True), (21, False)])
async def test_a_marker_finds_an_entry_at_most_twenty_blocks_before_it(ask, blocks, found):
    def marked(count):
        content = [{"type": "text", "text": f"{n}" + "x" * 4_400} for n in range(count)]
        content[-1]["cache_control"] = EPHEMERAL
        return {"model": SONNET, "max_tokens": 9, "messages": [{"role": "user", "content": content}]}

    await ask(marked(1))

    assert found == (split(await ask(marked(1 + blocks)))[1] > 0)


async def test_a_changed_byte_before_the_marker_is_a_miss_and_one_after_it_is_not(ask):
    await ask(request())
    changed = request()
    changed["system"][0]["text"] = "S" + changed["system"][0]["text"][1:]

    assert 0 == split(await ask(changed))[1]
    assert split(await ask(request(messages=[{"role": "user", "content": "other"}])))[1] > 0


async def test_tools_come_before_system_and_tool_choice_loses_only_the_messages(ask):
    tools = [{"name": "t", "input_schema": {"type": "object"}}]
    body = request(tools=tools, cache_control=EPHEMERAL)
    await ask(body)
    chosen = split(await ask(body | {"tool_choice": {"type": "none"}}))
    renamed = split(await ask(body | {"tools": [tools[0] | {"name": "u"}]}))

    assert chosen[1] > 2_000
    assert chosen[2] > 0
    assert 0 == renamed[1]


async def test_prewarming_writes_the_prefix_and_plays_no_reply(ask, standin):
    warmed = await ask(request(max_tokens=0))
    used = await ask(request())

    assert (split(warmed)[2], 0) == (split(used)[1], warmed["output_tokens"])
    assert 1 == standin.position()


async def test_counted_tokens_are_the_tokens_of_the_reply(ask, standin, raw):
    body = request()
    counted = await raw(standin).post(
        "/v1/messages/count_tokens", {key: body[key] for key in body if key != "max_tokens"}
    )

    assert sum(split(await ask(body))) == counted.json()["input_tokens"]


async def test_openai_caches_by_itself_from_1024_tokens_on_in_steps_of_128(ask):
    def body(size, tail="x", model="gpt-5.4"):
        entries = [
            {"role": "developer", "content": "s" * size * 4},
            {"role": "user", "content": tail},
        ]
        return {"model": model, "input": entries}

    async def cached(*args, **keys):
        details = (await ask(body(*args, **keys)))["input_tokens_details"]
        return details["cached_tokens"], details["cache_write_tokens"]

    assert [(0, 0)] * 2 == [await cached(900) for _ in range(2)]
    assert [(0, 0), (1_152, 0)] == [await cached(1_200), await cached(1_200, "other")]
    assert (0, 1_152) == await cached(1_200, model="gpt-5.6-sol")
    assert (1_152, 0) == await cached(1_200, model="gpt-5.6-sol")


async def test_chat_totals_include_what_was_cached(ask):
    body = {"model": "chat", "messages": [{"role": "user", "content": "x" * 8_000}]}

    first, second = await ask(body), await ask(body)

    assert first["prompt_tokens"] == second["prompt_tokens"] > 2_000
    assert second["prompt_tokens_details"]["cached_tokens"] > 1_900


async def test_what_is_written_can_be_read_once_the_reply_begins(start, raw):
    import asyncio

    standin = await start('[[reply]]\ntext = "1"\ndelay_s = 0.2\n[[reply]]\ntext = "2"')
    caller = raw(standin)
    slow = asyncio.create_task(caller.post("/v1/messages", request()))
    await asyncio.sleep(0.05)

    early = await caller.post("/v1/messages", request())
    await slow
    late = await caller.post("/v1/messages", request())

    assert 0 == split(early.json()["usage"])[1]
    assert split(late.json()["usage"])[1] > 0


async def test_requests_that_come_together_do_not_read_each_other(start, raw):
    """An entry can be read once the first reply begins, and a cache is looked into when a request comes."""
    import asyncio

    standin = await start('[[reply]]\ntext = "ok"\ndelay_s = 0.2')
    caller = raw(standin)

    both = await asyncio.gather(*(caller.post("/v1/messages", request()) for _ in range(2)))
    late = await caller.post("/v1/messages", request())

    assert [0, 0] == [split(each.json()["usage"])[1] for each in both]
    assert split(late.json()["usage"])[1] > 0


def marked(size, *texts, marks=(), mode="implicit", model="gpt-5.6-sol"):
    """A Responses request whose developer message, and the messages at `marks`, end with a breakpoint."""
    said = ["s" * size * 4, *texts]
    entries = []
    for at, text in enumerate(said):
        part = {"type": "input_text", "text": text}
        if at in (0, *marks):
            part["prompt_cache_breakpoint"] = {"mode": "explicit"}
        entries.append({"role": "user" if at else "developer", "content": [part]})
    return {"model": model, "input": entries, "prompt_cache_options": {"mode": mode, "ttl": "30m"}}


async def openai_split(ask, body):
    usage = await ask(body)
    details = usage["input_tokens_details"]
    fresh = usage["input_tokens"] - details["cached_tokens"] - details["cache_write_tokens"]
    return fresh, details["cached_tokens"], details["cache_write_tokens"]


async def test_a_breakpoint_ends_an_entry_exactly_and_other_prefixes_end_none(ask):
    await openai_split(ask, marked(1_500, "first question"))
    _, read, _ = await openai_split(ask, marked(1_500, "another one"))

    assert 1_500 < read < 1_520
    assert read % 128

    unmarked = marked(1_500, "a third one")
    del unmarked["input"][0]["content"][0]["prompt_cache_breakpoint"]
    await openai_split(ask, unmarked | {"model": "gpt-6"})
    assert 0 == (await openai_split(ask, unmarked | {"model": "gpt-6", "input": [*unmarked["input"][:1]]}))[1]


async def test_only_the_last_breakpoints_are_written(ask):
    """Three beside the implicit one, four without it."""
    texts = ["x" * 800 for _ in range(6)]
    await openai_split(ask, marked(1_500, *texts, marks=range(1, 6)))

    assert 0 == (await openai_split(ask, marked(1_500, "other")))[1]

    await openai_split(ask, marked(1_500, *texts[:4], marks=(1, 2, 3), mode="explicit", model="gpt-6"))
    assert (await openai_split(ask, marked(1_500, "other", model="gpt-6")))[1] > 1_500


async def test_explicit_mode_without_a_breakpoint_writes_nothing(ask):
    body = marked(1_500, "question", mode="explicit")
    del body["input"][0]["content"][0]["prompt_cache_breakpoint"]

    assert [(0, 0)] * 2 == [(await openai_split(ask, body))[1:] for _ in range(2)]


@pytest.mark.parametrize("model", ["gpt-5.4", "gpt-5.5-pro", "o3", "gpt-4o"])
@pytest.mark.parametrize("param", ["prompt_cache_options", "prompt_cache_breakpoint"])
async def test_older_models_refuse_what_came_later(standin, raw, model, param):
    body = marked(10, model=model)
    if param == "prompt_cache_options":
        del body["input"][0]["content"][0]["prompt_cache_breakpoint"]
    else:
        del body["prompt_cache_options"]

    response = await raw(standin).post("/v1/responses", body)

    assert 400 == response.status_code
    assert response.json()["error"]["param"].endswith(param)


@pytest.mark.parametrize(
    ("options", "param"),
    [({"ttl": "1h"}, "ttl"), ({"mode": "auto"}, "mode")],
)
async def test_options_that_nobody_knows_are_refused(standin, raw, options, param):
    response = await raw(standin).post("/v1/responses", marked(10) | {"prompt_cache_options": options})

    assert (400, f"prompt_cache_options.{param}") == (response.status_code, response.json()["error"]["param"])


async def test_chat_knows_one_lifetime_and_breakpoints_in_its_parts(standin, raw):
    part = {"type": "text", "text": "s", "prompt_cache_breakpoint": {"mode": "explicit"}}
    body = {"model": "gpt-5.6", "messages": [{"role": "system", "content": [part]}]}
    post = raw(standin).post

    assert 200 == (await post("/v1/chat/completions", body)).status_code
    assert 400 == (await post("/v1/chat/completions", body | {"model": "gpt-5.4"})).status_code
    late = body | {"prompt_cache_options": {"ttl": "12h"}}
    assert 400 == (await post("/v1/chat/completions", late)).status_code
