"""Money in whole runs: what the journal says was spent is what the stand-in billed, by the oracle's prices.

The stand-in's own books are read where it writes them: each reply with what it costs, whether it arrives or not.
"""

import json
import signal
from decimal import Decimal

import pytest

from agentctl.cli.main import main
from agentctl.rehearsal import handler
from agentctl.rehearsal.faults import INSTEAD
from tests.models.oracle import Oracle
from tests.runner.stage import APIS, Fault, ModelAsked, ModelFailed, ModelReplied, Reply, calls, usage

ORACLE = Oracle()
MODEL = {"messages": "claude-sonnet-4-6", "responses": "gpt-5.6-sol", "chat": "gpt-5.6-sol"}
DONE = Reply(text="Answered, in words enough for several chunks.", usage=usage(100, 20))
BROKEN = ("reset", "truncate", "stall", "error_event", "bad_json")
"""What breaks in the middle of a reply: Anthropic has told the prompt by then, OpenAI nothing."""
MUTE = ("hang", "garbage", "empty", "wrong_shape", "absurd_usage")
"""What tells nothing that can be believed."""


@pytest.fixture
def billed(monkeypatch):
    """What the stand-in wrote into its books: one entry for each reply that it began."""
    books = []
    real = handler.said

    def said(reply, asked, **how):
        spoken = real(reply, asked, **how)
        books.append((asked.model, spoken.figures))
        return spoken

    monkeypatch.setattr(handler, "said", said)
    return books


@pytest.fixture
def priced(stages):
    """A stage whose providers are the real ones, played: their prices come from the price data."""

    def make(api="messages", model=""):
        stage = stages(api)
        stage.rehearsed = True
        stage.providers[0] |= {"model": model or MODEL[api], "max_output_tokens": 2_000}
        stated = stage._provider
        stage._provider = lambda entry: {key: held for key, held in stated(entry).items() if key != "price"}
        stage.tool("lookup", "cat")
        return stage

    return make


def by_oracle(model, figures, output=None):
    """What these figures of the stand-in cost, in micro-dollars."""
    tokens = {"input": figures.fresh, "output": figures.output if output is None else output}
    tokens |= {"cache_read": figures.read, "cache_write": figures.write_5m, "cache_write_1h": figures.write_1h}
    return ORACLE.micro(model, tokens)


def entries(stage, billed):
    """Each request with its reservation, its outcome and the stand-in's entry, if it made one."""
    books = iter(billed)
    requests, asked = stage.asked(), stage.events(ModelAsked)
    for seen, intent, outcome in zip(requests, asked, stage.events(ModelReplied, ModelFailed), strict=True):
        wrote = seen.fault not in INSTEAD and seen.status == 200
        yield intent, outcome, next(books) if wrote else None
    assert [] == list(books)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", [*BROKEN, *MUTE])
async def test_a_broken_call_is_settled_at_the_most_it_can_have_cost(priced, billed, api, kind):
    """A18: the prompt where it was told and all output that was allowed; else the whole reservation."""
    stage = priced(api)
    stage.providers[0]["timeout_s"] = 0.3
    stage.replies = [calls(("lookup", {"id": "a"}), text="Let me look.", usage=usage(104, 41)), DONE]
    stage.faults = [Fault(kind, requests="1")]

    result = await stage.run()

    total = 0
    for intent, outcome, entry in entries(stage, billed):
        cost = 0 if entry is None else by_oracle(*entry)
        if isinstance(outcome, ModelFailed):
            told = kind in BROKEN and api == "messages"
            most = by_oracle(*entry, output=intent.max_output_tokens) if told else intent.reserved_micro
            assert cost <= outcome.cost_micro == most <= intent.reserved_micro
            cost = most
        assert cost == outcome.cost_micro
        total += cost
    assert 0 < total == round(result.body["cost_usd"] * 1e6)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("status", [400, 429, 500, 529])
async def test_what_was_refused_before_it_began_costs_nothing(priced, billed, api, status):
    stage = priced(api)
    stage.replies = [DONE]
    stage.faults = [Fault("status", status=status, requests="1")]

    result = await stage.run()

    ((_, failed, entry), *answered) = entries(stage, billed)
    assert (0, None) == (failed.cost_micro, entry)
    total = sum(by_oracle(*entry) for _, _, entry in answered)
    assert total == round(result.body["cost_usd"] * 1e6)
    assert (total > 0) == (status != 400)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", ["hang", "stall"])
async def test_a_call_that_is_cut_short_is_settled_at_its_reservation(priced, api, kind):
    stage = priced(api)
    stage.replies = [DONE]
    stage.faults = [Fault(kind, requests="1")]
    stage.signal_when_asked(signal.SIGINT)

    paused = await stage.run()

    (asked,), (failed,) = stage.events(ModelAsked), stage.events(ModelFailed)
    assert ("paused", "cancelled") == (paused.status, failed.kind)
    assert 0 < asked.reserved_micro == failed.cost_micro == round(paused.body["cost_usd"] * 1e6)


@pytest.mark.parametrize("api", APIS)
async def test_a_whole_reply_that_is_of_no_use_costs_what_it_says(priced, billed, api):
    """The usage is told, though the reply asks for more tools than any reply may."""
    stage = priced(api)
    stage.policy(retry={"max_attempts": 1})
    stage.replies = [calls(*(("lookup", {"id": str(n)}) for n in range(65)), usage=usage(1_234, 567))]

    result = await stage.run()

    ((_, failed, entry),) = entries(stage, billed)
    assert "malformed" == failed.kind
    assert 0 < by_oracle(*entry) == failed.cost_micro == round(result.body["cost_usd"] * 1e6)


@pytest.mark.parametrize(("api", "ttl"), [("messages", "5m"), ("messages", "1h"), ("responses", "5m"), ("chat", "5m")])
async def test_cache_reads_and_writes_cost_what_the_stand_in_s_cache_says(priced, billed, api, ttl):
    """A19, C22: with its real cache, for both lifetimes."""
    stage = priced(api)
    stage.policy(cache={"ttl": ttl})
    stage.task["system"] = "You are a clerk, and a patient one. " * 400
    stage.replies = [calls(("lookup", {"id": name * 900}), text=name) for name in "abcd"] + [Reply(text="Done.")]

    result = await stage.run()

    seen = list(entries(stage, billed))
    assert [by_oracle(*entry) for _, _, entry in seen] == [outcome.cost_micro for _, outcome, _ in seen]
    assert all(outcome.cost_micro <= intent.reserved_micro for intent, outcome, _ in seen)
    assert sum(by_oracle(*entry) for entry in billed) == round(result.body["cost_usd"] * 1e6)
    written = "write_1h" if ttl == "1h" else "write_5m"
    assert all(sum(getattr(figures, kind) for _, figures in billed) > 1_000 for kind in ("read", written))


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize(
    ("api", "model", "size"),
    [("messages", "claude-haiku-5-5", 100_000), ("responses", "gpt-5.4", 272_000), ("chat", "gpt-6-luna", 272_000)],
)
async def test_a_long_prompt_has_its_own_rate_from_the_first_token_above(priced, billed, api, model, size, over):
    stage = priced(api, model)
    stage.replies = [Reply(text="Done.", usage=usage(size + over, 1_003))]

    result = await stage.run()

    ((_, replied, entry),) = entries(stage, billed)
    assert by_oracle(*entry) == replied.cost_micro == round(result.body["cost_usd"] * 1e6)
    base = ORACLE.price(model, "input", 0) * (size + over) * 10**6
    assert (replied.cost_micro > 1.9 * float(base)) == bool(over)


def figures(text):
    """Every amount of dollars in a text."""
    return [Decimal(word.strip("$,.:").replace(",", "")) for word in text.split() if word.startswith("$")]


async def test_result_runs_show_events_and_trace_tell_one_sum(priced, billed, capfd):
    """A run with a cut reply, an error in a stream, a rate limit, a refused key, and a second provider."""
    stage = priced()
    stage.providers[0] |= {"name": "first", "priority": 1}
    second = {"name": "second", "api": "chat", "model": "gpt-5.4", "priority": 2, "max_output_tokens": 2_000}
    stage.providers.append(second)
    # Every call costs whole hundreds of micro-dollars: the trace shows no more digits.
    stage.replies = [
        calls(("lookup", {"id": "a"}), text="Let me look.", usage=usage(1_300, 40)),
        calls(("lookup", {"id": "b"}), text="Once more.", usage=usage(1_600, 80)),
        Reply(text="Answered.", usage=usage(2_000, 20)),
    ]
    stage.faults = [
        Fault("truncate", provider="first", requests="1"),
        Fault("status", provider="first", requests="2", status=429),
        Fault("error_event", provider="first", requests="4", status=529),
        Fault("status", provider="first", requests="5", status=401),
    ]

    result = await stage.run()

    def told(*arguments):
        assert main([*arguments, "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    capfd.readouterr()
    shown, (listed,) = told("show", stage.run_id), told("runs")["items"]
    traced = [figures(item["detail"]) for item in told("trace", stage.run_id)["items"]]
    assert main(["show", stage.run_id]) == 0
    page = capfd.readouterr().out
    *each, (total,) = [amounts for amounts in traced if amounts]

    outcomes = stage.events(ModelReplied, ModelFailed)
    assert ["truncated", "rate_limit", "overloaded", "auth"] == [failed.kind for failed in stage.events(ModelFailed)]
    most = [by_oracle(*entry, output=2_000) for entry in (billed[0], billed[2])]
    expected = sum(most) + sum(by_oracle(*billed[at]) for at in (1, 3, 4))
    assert expected == sum(outcome.cost_micro for outcome in outcomes)  # and the ledger's, by the stage
    sums = [result.body["cost_usd"], shown["cost_usd"], listed["cost_usd"]]
    sums += [sum(one["cost_usd"] for one in body["providers"]) for body in (result.body, shown)]
    sums += [sum(amount for amounts in each for amount in amounts), total]
    sums += [body["budget"]["run_usd"]["used"] for body in (result.body, shown)]
    assert [expected] * len(sums) == [round(float(one) * 1e6, 3) for one in sums]
    assert result.body["providers"] == shown["providers"]
    assert [Decimal(expected) / 10**6, *(Decimal(str(one["cost_usd"])) for one in shown["providers"])] == [
        amount for line in page.splitlines() if line.startswith(("cost ", "provider")) for amount in figures(line)
    ]
