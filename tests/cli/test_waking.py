"""`r` in a monitor: the run goes on in a process of its own."""

import pytest

from agentctl.cli import options, waking
from agentctl.core.events import Resumed
from agentctl.errors import Forbidden

from .test_watched import wait_for


def parked(agentctl, demo):
    """A run that waits for a person."""
    (demo / "rehearsal.toml").write_text(
        '[[reply]]\ncalls = [{ tool = "send_refund", args = { order_id = "A-1001", amount_usd = 5 } }]\n'
    )
    called = agentctl("run", demo / "task.toml", "--var", "order=A-1001", "--rehearse", "--json")
    assert 12 == called.code, called.err
    return called.json["run_id"]


def test_whoever_watches_is_who_went_on_with_it(agentctl, demo):
    run_id = parked(agentctl, demo)

    assert f"{run_id} goes on" == waking.resume(run_id, None, "eve")

    def by():
        with options.open_journal(None) as journal:
            return [each.event.by for each in journal.events(run_id) if isinstance(each.event, Resumed)]

    assert ["eve"] == wait_for(by)
    agentctl("cancel", run_id)


def test_a_run_that_is_over_is_refused_in_one_line(agentctl, demo, isolated):
    run_id = parked(agentctl, demo)
    agentctl("cancel", run_id)

    with pytest.raises(Forbidden, match=run_id):
        waking.resume(run_id, None, "eve")
    assert [] == list((isolated / "data" / "detached").iterdir())
