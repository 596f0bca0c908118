"""The prompt prefix that a provider remembers: the defaults, what is a miss, and why it was one."""

import dataclasses

import pytest

from agentctl.core import events as e
from agentctl.core.guards import cache
from agentctl.core.guards.cache import EMPTY, Request, Rules, apply, missed, rewritten, why
from agentctl.core.messages import Usage

CLAUDE, GPT = "anthropic||claude", "openai||gpt"
NAMES = {CLAUDE: "anthropic", GPT: "openai"}


def test_a_prefix_lives_for_five_minutes():
    rules = Rules()

    assert (True, "5m") == (rules.enabled, rules.ttl)


def test_half_of_the_input_is_expected_from_the_cache():
    assert 0.5 == Rules().min_hit_ratio


def asked(identity=CLAUDE, purpose="answer"):
    return e.ModelAsked(NAMES[identity], identity, "m", 1, purpose, 9_000, 100, 1)


def replied(identity=CLAUDE, read=0, write=0, purpose="answer"):
    usage = Usage(100, 10, read, write)
    return e.ModelReplied(NAMES[identity], identity, "m", usage, 1, 1, "end_turn", "", (), purpose, 10)


def after(*events, step=10.0):
    """The state after these, each `step` seconds after the one before."""
    state = EMPTY
    for seq, event in enumerate(events, 1):
        state = apply(state, e.Stamped("r", seq, "s", 1, 1_000.0 + seq * step, event))
    return state


WARM = (asked(), replied(write=8_000), asked())


def request(read=0, **changes):
    return dataclasses.replace(Request(read, 9_000, "answer", 300.0, 1_024), **changes)


def test_a_read_is_held_against_what_the_last_request_read_and_wrote():
    """A53"""
    state = after(asked(), replied(read=6_000, write=2_000), asked())

    assert not missed(state, CLAUDE, 7_900)
    assert missed(state, CLAUDE, 6_000)
    assert missed(state, CLAUDE, 0)
    assert not missed(state, GPT, 0)
    assert not missed(after(asked(), replied(), asked()), CLAUDE, 0)


def test_a_summary_has_a_prefix_of_its_own():
    state = after(*WARM[:2], asked(), replied(purpose="summary"), asked())

    assert missed(state, CLAUDE, 0)
    assert 8_000 == state.known[CLAUDE].held


@pytest.mark.parametrize(
    ("state", "seen", "told"),
    [
        (after(*WARM[:2], e.ContextTrimmed(9, 10, 3, 7), asked()), {}, "the history was trimmed"),
        (after(*WARM, step=200.0), {}, "the TTL ran out: 400s since the last request, 300s are kept"),
        (after(*WARM), {"prompt": 800}, "about 800 tokens: the provider caches nothing below 1,024"),
        (after(*WARM), {"changed": "first differing byte 1,204: tools"}, "first differing byte 1,204: tools"),
        (
            after(*WARM[:2], asked(GPT), replied(GPT), asked()),
            {},
            "another provider answered meanwhile (openai)",
        ),
        (
            after(*WARM[:2], e.Resumed(3, "ada", fixed_tokens=9), asked()),
            {},
            "the run was resumed with another system prompt or other tools",
        ),
        (
            after(*WARM),
            {"purpose": "landing"},
            "a last answer forbids the tools, which are part of what messages are cached by",
        ),
        (after(*WARM), {"diagnosis": "system_changed"}, "system changed, says the provider"),
        (
            after(*WARM[:2], e.ContextTrimmed(9, 10, 3, 7), asked()),
            {"diagnosis": "messages_changed"},
            "messages changed, says the provider; the history was trimmed",
        ),
        (after(*WARM), {}, "the provider does not say why"),
    ],
)
def test_a_miss_is_explained(state, seen, told):
    """A53, C55, C13"""
    assert told == why(state, CLAUDE, request(**seen))


def test_an_answer_by_the_same_provider_clears_what_happened_before_it():
    state = after(*WARM[:2], e.ContextTrimmed(9, 10, 3, 7), asked(), replied(write=4_000), asked())

    assert "" == state.known[CLAUDE].since


def started(system="s", tools="t", **definitions):
    return e.RunStarted(
        "t", "p", "d", "u", "", "g", "s", 1, 1, definitions or {"add": "1", "send": "1"},
        prefix=system + tools, prefix_system=system, prefix_tools=tools,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (started(), ""),
        (started("S"), "system"),
        (started(tools="T", add="2", send="1"), "tools: add"),
        (started(tools="T", add="1"), "tools: send"),
        (started(tools="T"), "tools"),
        (started("S", "T", add="1", send="1", find="1"), "system; tools: find"),
        (dataclasses.replace(started("S"), prefix_system="", prefix_tools=""), "system or tools"),
    ],
)
def test_what_a_deploy_changed_is_named(now, what):
    assert what == rewritten(started(), now)
    assert what == rewritten(now, started())


def test_the_state_is_bounded_by_the_providers():
    events = [event for _ in range(50) for each in (CLAUDE, GPT) for event in (asked(each), replied(each, 9, 9))]

    assert {CLAUDE, GPT} == after(*events).known.keys()
    assert cache.EMPTY.known == {}
