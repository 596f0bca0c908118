"""`agentctl cache warm`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.flags import PolicyName, Variables
from agentctl.cli.options import AsJson, StoreUrl, filled
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.runner.warmth import Warmed

LONGEST_S = 7 * 86_400
"""For how long a cache can be kept alive by one command: longer is a slip of the finger."""
TaskFile = Annotated[Path, typer.Argument(metavar="TASK", readable=False, help="The task file")]
ProviderName = Annotated[
    str | None,
    typer.Option(metavar="NAME", callback=filled, help="A provider of the policy, or all; default: who answers first"),
]
Ratio = Annotated[
    float | None,
    typer.Option(metavar="X", min=0.0, max=1.0, help="The hit ratio that the proof must have; default: the policy's"),
]
KeepAlive = Annotated[
    str | None,
    typer.Option(metavar="SPAN", callback=filled, help="Repeat it before each expiry for so long: 50m, 8h"),
]


def warm(
    task: TaskFile,
    *,
    provider: ProviderName = None,
    min_ratio: Ratio = None,
    keep_alive: KeepAlive = None,
    policy: PolicyName = None,
    var: Variables = None,
    user: Annotated[str | None, typer.Option(help="Who pays; default: your login name")] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose budget it counts against")] = None,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Warm the stand-in's cache: no key, no cost")] = False,
    script: Annotated[Path | None, typer.Option(metavar="FILE", help="The script to rehearse, over the task's")] = None,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Send the prefix of a task's runs once, so that the first of them finds it in the provider's cache

    The money is real: it counts against the policy's budgets. Ends with 17 where the cache did not take.
    """
    if script is not None and not rehearse:
        raise Usage("--script belongs to a rehearsal", hint="Add --rehearse.")
    keep = 0 if keep_alive is None else options.span("--keep-alive", keep_alive)
    if keep > LONGEST_S:
        raise Usage(f"--keep-alive: at most {LONGEST_S // 86_400}d, got {keep_alive}")
    who = options.identity("--user", user) or options.login()
    whose = options.identity("--tenant", tenant)
    given, _ = options.variables(var or [])
    import asyncio  # a completion must not wait for it

    from agentctl.cli.plain import Plain
    from agentctl.runner import warming
    from agentctl.runner.order import Order
    from agentctl.runner.warmth import How

    order = Order(task, policy, given, who, whose, rehearse=rehearse, script=script)
    how = How(provider or "", min_ratio, float(keep))
    found = asyncio.run(warming.warm(order, how, store=store, listener=Plain()))
    if as_json:
        render.as_json(_listed(found) if provider == warming.ALL else _item(found[0]))
    else:
        for each in found:
            _tell(each)
    raise typer.Exit(next((each.exit_code for each in found if each.exit_code), 0))


def _listed(found: list[Warmed]) -> JsonObject:
    items = [_item(each) for each in found]
    return {"warmed": all(each.warmed for each in found), "items": items, "truncated": False}


def _item(each: Warmed) -> JsonObject:
    from agentctl.journal.codec import timestamp

    return {
        "warmed": each.warmed,
        "provider": each.provider,
        "model": each.model,
        "write_tokens": each.write_tokens,
        "read_tokens": each.read_tokens,
        "hit_ratio": None if each.hit_ratio is None else round(each.hit_ratio, 4),
        "cost_usd": each.cost_micro / 1e6,
        "saved_usd_per_run": each.saved_micro / 1e6,
        "expires_at": None if each.expires is None else timestamp(each.expires),
        "reason": each.reason or None,
        "run_id": each.run_id or None,
    }


def _tell(each: Warmed) -> None:
    """The result, line by line; what did not take is talk."""
    from agentctl.approvals.printable import printable

    paid = f"{each.write_tokens:,} tokens written, {each.read_tokens:,} read, ${each.cost_micro / 1e6:,.4f} paid"
    who = f"{each.provider} ({each.model})"
    if not each.warmed:
        render.say(f"The cache did not take at {who}: {printable(each.reason, lines=False)}", "bad")
        render.say(paid)
    else:
        render.out("Cache warmed.", "good")
        render.out(f"{who}: {paid}")
        render.out(f"Cache hit ratio: {each.hit_ratio or 0.0:.1%}")
        render.out(f"saves ${each.saved_micro / 1e6:,.4f} per run{_until(each)}")
    if each.run_id:
        render.say(f"trace:   agentctl trace {each.run_id}", "hint")


def _until(each: Warmed) -> str:
    if each.expires is None:
        return ""
    at = time.strftime("%H:%M:%S", time.localtime(each.expires))
    return f" until {at} (in {render.span(each.expires - time.time())}); each use starts the time again"
