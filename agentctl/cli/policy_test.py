"""`agentctl policy test`: the examples of every rule, cases of your own, and rules that do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import judging, render, rule_paths
from agentctl.cli.options import AsJson
from agentctl.cli.policy_explain import OfTask, PolicyName
from agentctl.errors import GateFailed

if TYPE_CHECKING:
    from agentctl.config.cases import Placed
    from agentctl.config.load import LoadedPolicy
    from agentctl.core.contract import Contract
    from agentctl.core.messages import JsonObject

CasesFile = Annotated[
    Path | None,
    typer.Option("--cases", metavar="FILE", readable=False, help="Calls in TOML: tool, args, expect"),
]


def expectations(policy: PolicyName, cases: CasesFile = None, task: OfTask = None, as_json: AsJson = False) -> None:
    """Run the match and not_match of every rule, and your own cases; exit 17 where one does not hold"""
    from agentctl.config import load
    from agentctl.config.cases import load as load_cases

    under = load.load_policy(policy)
    known = judging.of_task(task, under)
    wanted = load_cases(cases) if cases is not None else ()
    items = [*_examples(under), *(_case(under, each, known) for each in wanted)]
    warnings = [*_warnings(under, task, known), *_overruled(under), *_unnamed(under, known)]
    failed = [item for item in items if not item["ok"]]
    if as_json:
        about = {"policy": judging.about(under), "ok": not failed}
        render.as_json({**about, "items": list(items), "warnings": list(warnings), "truncated": False})
        if failed:
            raise typer.Exit(GateFailed.exit_code)
        return
    for item in failed:
        render.out(f"failed: {_line(item)}", "bad")
    for line in warnings:
        render.out(f"warning: {line}", "warn")
    if failed:
        raise GateFailed(f"policy {under.name}: {len(failed)} of {len(items)} expectations do not hold")
    render.out(f"ok: {len(items)} expectations of policy {under.name} hold", "good")


def _examples(under: LoadedPolicy) -> Iterator[JsonObject]:
    """Each rule's own; those of shipped policies too, which the check at load passes over."""
    from agentctl.config import rulings
    from agentctl.config.rule_checks import matches

    for number, rule in enumerate(under.policy.risk.rules):
        file, line = rulings.place(under, number)
        for kind, examples in (("match", rule.match), ("not_match", rule.not_match)):
            for args in examples:
                got = "match" if matches(rule, args, under.policy.risk.auto_approve) else "not_match"
                yield _item(kind, got, rule.tool, args, file, line, because=f"risk.rules[{number}]")


def _case(under: LoadedPolicy, placed: Placed, known: dict[str, Contract]) -> JsonObject:
    case = placed.case
    tool = judging.contract(case.tool, known, under)
    found = judging.judged(under, tool, case.args, untrusted=case.untrusted)
    tiers = ("", "") if case.tier is None else (f" {case.tier.word}", f" {found.tier.word}")
    expected, got = f"{case.expect}{tiers[0]}", f"{found.decision}{tiers[1]}"
    return _item(expected, got, case.tool, case.args, placed.file, placed.line, because=found.why)


def _item(expected: str, got: str, tool: str, args: JsonObject, file: str, line: int, *, because: str) -> JsonObject:
    said: JsonObject = {"tool": tool, "args": args, "expected": expected, "got": got}
    return {"file": file, "line": line, **said, "because": because, "ok": expected == got}


def _line(item: JsonObject) -> str:
    from agentctl.approvals.printable import printable

    shown = judging.call(item["tool"], item["args"])
    line = f"{item['file']}:{item['line']} {shown}: expected {item['expected']}, got {item['got']} ({item['because']})"
    return printable(line, lines=False)


def _warnings(under: LoadedPolicy, task: Path | None, known: dict[str, Contract]) -> list[str]:
    from agentctl.config import rule_review
    from agentctl.config.task import load_task

    loaded = None if task is None else load_task(task)
    return [*rule_review.notes(under, loaded), *rule_paths.notes(under, loaded, known)]


def _overruled(under: LoadedPolicy) -> Iterator[str]:
    """Examples of the user's rules that another rule decides, or that ask although the rule lets them run."""
    from agentctl.config import rule_checks, rule_review
    from agentctl.tools import offhand

    for number, rule in enumerate(under.policy.risk.rules):
        own = ("risk", "rules", number) in under.explicit and "*" not in rule.tool
        for at, args in enumerate(rule.match if own else ()):
            found = judging.judged(under, offhand.contract(rule.tool, under.policy), args)
            others = [each for each in judging.spoke(under, found) if each["decides"]]
            place = f"{rule_review.where(under, number)}: its match[{at}]"
            if others and others[0]["rule"] != f"risk.rules[{number}]" and others[0]["tier"] != rule.tier:
                by = f"{others[0]['file']}:{others[0]['line']} {others[0]['rule']} ({others[0]['tier']})"
                yield f"{place} is decided by {by}"
            elif rule_checks.lets_run(rule, under.policy.risk.auto_approve) and found.decision != "allow":
                yield f"{place} asks all the same: {found.why}"


def _unnamed(under: LoadedPolicy, known: dict[str, Contract]) -> Iterator[str]:
    """Tools of the task of which nobody said anything. B39"""
    from agentctl.core.guards import risk

    for tool in dict.fromkeys(each.name for each in known.values()):
        ruling = risk.tier(under.policy.risk, known[tool])
        named = any(risk.names(rule, known[tool]) for rule in under.policy.risk.rules)
        if ruling.rule == "risk.unknown" and not named:
            yield f"no rule names {tool}, and no tier and no contract: it is {ruling.tier.word}, as all unknown ones"
