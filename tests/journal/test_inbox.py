"""Letters: one answer per request, wishes once, read with what they became."""

import pytest

from agentctl.errors import Forbidden
from agentctl.journal import inbox


@pytest.fixture
def put(store, driven):
    driven()

    def call(kind, call_id="", asked_seq=0, *, by="ada", payload="", run_id="r_1"):
        return store.write(
            lambda tx: inbox.put(
                tx, run_id, kind, by=by, now=5.0, call_id=call_id, asked_seq=asked_seq, payload=payload
            )
        )

    return call


@pytest.fixture
def take(store):
    return lambda: [each.kind for each in store.write(lambda tx: inbox.take(tx, "r_1", 6.0))]


def test_letters_are_read_once_in_order(store, put, take):
    put("approve", "c1", payload='{"digest": "51fe"}')
    put("pause")
    (first, _) = store.letters("r_1")

    assert ("approve", "c1", '{"digest": "51fe"}', "ada", 5.0) == (
        first.kind, first.call_id, first.payload, first.sender, first.created,
    )  # fmt: skip
    assert ["approve", "pause"] == take()
    assert [] == take()


@pytest.mark.parametrize("read", [False, True])
@pytest.mark.parametrize("second", ["approve", "deny"])
def test_a_request_is_answered_once(put, take, read, second):
    put("deny", "c1", 7, payload="no")
    if read:
        take()
    with pytest.raises(Forbidden) as caught:
        put(second, "c1", 7, by="bob")

    assert caught.value.exit_code == 20
    assert caught.value.message == "c1 of r_1 was already decided by ada: denied"


def test_the_same_answer_again_is_the_first_one(put, take):
    assert put("approve", "c1", 7) == put("approve", "c1", 7)
    assert ["approve"] == take()


def test_another_request_for_the_same_call_is_answered_anew(put, take):
    put("approve", "c1", 7)
    take()
    put("deny", "c1", 12)

    assert ["deny"] == take()


def test_a_wish_waits_once_and_may_be_made_again(put, take):
    assert put("pause") == put("pause", by="bob")
    assert put("cancel") != put("pause")
    assert ["pause", "cancel"] == take()
    put("pause")
    assert ["pause"] == take()


@pytest.mark.parametrize("status", inbox.OVER)
def test_a_run_that_is_over_takes_no_letters(store, put, status):
    store.write(lambda tx: tx.execute("UPDATE runs SET status = ?", (status,)))
    with pytest.raises(Forbidden, match=f"r_1 is over \\({status}\\)"):
        put("cancel")


def test_no_run_no_letters(put):
    with pytest.raises(Forbidden, match="there is no run r_x"):
        put("cancel", run_id="r_x")


def test_an_unknown_kind_is_a_defect(put):
    with pytest.raises(ValueError, match="no kind of letter"):
        put("shout")
