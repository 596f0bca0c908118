"""The same desk with a real model: nothing differs but the answers. Runs only with AGENTCTL_LIVE=1 and a key."""

import pytest

from agentctl.runner import api
from agentctl.runner.order import Order
from tests.desk.play import HERE, MAILS, text
from tests.runner.stage import Stage, Watcher


async def answered(wire, mail_id, folder):
    mail = next(mail for mail in MAILS if mail["id"] == mail_id)
    stage = Stage(folder)
    variables = {"order": mail["order"], "mail": text(mail)}
    order = Order(HERE / "task.toml", policy=str(HERE / f"{wire}.toml"), variables=variables, user="desk", max_usd=0.05)
    result = await stage._driven(api.run(order, store=None, listener=Watcher(stage), approver=None))

    assert ("completed", 0) == (result.status, result.exit_code), result.message
    assert result.answer
    assert 0 < result.body["cost_usd"] < 0.05
    assert result.body["rehearsed"] is False


@pytest.mark.live("ANTHROPIC_API_KEY")
@pytest.mark.parametrize("mail", ["late-1", "inject-1"])
async def test_a_mail_is_answered_over_messages(tmp_path, mail):
    await answered("messages", mail, tmp_path)


@pytest.mark.live("OPENAI_API_KEY")
@pytest.mark.parametrize("wire", ["responses", "chat"])
@pytest.mark.parametrize("mail", ["late-1", "inject-1"])
async def test_a_mail_is_answered_over_openai(tmp_path, wire, mail):
    await answered(wire, mail, tmp_path)
