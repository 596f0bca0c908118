"""`agentctl policy explain`: what a policy makes of one call, and which rules say so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import judging, render, values
from agentctl.cli.options import AsJson, filled

if TYPE_CHECKING:
    from agentctl.core.decide_call import Judged
    from agentctl.core.messages import JsonObject

PolicyName = Annotated[
    str, typer.Argument(metavar="P", callback=filled, help="A name or a file", autocompletion=values.policies)
]
OfTask = Annotated[
    Path | None, typer.Option("--task", metavar="T", readable=False, help="The task whose tools these are")
]
ToolName = Annotated[
    str,
    typer.Argument(metavar="TOOL", callback=filled, help="The tool's name", autocompletion=values.tools_or_builtins),
]
LATER = (("untrusted text is in", False), ("untrusted text and private data are in", True))
"""What a run may have met by then, and whether private data is among it."""


def explain(
    policy: PolicyName,
    tool: ToolName,
    args: Annotated[str | None, typer.Argument(metavar="ARGS_JSON", help="Its arguments as one JSON object")] = None,
    task: OfTask = None,
    as_json: AsJson = False,
) -> None:
    """Say what a policy makes of one call: tier, decision, every rule that matched; nothing is run"""
    from agentctl.cli import byhand
    from agentctl.config import load

    under = load.load_policy(policy)
    contract = judging.contract(tool, judging.of_task(task, under), under)
    given = None if args is None else byhand.arguments(args)
    now = judging.judged(under, contract, given)
    later: list[JsonObject] = []
    for met, private in LATER:
        then = judging.judged(under, contract, given, untrusted=True, private=private)
        raised = (then.tier, then.decision) != (now.tier, now.decision)
        later.append({"once": met, "tier": then.tier.word, "decision": then.decision, "raised": raised})
    result: JsonObject = {
        "policy": judging.about(under),
        "tool": contract.name,
        "args": given,
        "tier": now.tier.word,
        "decision": now.decision,
        "because": now.why,
        "rules": list(judging.spoke(under, now)),
        "parts": list(judging.parts(under, contract, given)),
        "trust": list(later),
    }
    if as_json:
        render.as_json(result)
    else:
        _prose(result, now, later, judging.spoke(under, now), judging.parts(under, contract, given))


def _prose(
    result: JsonObject, now: Judged, later: list[JsonObject], rules: list[JsonObject], parts: list[JsonObject]
) -> None:
    from agentctl.approvals.printable import printable

    render.out(judging.call(result["tool"], result["args"]), "bold")
    rows = [
        ("tier", now.tier.word),
        ("decision", f"{now.decision}: {judging.DECISIONS[now.decision]}"),
        ("because", now.why),
    ]
    rows += [(f"once {each['once']}", f"{each['tier']}, {each['decision']}") for each in later]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        render.out(f"  {name:<{width}}  {printable(value, lines=False)}")
    render.out("  rules that matched:" if rules else "  no rule matched")
    for rule in rules:
        why = f": {rule['why']}" if rule["why"] else ""
        decides = " (decides)" if rule["decides"] else ""
        line = f"{rule['file']}:{rule['line']} {rule['rule']} {rule['tool']} {rule['tier']}{decides}{why}"
        render.out(f"    {printable(line, lines=False)}")
    if parts:
        render.out("  its parts, each judged alone:")
    for part in parts:
        place = "" if part["rule"] is None else f" ({part['rule']})"
        line = f"{part['tier']:<6}  {part['text']}    {part['because']}{place}"
        render.out(f"    {printable(line, lines=False)}")
