"""Messages that really arrive, and receivers that are not there."""

import secrets

import pytest

from agentctl.telemetry import alerts
from tests.telemetry.conftest import dead, silence

TITLE, BODY = "agentctl: a run failed: errand", "run_failed: errand\nvalue: 1 > limit: 0\n<b>not bold</b>"


def test_a_webhook_and_a_mailbox_get_the_message(hook, smtp):
    """B58"""
    sent = alerts.send([hook.url, smtp.url], TITLE, BODY)

    assert [alerts.Sent(hook.where), alerts.Sent("mailto://127.0.0.1:" + smtp.url.split(":")[2].split("?")[0])] == sent
    assert [(TITLE, BODY)] == [(got["title"], got["message"]) for got in hook.messages]
    ((to, mail),) = smtp.mails
    assert (["ops@example.com"], TITLE) == (to, mail["Subject"])
    assert ("text/plain", BODY.splitlines()) == (mail.get_content_type(), mail.get_content().splitlines())


def test_who_is_not_there_is_one_line_each_and_keeps_nobody_else_from_hearing(hook):
    refused, silent, word = dead(), silence(), secrets.token_hex(8)
    alerts.send([hook.url], TITLE, BODY)  # the library is loaded by now
    hook.status = 500
    with silent as url:
        urls = [refused, f"{url}?rto=60", hook.url, "env:NOT_SET_HERE", f"nosuch://{word}"]
        sent = alerts.send(urls, TITLE, BODY, patience_s=2.0)

    errors = [each.error for each in sent]
    assert "onnection error" in errors[0]
    assert "no answer within 2s" == errors[1]
    assert "500" in errors[2]
    assert "NOT_SET_HERE is not set" == errors[3]
    assert "apprise does not know such a URL" in errors[4]
    assert all("\n" not in each.line and word not in each.line for each in sent)
    assert 2 == len(hook.messages)


def test_a_url_from_the_environment_is_used_and_shown_without_its_secrets(hook, monkeypatch):
    word = secrets.token_hex(8)
    monkeypatch.setenv("HOOK", f"json://ada:{word}@{hook.where.removeprefix('json://')}/{word}")
    (sent,) = alerts.send(["env:HOOK"], TITLE, BODY)

    assert f"env:HOOK ({hook.where})" == sent.line
    assert [f"/{word}"] == [path for path, _ in hook.got]


def test_without_the_library_it_is_said_how_to_get_it(hook, monkeypatch):
    monkeypatch.setattr(alerts, "find_spec", lambda _: None)

    assert alerts.WAY_OUT in alerts.send([hook.url], TITLE, BODY)[0].error
    with pytest.raises(alerts.Invalid) as raised:
        alerts.require()
    assert "pip install 'agentctl[alerts]'" == raised.value.hint
    assert [] == hook.got
