"""`agentctl budget` and `budget reset`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render, shared_values, values
from agentctl.cli.options import AsJson, LimitsOf, Rehearsed, StoreUrl

if TYPE_CHECKING:
    from agentctl.cli.render import Tone
    from agentctl.core.messages import JsonObject
    from agentctl.runner.spending import Line

COLUMNS = ("key", "scope", "used", "held", "limit", "window", "state")
TONES: dict[str, Tone] = {"reached": "bad", "close": "warn", "": "plain"}
Key = Annotated[
    str,
    typer.Argument(metavar="KEY[:SCOPE]", callback=options.filled, help="user_daily_usd:ada, hourly_usd …",
                   autocompletion=shared_values.budgets),
]  # fmt: skip


def budget(
    ctx: typer.Context,
    *,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            callback=options.filled,
            help="Whose limits; default: those that the last call was held to",
            autocompletion=values.policies,
        ),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's, and their runs")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's, and their runs")] = None,
    session: Annotated[str | None, typer.Option(help="Only this session's, and its runs")] = None,
    rehearsed: Rehearsed = False,
    limit: Annotated[int, typer.Option(min=1, help="Of each kind at most so many, the fullest")] = 50,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Show what is used and left of every budget in its current window; or reset one"""
    if options.leads_on(ctx):
        return
    from agentctl.config.load import load_policy
    from agentctl.runner import spending

    named = {"--user": user, "--tenant": tenant, "--session": session}
    who, payer, talk = (options.identity(flag, given) for flag, given in named.items())
    asked = spending.Asked(who, payer, talk, rehearsed, limit)
    rules = None if policy is None else load_policy(policy).policy
    lines, more = spending.shown(store, rules, asked)
    if as_json:
        render.as_list([_item(line) for line in lines], truncated=more)
        return
    if not lines:
        render.say("nothing is used now: budgets are counted where a run's policy sets them (agentctl help budgets)")
        return
    now = time.time()
    render.table(COLUMNS, [_cells(line, now) for line in lines], [TONES[line.state] for line in lines])
    if more:
        render.say(f"more than {limit} of a kind: --limit shows more", "quiet")


def reset(
    key: Key,
    yes: Annotated[bool, typer.Option("--yes", help="Without asking")] = False,
    policy: LimitsOf = "standard",
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Forgive what was spent in the current window of a budget; who did so stays on record"""
    from agentctl.cli.asking import agreed
    from agentctl.config.load import load_policy
    from agentctl.runner import forgiving

    rules, now, who = load_policy(policy).policy, time.time(), options.login()
    with options.open_journal(store) as journal:
        windows = journal.read(lambda tx: forgiving.meant(tx, key, rules, now))
        name, spent = windows[0].key, sum(each.spent for each in windows) / 1e6
        willing = yes or not spent or agreed(f"forgive {render.dollars(spent)} of {name}?")
        forgiven = journal.write(lambda tx: forgiving.forgive(tx, windows, who, now), durable=True) if willing else 0
    if as_json:
        render.as_json({"key": key.partition(":")[0], "scope": name.partition(":")[2], "forgiven_usd": forgiven / 1e6})
    elif forgiven:
        render.out(f"reset {name}: {render.dollars(forgiven / 1e6)} forgiven")
    else:
        render.say("nothing was changed" if spent else f"nothing to reset: nothing is spent of {name}")


def _cells(line: Line, now: float) -> tuple[str, ...]:
    tokens = line.key == "tokens_per_minute"

    def amount(value: float) -> str:
        return f"{value:,.0f}" if tokens else render.dollars(value)

    limit = "-" if line.limit is None else amount(line.limit)
    return (line.key, line.scope, amount(line.used), amount(line.held), limit, line.window, _state(line, now))


def _state(line: Line, now: float) -> str:
    words = [f"{line.state}: {line.share:.0%}"] if line.state else []
    if line.reset is not None:
        forgiven = render.dollars(line.reset.spent / 1e6)
        words.append(f"reset by {line.reset.sender} at {render.moment(line.reset.at, now)}, {forgiven} forgiven")
    return "; ".join(words) or "-"


def _item(line: Line) -> JsonObject:
    from agentctl.journal.codec import timestamp

    past = line.reset
    return {
        "key": line.key,
        "scope": line.scope,
        "used": line.used,
        "held": line.held,
        "limit": line.limit,
        "window": line.window,
        "state": line.state,
        "rehearsed": line.rehearsed,
        "reset": past and {"by": past.sender, "at": timestamp(past.at), "forgiven_usd": past.spent / 1e6},
    }
