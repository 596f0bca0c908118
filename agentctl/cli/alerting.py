"""`agentctl alerts check` and `alerts test`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, LimitsOf, Rehearsed, StoreUrl
from agentctl.errors import GateFailed

if TYPE_CHECKING:
    from agentctl.cli.render import Tone
    from agentctl.config.load import LoadedPolicy
    from agentctl.core.messages import Json, JsonObject
    from agentctl.runner.alerting import Checked, Row
    from agentctl.telemetry.alerts import Sent

COLUMNS = ("rule", "subject", "value", "limit", "since", "state", "next")
TEST = "agentctl: a test of alerts"


def check(
    *,
    policy: LimitsOf = "standard",
    rehearsed: Rehearsed = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell nobody, and keep nothing")] = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Judge the store by the alert rules and tell of what is new; exit 17 while anything is open (for cron)"""
    from agentctl.runner import alerting

    loaded = _loaded(policy)
    if not loaded.policy.alerts.enabled:
        render.say(f"[alerts] is switched off by policy {loaded.name}: nothing is looked for", "quiet")
    with options.open_journal(store) as journal:
        done = alerting.check(journal, loaded.policy, rehearsed=rehearsed, tells=not dry_run)
    for sent in done.sent:
        if sent.error:
            render.say(f"not delivered: {_safe(sent.line)}", "bad")
    if as_json:
        _print_json(done)
    else:
        _print(done)
    if done.rows:
        raise typer.Exit(GateFailed.exit_code)


def _print_json(done: Checked) -> None:
    from agentctl.cli.alerts import item

    items = [item(row.incident) | {"new": row.new, "state": _state(row)} for row in done.rows]
    sent: list[Json] = [_item(each) for each in done.sent]
    render.as_json({"items": [*items], "truncated": False, "closed": done.closed, "sent": sent})


def _item(sent: Sent) -> JsonObject:
    return {"receiver": sent.where, "ok": not sent.error, "error": sent.error or None}


def _print(done: Checked) -> None:
    from agentctl.cli.alerts import measured
    from agentctl.core.alert_words import command

    if not done.rows:
        render.say(f"no alert is open{f', {done.closed} closed' if done.closed else ''}")
        return
    now = time.time()
    rows = [
        (*measured(row.incident), render.moment(row.incident.opened, now), _state(row), command(row.incident))
        for row in done.rows
    ]
    tones: list[Tone] = ["bad" if row.new else "warn" for row in done.rows]
    render.table(COLUMNS, rows, tones)


def _state(row: Row) -> str:
    """`new`, `known`, or `easing`: below its limit again, and open until a whole window has passed."""
    return "new" if row.new else "known" if row.found else "easing"


def tried(policy: LimitsOf = "standard", as_json: AsJson = False) -> None:
    """Send a test message to every receiver of a policy; exit 17 where one does not get it"""
    from agentctl.runner import notifying
    from agentctl.telemetry import alerts

    alerts.require()
    loaded = _loaded(policy)
    if not loaded.policy.alerts.urls:
        raise GateFailed(
            f"policy {loaded.name} names nobody to tell: alerts.urls is empty", hint="agentctl help alerts"
        )  # fmt: skip
    body = f"It was sent by `agentctl alerts test --policy {loaded.name}`. Nothing is wrong."
    sent = notifying.send(loaded.policy, TEST, body)
    failed = [each for each in sent if each.error]
    if as_json:
        render.as_list([_item(each) for each in sent])
    else:
        _print_sent(sent)
    if failed:
        raise typer.Exit(GateFailed.exit_code)


def _print_sent(sent: list[Sent]) -> None:
    for each in sent:
        render.out(f"{'failed' if each.error else 'ok':6}  {_safe(each.line)}", "bad" if each.error else "good")


def _loaded(policy: str) -> LoadedPolicy:
    """The policy, with receivers that can be sent to; what is worth a line about them is said."""
    from agentctl.config import load, receiving
    from agentctl.config.problems import invalid

    loaded = load.load_policy(policy)
    if wrong := receiving.unknown(loaded):
        raise invalid(wrong)
    for note in receiving.notes(loaded):
        render.say(note, "quiet")
    return loaded


def _safe(text: str) -> str:
    from agentctl.approvals.printable import printable

    return printable(text, lines=False)
