"""Drills in which the model or its provider misbehaves: each passes where the policy holds, and fails where not.

A weak policy is the shipped `standard` with one key, or as few as it takes, set to another value. That the key which is
named would have held is seen by the drill itself, which is played again with it.
"""

from dataclasses import replace

import pytest

from agentctl.core.events import ModelReplied, Retried
from tests.drills.playing import FREE, SHAPE, a_task, play, tool, verdicts

LIGHT = ("search-loop", "malformed-replies", "unknown-tool")
ALL = ("rate-limits", "context-overflow", *LIGHT, "output-format")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """All of them, under a policy that holds."""
    folder = tmp_path_factory.mktemp("sound")
    return play(a_task(folder, *FREE), folder / "stores", *ALL)


@pytest.fixture
def task(tmp_path):
    return a_task(tmp_path, *FREE)


def test_the_standard_policy_holds_in_all_of_them(sound):
    assert dict.fromkeys(ALL, True) == verdicts(sound)
    assert not [each.outcome.fix for each in sound.values() if each.outcome.fix]


# --- Rate limits ----------------------------------------------------------------------------------


def test_twenty_clients_survive_a_provider_that_is_too_busy(sound):
    """A10, A21, C82: everybody is answered; those who were refused at once come back at moments of their own."""
    first, asked, busy = (sound["rate-limits"].seen.of(act) for act in range(3))

    assert (20, 20, 2) == (len(first), len(asked), len(busy))
    assert {0} == {client.exit_code for client in (*first, *asked, *busy)}
    delays = [event.event.delay_s for client in first for event in client.events if isinstance(event.event, Retried)]
    assert 20 == len(delays)
    assert 15 < len(set(delays))


def test_a_client_that_comes_back_before_its_time_is_found(sound):
    """A21: no sooner than it was asked to."""
    played = sound["rate-limits"]
    hurried = [
        replace(request, at=request.at - 1_000) if request.act == 1 and not request.fault else request
        for request in played.seen.requests
    ]

    finding = played.judged(requests=tuple(hurried))

    assert not finding.held
    assert "after a Retry-After of 2 s" in finding.observed


def test_a_client_that_asks_more_often_than_it_may_is_found(sound):
    """C42"""
    played = sound["rate-limits"]

    finding = played.judged(requests=played.seen.requests * 3)

    assert not finding.held
    assert "more than retry.max_attempts" in finding.observed


def test_a_client_that_is_always_refused_gives_up_at_max_attempts(sound, task, tmp_path):
    """C42. A retry that never ends is found."""
    patient = play(task, tmp_path / "stores", "rate-limits", retry__max_attempts=6)["rate-limits"]

    usual = sound["rate-limits"]
    asked = [
        sum(each.act == 3 and each.provider == "anthropic" for each in played.seen.requests)
        for played in (usual, patient)
    ]
    finding = usual.judged(requests=patient.seen.requests)

    assert [4, 6] == asked
    assert patient.outcome.passed
    assert "at most 6 requests each to one provider: more than retry.max_attempts" in finding.observed


def test_a_wave_without_jitter_comes_back_as_one(task, tmp_path):
    """C42: and no other drill minds."""
    played = play(task, tmp_path / "stores", "rate-limits", *LIGHT, retry__jitter=False)

    assert {"rate-limits": False, **dict.fromkeys(LIGHT, True)} == verdicts(played)
    assert "at the same instant" in played["rate-limits"].outcome.observed
    assert "retry.jitter = true" == played["rate-limits"].outcome.fix


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [("retry__enabled", False, "retry.enabled = true"), ("retry__max_attempts", 1, "retry.max_attempts = 4")],
)
def test_who_does_not_try_again_loses_its_clients(task, tmp_path, key, value, fix):
    """A10"""
    played = play(task, tmp_path / "stores", "rate-limits", **{key: value})["rate-limits"]

    assert (False, fix) == (played.outcome.passed, played.outcome.fix)
    assert "42 clients, 40 failed" in played.outcome.observed


# --- Context --------------------------------------------------------------------------------------


def test_what_is_larger_than_the_window_never_reaches_the_provider(sound):
    """A22, D14: trimmed before it is sent; a goal that can't be trimmed is not sent at all."""
    played = sound["context-overflow"]

    assert {200} == {request.status for request in played.seen.requests}
    assert not [request for request in played.seen.requests if request.act == 1]
    assert "Too large a goal: Context too large: " in played.outcome.observed
    assert played.seen.of(1)[0].message.startswith("Context too large: ")


def test_a_request_without_the_goal_is_found(sound):
    """D14"""
    played = sound["context-overflow"]
    *before, last = played.seen.requests

    finding = played.judged(requests=(*before, replace(last, body={"messages": [], "model": "any"})))

    assert (False, True) == (finding.held, "1 without the goal" in finding.observed)


def test_without_the_context_guard_the_provider_refuses(task, tmp_path):
    """C11: and no other drill minds."""
    played = play(task, tmp_path / "stores", "context-overflow", *LIGHT, context__enabled=False)

    assert {"context-overflow": False, **dict.fromkeys(LIGHT, True)} == verdicts(played)
    assert "refused by the provider" in played["context-overflow"].outcome.observed
    assert "context.enabled = true" == played["context-overflow"].outcome.fix


# --- Searches -------------------------------------------------------------------------------------


def test_a_search_that_finds_nothing_ends_soon(sound):
    """A31, A38, C37: rephrased or repeated to the letter."""
    rephrased, identical = sound["search-loop"].seen.clients

    assert ("no_progress", "loop") == (rephrased.reason, identical.reason)
    assert max(rephrased.steps, identical.steps) < 8


def test_without_the_guards_it_goes_on_for_as_long_as_it_may(task, tmp_path):
    """A31, C05: and no other drill minds."""
    weak = {"progress__enabled": False, "loops__enabled": False, "budget__max_steps": 100}

    played = play(task, tmp_path / "stores", *LIGHT, **weak)

    assert {**dict.fromkeys(LIGHT, True), "search-loop": False} == verdicts(played)
    assert "rephrased: 40 searches in 41 steps" in played["search-loop"].outcome.observed
    assert "progress.enabled = true" == played["search-loop"].outcome.fix


# --- Replies --------------------------------------------------------------------------------------


def test_no_reply_is_so_bad_that_the_run_breaks(sound):
    """E01: each is made good by the next one, and paid for as far as it can be believed."""
    clients = sound["malformed-replies"].seen.clients

    assert [0] * 9 == [client.exit_code for client in clients]
    assert all(0 < client.cost_usd < 1 for client in clients)


def test_a_policy_that_throws_on_bad_arguments_ends_that_run_as_it_says(task, tmp_path):
    """C41"""
    played = play(task, tmp_path / "stores", "malformed-replies", args__error_format="throw")["malformed-replies"]

    assert played.outcome.passed
    assert "8 runs ended well, 1 stopped by invalid_args" in played.outcome.observed


@pytest.mark.parametrize(
    ("befallen", "said"),
    [
        ({"exit_code": 1, "status": "failed", "reason": "defect"}, "failed, defect (1)"),
        ({"exit_code": 14, "status": "failed", "reason": "providers", "resumable": False}, "failed, providers (14)"),
        ({"cost_usd": -0.01}, "a cost of $-0.0100"),
        ({"cost_usd": 3e9}, "a cost of $3000000000.0000"),
        ({"body": {"usage": {"input_tokens": -7}}}, "a usage of {'input_tokens': -7}"),
    ],
)
def test_a_run_that_breaks_or_pays_what_can_not_be_is_found(sound, befallen, said):
    """E01"""
    played = sound["malformed-replies"]
    first, *others = played.seen.clients

    finding = played.judged(clients=(replace(first, **befallen), *others))

    assert not finding.held
    assert f"after garbage: {said}" == finding.observed.strip()


# --- Tools that are none --------------------------------------------------------------------------


def test_a_tool_that_is_none_does_not_run_and_the_nearest_is_named(sound):
    """D08"""
    played = sound["unknown-tool"]
    asked = [
        call.tool
        for event in played.seen.clients[0].events
        if isinstance(event.event, ModelReplied)
        for call in event.event.calls
    ]

    assert ["search_note", "wipe"] == asked
    assert not played.seen.uses
    assert "1 unknown and 1 forbidden, none ran; told of search_notes as the nearest" in played.outcome.observed


def test_without_the_rules_a_forbidden_tool_runs(task, tmp_path):
    """D08: and no other drill minds."""
    played = play(task, tmp_path / "stores", *LIGHT, risk__enabled=False)

    assert {**dict.fromkeys(LIGHT, True), "unknown-tool": False} == verdicts(played)
    assert "wipe ran, which a rule of the policy forbids" == played["unknown-tool"].outcome.observed
    assert "risk.enabled = true" == played["unknown-tool"].outcome.fix


# --- Answers --------------------------------------------------------------------------------------


def test_a_hostile_answer_is_one_line_of_json(sound):
    """A77: a megabyte with control characters, direction marks and halves of surrogate pairs."""
    (client,) = sound["output-format"].seen.clients

    assert 0 == client.exit_code
    assert 999_000 < len(client.answer)


def test_an_answer_of_the_wrong_shape_is_sent_back(tmp_path):
    """A77: prose, then another shape, then the right one."""
    steps = [{"tool": "lookup", "args": {"query": "a"}}]
    shaped = a_task(tmp_path, tool("lookup"), output={"schema": SHAPE}, steps=steps)

    played = play(shaped, tmp_path / "stores", "output-format", *LIGHT)

    assert dict.fromkeys([*LIGHT, "output-format"], True) == verdicts(played)
    assert "2 wrong answers sent back" in played["output-format"].outcome.observed


def test_too_few_tries_are_the_tasks_own_matter(tmp_path):
    """A77: no key of the policy helps, and the advice says what does."""
    strict = a_task(tmp_path, tool("lookup"), output={"schema": SHAPE, "retries": 0})

    played = play(strict, tmp_path / "stores", "output-format", *LIGHT)

    assert {**dict.fromkeys(LIGHT, True), "output-format": False} == verdicts(played)
    assert "[output] retries = 2, in the task" == played["output-format"].outcome.fix


# --- What does not apply, and what is said twice --------------------------------------------------


def test_a_task_without_tools_is_spared_what_needs_one(tmp_path):
    played = play(a_task(tmp_path), tmp_path / "stores", "context-overflow", *LIGHT)

    assert {"context-overflow": True, "search-loop": None, "malformed-replies": True, "unknown-tool": None} == verdicts(
        played
    )
    assert "the task has no tools" == played["unknown-tool"].outcome.observed


def test_the_same_seed_says_the_same(sound, task, tmp_path):
    again = play(task, tmp_path / "stores", *LIGHT)

    assert {name: sound[name].outcome.observed for name in again} == {
        name: each.outcome.observed for name, each in again.items()
    }
