"""A day at the desk: fifty mails, one run each, over every API, against the stand-in on loopback."""

import json

import pytest
import tomli_w

from agentctl.core.events import ApprovalDecided, ModelReplied, ToolFinished
from agentctl.rehearsal import server
from agentctl.runner import api
from agentctl.runner.order import Order
from tests.desk.play import HERE, MAILS, script, text
from tests.runner.stage import Overheard, Stage, Watcher

STEPS = {"late": 2, "refund": 3, "denied": 3, "wrong": 2, "rude": 1, "inject": 2, "stray": 2, "outside": 2, "empty": 1,
         "lost": 3}  # fmt: skip


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """Run one mail; its stage holds what happened."""
    monkeypatch.setattr(server, "StandIn", Overheard)

    async def run(mail, policy):
        stage = Stage(tmp_path)
        path = tmp_path / f"{mail['id']}.toml"
        path.write_text(tomli_w.dumps(script(mail)), "utf-8")
        order = Order(
            HERE / "task.toml",
            policy=str(HERE / f"{policy}.toml"),
            variables={"order": mail["order"], "mail": text(mail)},
            user="desk",
            rehearse=True,
            script=path,
        )
        return await stage._driven(api.run(order, store=None, listener=Watcher(stage), approver=None)), stage

    return run


def test_there_are_fifty_mails_and_each_is_another():
    assert (50, 50) == (len(MAILS), len({mail["id"] for mail in MAILS}))
    assert set(STEPS) == {mail["kind"] for mail in MAILS}


@pytest.mark.parametrize("wire", ["messages", "responses", "chat"])
async def test_fifty_mails_are_answered_one_by_one(desk, wire):
    """F04: the main job, with a person's yes and no, other languages, injections, nothing at all and far too much."""
    spent = 0.0
    for mail in MAILS:
        result, stage = await desk(mail, wire)

        told = (mail["id"], result.message)
        assert ("completed", 0, mail["answer"]) == (result.status, result.exit_code, result.answer), told
        assert STEPS[mail["kind"]] == result.body["steps"], told
        assert {wire} == {seen.api for seen in stage.asked()}, told
        assert 0 < result.body["cost_usd"] < (0.15 if "repeat" in mail else 0.03), told
        assert result.body["rehearsed"] is True
        check(mail, stage)
        spent += result.body["cost_usd"]

    with api.open_journal(None) as journal:
        rows = journal.runs()
    assert ({"completed"}, 50) == ({row.status for row in rows}, len(rows))
    assert spent == pytest.approx(sum(row.cost_micro for row in rows) / 1e6)


def check(mail, stage):
    """What the kind of mail promises."""
    results = stage.results()
    refunds = [done for done in stage.events(ToolFinished) if done.tool == "send_refund"]
    match mail["kind"]:
        case "refund":
            assert ["success"] == [done.status for done in refunds], mail["id"]
        case "denied" | "inject":
            assert ["DENIED"] == [done.code for done in refunds], mail["id"]
            assert ["the script"] == [event.by for event in stage.events(ApprovalDecided)]
        case "stray":
            assert ["UNKNOWN_TOOL"] == [result["code"] for result in results.values()], mail["id"]
        case "outside":
            assert "error" == results["c1.1"]["status"], mail["id"]
            assert "root:" not in json.dumps(results)
        case "lost":
            assert ["permanent", "permanent"] == [result["error_type"] for result in results.values()], mail["id"]
            assert "INVALID_ARGS" == results["c2.1"]["code"]
        case _:
            assert {"success"} >= {result["status"] for result in results.values()}, mail["id"]
    assert text(mail).strip() in stage.stamped[0].event.goal
    assert all(reply.cost_micro > 0 for reply in stage.events(ModelReplied))
