"""Drills of the user's own: what they may say, and that each expectation can hold and fail."""

import re
import tomllib
from pathlib import Path

import pytest

from agentctl.cli import topics
from agentctl.config import schema
from agentctl.errors import Invalid
from agentctl.rehearsal.drills import names, registry
from agentctl.rehearsal.drills.own import OwnDrill
from agentctl.runner.drills import own
from agentctl.runner.drills.drilling import Wanted, run
from agentctl.runner.drills.expecting import judged
from agentctl.runner.order import Order

BAD = sorted((Path(__file__).parent / "bad").glob("*.toml"))
EXPECT = re.compile(r"# expect: (\d+):(\d+) (\S+|\S*\"[^\"]*\"\S*): (.+)")
REFUND = """
[drill]
name = "mine"
{drill}

[[reply]]
calls = [{{ tool = "get_order_status", args = {{ order_id = {order} }} }}]

[[reply]]
calls = [{{ tool = "send_refund", args = {{ order_id = "A-1001", amount_usd = 10 }} }}]

[[reply]]
text = "Somebody will call you."

[[person]]
tool = "send_refund"
answer = "n"

{more}

[expect]
{expect}
"""


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_bad_file_is_told_what_is_wrong_and_where(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    found = EXPECT.fullmatch(path.read_text().split("\n")[0])

    assert found, path

    with pytest.raises(Invalid) as caught:
        own.load([Path(path.name)])

    (problem,) = caught.value.problems
    message, _, suggestion = found[4].partition(" | ")

    assert (int(found[1]), int(found[2]), found[3]) == (problem.line, problem.column, problem.key)
    assert (path.name, message, suggestion) == (problem.file, problem.message, problem.suggestion)


def test_a_folder_stands_for_its_files_and_names_are_their_own(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.toml").write_text(f'[drill]\nname = "{name}"\n[expect]\nexit_code = 0\n')

    assert ["a", "b"] == [each.name for each in own.load([tmp_path])]

    with pytest.raises(Invalid, match="the name of another drill"):
        own.load([tmp_path, tmp_path / "a.toml"])
    with pytest.raises(Invalid, match="no such file"):
        own.load([tmp_path / "bad"])


def test_the_names_for_a_tab_are_those_of_the_drills_in_their_order():
    """F08"""
    played = [each.name for each in registry.DRILLS]

    assert [name for name in names.NAMES if name in played] == played
    assert len(set(names.NAMES)) == 15


def test_the_drill_of_the_help_page_is_one():
    blocks = re.findall(r"```toml\n(.*?)```", topics.text("drills"), re.DOTALL)

    assert [] == schema.read(OwnDrill, tomllib.loads(blocks[0]))[1]


@pytest.fixture
def play(demo, tmp_path):
    class Nobody:
        def begun(self, *_):
            pass

        ended = begun

    def play(expect, *, drill="", more="", order='"A-1001"', policy=None, **wanted):
        path = tmp_path / "mine.toml"
        path.write_text(REFUND.format(expect=expect, drill=drill, more=more, order=order))
        folder = tmp_path / f"played-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        task = Order(demo / "task.toml", policy)
        (outcome,) = run(Wanted(task, own.load([path]), folder, **wanted), Nobody())
        return outcome

    return play


def test_what_is_expected_holds_or_is_named_with_what_came_instead(play):
    good = """
        status = "completed"
        reason = "done"
        exit_code = 0
        min_steps = 3
        max_steps = 3
        max_cost_usd = 0.05
        min_tool_calls = 1
        max_tool_calls = 1
        answer_contains = ["Somebody"]
        answer_lacks = ["refund"]
        events = ["approval_decided"]
        no_events = ["circuit"]
        asked = ["send_refund"]
        ran = ["get_order_status"]
        never_ran = ["send_refund"]
        never_written = ["a text that nobody wrote"]
        requests = { anthropic = { min = 3, max = 3 }, openai = { max = 0 } }
    """
    held = play(good)

    assert (held.passed, held.fix) == (True, "")
    assert held.observed.startswith("completed: done; 3 steps, 1 tool calls, 3 requests, $0.00")

    for line, said in (
        ('status = "stopped"', "expected status stopped, got completed"),
        ("exit_code = 10", "expected exit code 10, got 0"),
        ("max_steps = 2", "expected at most 2 steps, got 3"),
        ("min_tool_calls = 2", "expected at least 2 tool calls, got 1"),
        ("max_cost_usd = 0.0001", "expected at most $0.0001, got $0.0"),
        ("max_minutes = 0", "expected at most 0 minutes, got 0.0"),
        ('answer_contains = ["refund"]', "the answer lacks 'refund'"),
        ('answer_lacks = ["Somebody"]', "the answer holds 'Somebody'"),
        ('events = ["circuit"]', "no event circuit"),
        ('no_events = ["tool_call"]', "an event tool_call"),
        ('asked = ["get_order_status"]', "nobody was asked about get_order_status"),
        ('ran = ["send_refund"]', "send_refund was not called"),
        ('never_ran = ["get_order_status"]', "get_order_status ran (1 times)"),
        ('never_written = ["Somebody will"]', "a text that should be nowhere stands in the screen, the journal, "),
        ("requests = { anthropic = { max = 2 } }", "expected at most 2 requests to anthropic, got 3"),
    ):
        expect, _ = schema.read(OwnDrill, tomllib.loads(f'[drill]\nname = "x"\n[expect]\n{line}'))
        failed = judged(expect.expect, held.seen, ())

        assert (failed.held, said in failed.observed) == (False, True), (line, failed.observed)


def test_a_tool_misbehaves_as_it_says_and_waiting_is_skipped(play):
    hangs = play("max_minutes = 5\nmin_tool_calls = 2", more='[[tool]]\ntool = "get_order_status"\nhang = true')

    assert hangs.passed, hangs.observed
    assert hangs.waited_s > hangs.duration_s

    first = '[[tool]]\ntool = "get_order_status"\ncalls = "1"\nerror = "transient"\nmessage = "it is busy"'

    assert play("min_tool_calls = 2\nmax_tool_calls = 2", more=first).passed


def test_many_clients_begin_one_after_the_other(play):
    seen = play("exit_code = 0", drill="clients = 3\nevery_s = 60").seen
    began = [client.began - seen.clients[0].began for client in seen.clients]

    assert [round(each / 60) for each in began] == [0, 1, 2]


def test_the_key_that_is_named_is_one_that_was_seen_to_hold(play, demo):
    """A drill of the user's own needs no remedies: the guards that are off are tried."""
    weak = demo / "weak.toml"
    weak.write_text('version = 1\nextends = "standard"\n[budget]\nenabled = false\n[args]\nenabled = false\n')
    expect = 'never_ran = ["get_order_status"]'

    failed = play(expect, order="5", policy=str(weak))

    assert (failed.passed, failed.fix) == (False, "args.enabled = true"), failed.observed

    weak.write_text(weak.read_text().replace("[args]\nenabled = false", "[args]\nenabled = true"))

    assert play(expect, order="5", policy=str(weak)).passed

    told = play("max_steps = 1", drill='remedies = { "budget.max_steps" = 1 }')

    assert told.fix == "budget.max_steps = 1"


def test_names_that_the_task_does_not_know_are_told_before_anything_is_played(play):
    with pytest.raises(Invalid) as caught:
        play('asked = ["send_refnd"]\nrequests = { antropic = { max = 1 } }')

    assert ["send_refund", "anthropic"] == [each.suggestion.split('"')[1] for each in caught.value.problems]
    assert all(each.line for each in caught.value.problems)
