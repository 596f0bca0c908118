"""A tool's arguments are checked before the tool runs; the model is told what was wrong."""

from agentctl.core import events as ev
from agentctl.core.guards import args
from agentctl.core.guards.args import Rules
from tests.play import Asks, Reply, Script, asks, call, contract, played, policy

BAD = call("look", bad=["a", "list"])
LOOK = contract("look")
HINT = "Expected string for 'query', got array. Ensure arguments match the tool schema."


def test_arguments_are_checked_before_the_function_runs():
    """A03"""
    play = played(policy(), Script([asks(BAD), Reply("done")]), LOOK)

    assert [] == play.of(ev.ToolStarted)
    assert [False] == [end.ran for end in play.answers]


def test_a_list_for_a_string_is_refused_and_the_field_is_named():
    """C02"""
    problem = args.check(Rules(), LOOK, {"bad": []}, "")

    assert problem is not None
    assert HINT == problem.hint


def test_the_message_begins_with_bad_tool_arguments():
    """A07, C17"""
    problem = args.check(Rules(), LOOK, {"bad": []}, "")

    assert problem is not None
    assert "Bad tool arguments: 'query' must be a string" == problem.message
    assert "INVALID_ARGS" == problem.code


def test_one_envelope_has_the_keys_of_all_three_shapes():
    """A06, G10, C48"""
    problem = args.check(Rules(), LOOK, {"bad": []}, "")

    assert problem is not None
    assert {
        "status": "error",
        "data": None,
        "error_type": "permanent",
        "retry_safe": False,
        "code": "INVALID_ARGS",
        "message": "Bad tool arguments: 'query' must be a string",
        "hint": HINT,
        "error": True,
    } == problem.as_json()


def test_the_model_reads_the_problem_and_corrects_itself():
    """A09, C80, C81"""
    play = played(policy(), Script([asks(BAD), asks(call("look", q="ok")), Reply("done")]), LOOK)

    assert ["error", "success"] == [end.status for end in play.answers]
    assert ("completed", "done") == (play.state.run.status, play.state.run.answer)


def test_checks_are_strict_and_the_answer_is_structured():
    """C60"""
    rules = Rules()

    assert rules.strict
    assert rules.enabled
    assert "structured" == rules.error_format


def test_types_are_strict():
    """A05: rejected, never coerced."""
    assert Rules().strict
    assert None is args.check(Rules(), LOOK, {"q": 1}, "")


def test_with_throw_the_run_fails_and_says_what_was_wrong():
    """C69"""
    rules = Rules(error_format="throw")
    play = played(policy(args=rules), Script([asks(BAD), Reply("done")]), LOOK)
    end = play.of(ev.Completed)[-1]

    assert ("failed", "invalid_args", 15) == (end.status, end.reason, end.exit_code)
    assert f"Bad tool arguments: 'query' must be a string. {HINT}" == end.message
    assert 1 == len(play.asked)


def test_arguments_that_are_no_object_are_refused_whatever_the_rules():
    for rules in (Rules(), Rules(enabled=False)):
        problem = args.check(rules, LOOK, None, "[1, 2")

        assert problem is not None
        assert "Bad tool arguments: not a JSON object: [1, 2" == problem.message


def test_what_came_instead_of_an_object_is_shown_in_part():
    problem = args.check(Rules(), LOOK, None, "x" * 5_000)

    assert problem is not None
    assert len(problem.message) < 200


def test_the_guard_can_be_off():
    play = played(policy(args=Rules(enabled=False)), Script([asks(BAD), Reply("done")]), LOOK)

    assert 1 == len(play.of(ev.ToolStarted))


def test_a_bad_call_does_not_use_up_the_tools_own_limit():
    play = played(
        policy(),
        Script([asks(BAD), asks(call("look", q=1)), Reply("done")]),
        contract("look", max_calls_per_session=1),
    )

    assert [False, True] == [end.ran for end in play.answers]


def test_a_reply_that_is_no_json_does_not_end_the_run():
    play = played(policy(), Script([asks(Asks("look", None)), Reply("done")]), LOOK)

    assert "Bad tool arguments: not a JSON object: not json" == play.answers[0].result["message"]
    assert "completed" == play.state.run.status
