"""Decided from another terminal."""

import dataclasses

import pytest

from agentctl.core import events as e

from .conftest import replied, requested, started

PARKED = e.Completed("parked", "approval", 12, 0, "")


@pytest.fixture
def parked(record):
    return record("r_abc123", started(), replied(), requested(), PARKED, status="parked", reason="approval", ago=120)


@pytest.fixture
def two(record):
    events = (started(), replied(), requested(), requested("c1.2"), PARKED)
    return record("r_two222", *events, status="parked", reason="approval")


def test_nothing_waits(agentctl):
    assert agentctl("approvals").err == "nothing waits for a person\n"
    assert agentctl("approvals", "--json").json == {"items": [], "truncated": False}


def test_what_waits(agentctl, parked):
    called = agentctl("approvals")
    (item,) = agentctl("approvals", "--json").json["items"]

    assert called.out.splitlines()[1] == 'r_abc123  c1.1  send_refund  high  2m     {"order_id": "A-1001"}'
    assert list(item)[:6] == ["run_id", "call_id", "tool", "tier", "digest", "requested_at"]


def test_approve_takes_the_one_that_is_pending_once(agentctl, parked):
    called = agentctl("approve", "r_abc")

    assert called.code == 0
    assert called.out == 'approved c1.1 of r_abc123: send_refund {"order_id": "A-1001"}\n'
    assert called.err == "resume:  agentctl resume r_abc123\n"
    assert agentctl("approvals").out == ""
    again = agentctl("approve", "r_abc")
    assert again.code == 20
    assert "nothing of r_abc123 waits for a person; decided already: c1.1 by" in again.err
    other = agentctl("deny", "r_abc", "c1.1", "--user", "bob")
    assert other.code == 20
    assert "was already decided by" in other.err


def test_deny_gives_the_reason(agentctl, parked):
    from agentctl.config import paths
    from agentctl.journal.store import open_store

    called = agentctl("deny", "r_abc123", "--why", "ask first", "--user", "bob", "--json")

    assert called.json["decision"] == "denied"
    with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
        (letter,) = store.letters("r_abc123")
    assert (letter.kind, letter.call_id, letter.asked_seq) == ("deny", "c1.1", 3)
    assert (letter.payload, letter.sender) == ("ask first", "bob")


def test_several_pending_need_a_name(agentctl, two):
    called = agentctl("approve", "r_two222")

    assert called.code == 20
    assert "several calls of r_two222 wait: c1.1 (send_refund), c1.2 (send_refund)" in called.err
    assert agentctl("approve", "r_two222", "c1.2").code == 0
    assert agentctl("deny", "r_two222").out.startswith("denied c1.1 ")


def test_a_call_that_nobody_asked_for(agentctl, two):
    called = agentctl("approve", "r_two222", "c9.9")

    assert called.code == 20
    assert "no call 'c9.9' of r_two222 waits for a person; waiting: c1.1, c1.2" in called.err


def test_a_run_that_is_over(agentctl, record):
    decided = e.ApprovalDecided("c1.1", "approve", "ada", 1.0, "", "d")
    record("r_over11", started(), requested(), decided, e.Completed("completed", "done", 0, 0, ""))

    assert agentctl("approve", "r_over11").code == 20
    assert "was already decided by ada: approve" in agentctl("approve", "r_over11", "c1.1").err


def test_of_one_run_all_that_its_prompt_shows(agentctl, record):
    asked = e.ApprovalRequested(
        "c1.1", "write_file", "high", "policy.toml:7", "d", {"path": "a.txt", "text": "two\n"},
        (e.Copied("two", "web", False),), owner="ops", parts=(("rm x", "high: rm is not on the list"),),
        files=(("a.txt", "sha256 12"),), change="--- a.txt\n+++ a.txt\n-one\n+two", untrusted=("web",),
    )  # fmt: skip
    record("r_abc123", started(), replied(), asked, PARKED, status="parked", reason="approval", ago=120)

    shown = agentctl("approvals", "r_abc").out
    (item,) = agentctl("approvals", "r_abc", "--json").json["items"]

    for line in ("  | +two", "  tier   high, by policy.toml:7", "  owner  ops", '  copied from web: "two"'):
        assert f"{line}\n" in shown
    assert ("--- a.txt\n+++ a.txt\n-one\n+two", [{"path": "a.txt", "digest": "sha256 12"}]) == (
        item["change"], item["files"],
    )  # fmt: skip


def test_other_arguments_are_left_sealed(agentctl, parked):
    from agentctl.config import paths
    from agentctl.journal.store import open_store

    called = agentctl("approve", "r_abc123", "--args", '{"order_id": "A-2"}')

    assert called.code == 0
    assert 'c1.1 of r_abc123, with other arguments than send_refund {"order_id": "A-1001"}' in called.out
    with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
        (letter,) = store.letters("r_abc123")
        (row,) = store.read(lambda tx: tx.execute("SELECT payload FROM inbox").fetchall())
    assert (letter.kind, letter.payload) == ("approve", '{"order_id": "A-2"}')
    assert row[0].startswith("sealed:")


@pytest.mark.parametrize(
    ("args", "why"),
    [("{", "it is not JSON"), ("[]", "expected a JSON object"), ('{"a": 1, "a": 2}', "a name stands twice")],
)
def test_arguments_that_are_none_are_wrong_usage(agentctl, parked, args, why):
    called = agentctl("approve", "r_abc123", "--args", args)

    assert called.code == 2
    assert why in called.err
    assert "--args" in called.err


def test_only_what_was_looked_at_is_approved(agentctl, record):
    asked = e.ApprovalRequested("c1.1", "send_refund", "high", "r", "51fe0a9c1b2d3e4f55", {"order_id": "A-1"})
    record("r_abc123", started(), replied(), asked, PARKED, status="parked", reason="approval", ago=120)

    assert "  digest 51fe0a9c1b2d3e4f\n" in agentctl("approvals", "r_abc").out
    other = agentctl("approve", "r_abc", "--digest", "00fe0a9c1b2d3e4f")
    assert (20, True) == (other.code, "asks for something else by now" in other.err)
    assert 2 == agentctl("approve", "r_abc", "--digest", "51fe").code
    assert 0 == agentctl("approve", "r_abc", "--digest", "51fe0a9c1b2d3e4f").code


def test_what_a_parked_run_has_spent_is_counted_once(agentctl, record):
    parked = e.Completed("parked", "approval", 12, 18_400, "")
    record("r_abc123", started(), replied(), requested(), parked, status="parked", reason="approval")

    assert "  spend  $0.0184 so far\n" in agentctl("approvals", "r_abc").out


def test_a_call_in_doubt_is_shown_with_the_answer_that_only_it_has(agentctl, record):
    asked = dataclasses.replace(requested(), doubt=("nobody saw its outcome",))
    record("r_abc123", started(), replied(), asked, PARKED, status="parked", reason="unknown_outcome")

    assert "[--happened RESULT]" in agentctl("approvals", "r_abc").err


def test_arguments_that_do_not_fit_are_said_to_whoever_resumes(agentctl, nobody):
    run_id = agentctl("run", nobody / "task.toml", "--rehearse", "--var", "order=A-1001", "--json").json["run_id"]
    agentctl("approve", run_id, "--args", '{"order_id": 5}')

    again = agentctl("resume", run_id)

    assert 12 == again.code
    assert "edited send_refund: 'order_id' must be string, got integer" in again.err


def test_a_yes_for_the_run_is_left_where_the_request_offers_it(agentctl, record):
    from agentctl.config import paths
    from agentctl.journal.inbox import REMEMBER
    from agentctl.journal.store import open_store

    asked = dataclasses.replace(requested(), remembers="this exact call of send_refund again")
    events = (started(), replied(), asked, requested("c1.2"), PARKED)
    record("r_abc123", *events, status="parked", reason="approval", ago=120)

    assert "  a      this exact call of send_refund again\n" in agentctl("approvals", "r_abc").out
    never = agentctl("approve", "r_abc", "c1.2", "--remember")
    assert (20, True) == (
        never.code,
        "c1.2 of r_abc123 asks for one yes at a time: it is never remembered" in never.err,
    )
    assert 2 == agentctl("approve", "r_abc", "c1.1", "--remember", "--args", "{}").code
    called = agentctl("approve", "r_abc", "c1.1", "--remember")
    assert 'approved c1.1 of r_abc123, for this run: send_refund {"order_id": "A-1001"}\n' == called.out
    with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
        assert [REMEMBER] == [letter.payload for letter in store.letters("r_abc123")]


def test_all_that_the_prompt_says_of_limits_and_time_is_shown_from_the_journal(agentctl, record):
    """F05"""
    asked = dataclasses.replace(
        requested(), limit_micro=1_500_000, stands_s=3_000.0, after="the run parks", cache_until=4e9, later_micro=3_400
    )
    record("r_abc123", started(), replied(), asked, status="running", reason="")

    shown = agentctl("approvals", "r_abc").out
    (item,) = agentctl("approvals", "r_abc", "--json").json["items"]

    assert "  spend  $0.0184 so far, $1.50 at worst\n" in shown
    assert "s, then the run parks\n" in shown
    assert "s; a later answer costs $0.0034 more\n" in shown
    assert (1.5, "the run parks", 0.0034) == (item["limit_usd"], item["after"], item["later_usd"])


def test_of_a_journal_that_did_not_write_it_down_nothing_is_said(agentctl, parked):
    shown = agentctl("approvals", "r_abc").out

    assert not [word for word in (" at worst", "  waits", "  note", "  a  ") if word in shown]
