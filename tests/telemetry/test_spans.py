"""The fold from events to spans, for whatever a run may be."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentctl.core import events as e
from agentctl.core.summary import Summary, apply
from agentctl.telemetry.measures import INSTRUMENTS
from agentctl.telemetry.span import Span, span_id, trace_id
from agentctl.telemetry.spans import MOST_HAPPENINGS, Tracing, spans
from agentctl.telemetry.words import server
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, plays
from tests.play import Play

MARK = "M4rk-of-what-was-said"
SAID = {"goal", "system", "text", "message", "why", "output", "summary", "refusal", "notice", "answer"}
"""Fields that hold what somebody wrote."""


def told(events: list[e.Stamped], content: bool = False) -> tuple[list[Span], Tracing]:
    tracing, found = Tracing(content), []
    for stamped in events:
        found += tracing.take(stamped)[0]
    return found, tracing


def marked(stamped: e.Stamped) -> e.Stamped:
    """The same event with the mark wherever somebody's words stand."""
    event: Any = stamped.event
    changes: dict[str, Any] = {name: MARK for name in SAID if isinstance(getattr(event, name, None), str)}
    if isinstance(event, e.ToolStarted | e.ApprovalRequested | e.CallEdited):
        changes["args"] = {"q": MARK}
    if isinstance(event, e.ToolFinished):
        changes["result"] = {"status": event.status, "message": MARK, "data": [MARK]}
        changes["code"] = MARK
    if isinstance(event, e.ModelReplied):
        changes["model"] = f"{MARK} says"
        changes["calls"] = tuple(replace(call, args={"q": MARK}) for call in event.calls)
    if isinstance(event, e.FellBack | e.ProviderOut):
        changes["reason"] = f"server: {MARK}"
    if isinstance(event, e.Decided | e.Waited | e.HandedOff):
        changes["reason"] = MARK
    return replace(stamped, event=replace(event, **changes))


@examples(25)
@given(plays(crashes=True), st.booleans())
def test_every_call_is_one_span_below_its_drive_and_ends_after_it_began(play: Play, content: bool):
    """D53"""
    run_through(play)
    found = spans(play.events, content=content)
    drives = {span.span_id: span for span in found if span.parent is None}

    assert len({span.span_id for span in found}) == len(found)
    assert {trace_id("r_1")} == {span.trace_id for span in found}
    assert all(span.start <= span.end for span in found)
    assert all(span.parent in drives for span in found if span.parent is not None)
    begun = [one.seq for one in play.events if isinstance(one.event, e.ModelAsked | e.ToolStarted)]
    assert {span_id("r_1", seq) for seq in begun} == {span.span_id for span in found} - drives.keys()
    assert all(span.name.startswith("invoke_agent") for span in drives.values())


@examples(25)
@given(plays(crashes=True), st.data())
def test_who_goes_on_with_a_run_tells_what_nobody_has_told_and_nothing_twice(play: Play, data: st.DataObject):
    """So a trace is whole, whoever drove the run when."""
    run_through(play)
    at = data.draw(st.integers(0, len(play.events)))
    whole, _ = told(play.events)
    first, tracing = told(play.events[:at])
    rest = [span for stamped in play.events[at:] for span in tracing.take(stamped)[0]]

    assert whole == first + rest


@examples(25)
@given(plays(crashes=True))
def test_tokens_and_dollars_stand_on_model_calls_alone_and_add_up(play: Play):
    run_through(play)
    totals, measured = Summary(), []
    tracing = Tracing()
    for stamped in play.events:
        totals = apply(totals, stamped.event)
        measured += tracing.take(stamped)[1]
    found = spans(play.events)
    priced = [span for span in found if "agentctl.cost_usd" in span.attributes]

    assert {"chat"} >= {span.attributes["gen_ai.operation.name"] for span in priced}
    for key, tokens in (("input", totals.usage.prompt), ("output", totals.usage.output)):
        assert tokens == sum(int(span.attributes.get(f"gen_ai.usage.{key}_tokens", 0)) for span in found)
        of_kind = [each for each in measured if each.attributes.get("gen_ai.token.type") == key]
        assert tokens == sum(each.value for each in of_kind)
    assert not [key for span in found if span.parent is None for key in span.attributes if "usage" in key]
    dollars = sum(each.value for each in measured if each.name == "agentctl.cost.usd")
    assert totals.cost_micro == round(dollars * 1e6)
    assert totals.cost_micro == round(sum(float(span.attributes["agentctl.cost_usd"]) for span in priced) * 1e6)
    assert {each.name for each in measured} <= INSTRUMENTS.keys()


@examples(25)
@given(plays(crashes=True))
def test_what_was_said_is_told_with_content_alone(play: Play):
    """D55"""
    run_through(play, lives=2)
    events = [marked(stamped) for stamped in play.events]

    assert MARK not in repr(spans(events))
    assert MARK in repr(spans(events, content=True))


@examples(25)
@given(plays())
def test_every_failed_call_has_its_exception(play: Play):
    """D56"""
    run_through(play, lives=1)
    calls = [span for span in spans(play.events) if span.parent is not None]

    for span in calls:
        raised = [one for one in span.happenings if one.name == "exception"]
        assert (span.status == "error") == bool(raised) == ("error.type" in span.attributes)
        for one in raised:
            assert one.attributes["exception.type"]
            assert one.attributes["exception.message"]


def stamped(*events: Any, run_id: str = "r_1") -> list[e.Stamped]:
    return [e.Stamped(run_id, seq, "s_1", 1, 100.0 + seq, event) for seq, event in enumerate(events, 1)]


STARTED = e.RunStarted("errand", "cautious", "d", "ada", "acme", "goal", "system", 1, 1, {"send": "d1"})
DONE = e.Completed("completed", "done", 0, 0, "")
ASKED = e.ModelAsked("main", "anthropic||model-a", "model-a", 1, "answer", 10, 20, 30)


def lost(kind: str = "unknown_outcome") -> e.ModelFailed:
    return e.ModelFailed("main", "anthropic||model-a", kind, None, None, "its driver died", 1, "answer", 30, 0)


def test_a_driver_that_died_leaves_its_spans_to_the_next_one_as_of_its_last_event():
    ran = e.ToolStarted("c1.1", "send", {}, "low", 1, True, 5.0)
    events = stamped(STARTED, ran, e.Resumed(2, "ada"), DONE)
    late = [*events[:2], *(replace(one, ts=one.ts + 3600) for one in events[2:])]
    _, tracing = told(late[:2])
    closed, _ = tracing.take(late[2])
    (last,), _ = tracing.take(late[3])

    assert ["execute_tool send", "invoke_agent errand"] == [span.name for span in closed]
    assert {102.0} == {span.end for span in closed}
    assert {"error"} == {span.status for span in closed}
    assert ["unknown_outcome", "crashed"] == [span.attributes["error.type"] for span in closed]
    assert (closed[1].trace_id, closed[1].span_id) == (last.links[0].trace_id, last.links[0].span_id)


def test_a_model_call_that_the_next_driver_settles_ends_when_its_own_one_died():
    events = stamped(STARTED, ASKED, lost(), e.Resumed(3, "ada"), DONE)
    late = [*events[:2], *(replace(one, ts=one.ts + 3600) for one in events[2:])]
    (chat, *_), _ = told(late)

    assert ("chat model-a", 102.0) == (chat.name, chat.end)


def test_a_fork_links_to_its_parent_and_tells_nothing_of_what_it_copied():

    reply = e.ToolFinished("c1.1", "send", "success", None, False, 5, {}, 1)
    copied = [STARTED, e.ToolStarted("c1.1", "send", {}, "low", 1, True, 5.0), reply, e.Resumed(3, "ada")]
    forked = [e.Forked("r_0", 4, "ada"), e.Resumed(5, "ada"), ASKED, lost("server"), DONE]
    found = spans(stamped(*copied, *forked, run_id="r_2"))

    assert ["chat model-a", "invoke_agent errand"] == [span.name for span in found]
    assert {trace_id("r_2")} == {span.trace_id for span in found}
    assert (trace_id("r_0"), span_id("r_0", 4)) == (found[1].links[0].trace_id, found[1].links[0].span_id)
    assert span_id("r_2", 5) == found[1].span_id == found[0].parent


def test_a_call_that_was_not_run_is_an_event_and_a_tool_that_there_is_not_has_no_name():
    def refused(tool: str, code: str) -> e.ToolFinished:
        return e.ToolFinished("c1.1", tool, "error", "permanent", False, 0, {}, 1, code, ran=False)

    (root,) = spans(stamped(STARTED, refused("send", "DENIED"), refused(MARK, "UNKNOWN_TOOL"), DONE))

    assert ["agentctl.call_answered"] * 2 == [one.name for one in root.happenings]
    assert ["send", None] == [one.attributes.get("tool.name") for one in root.happenings]
    assert MARK not in repr(root)


def test_a_run_that_is_not_over_is_marked_and_a_long_one_is_bounded():
    waits = [e.Waited("pace", 1.0)] * (MOST_HAPPENINGS + 7)
    chat, root = spans(stamped(STARTED, ASKED, *waits))

    assert chat.attributes["agentctl.unfinished"] is True
    assert root.attributes["agentctl.unfinished"] is True
    assert (MOST_HAPPENINGS, 7) == (len(root.happenings), root.dropped)


def test_what_a_run_waited_for_is_no_error_and_a_limit_is_one():
    def status(*end: Any) -> tuple[str, Any]:
        (root,) = spans(stamped(STARTED, e.Completed(*end, 0, "")))
        return root.status, root.attributes.get("error.type")

    assert ("ok", None) == status("completed", "done", 0)
    assert ("unset", None) == status("parked", "approval", 12)
    assert ("error", "run_usd") == status("stopped", "run_usd", 10)


def test_the_server_is_the_one_that_is_asked():
    own = {"server.address": "api.anthropic.com", "server.port": 443}

    assert own == server("anthropic||m")
    assert {"server.address": "10.0.0.1", "server.port": 8080} == server("openai|http://10.0.0.1:8080/v1|m")
    assert {} == server("openai|http://[|m")
    assert {} == server("other||m")


def test_a_drive_is_under_the_policy_that_it_went_on_with():
    resumed = e.Resumed(2, "ada", policy_digest="d2", policy="/srv/policies/strict.toml")
    paused = replace(DONE, status="paused")
    first, second, third = spans(stamped(STARTED, paused, resumed, paused, e.Resumed(4, "ada"), DONE))

    assert [("cautious", "d"), ("strict", "d2"), ("strict", "d2")] == [
        (span.attributes["agentctl.policy.name"], span.attributes["agentctl.policy.digest"])
        for span in (first, second, third)
    ]
