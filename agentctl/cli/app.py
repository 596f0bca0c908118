"""The commands of `agentctl`, in panels."""

from __future__ import annotations

from collections import UserDict
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agentctl import __version__
from agentctl.cli import completion, nouns, render

PANELS = RUN, PEOPLE, POLICY, SEE, STORE = ("Run", "People", "Policy", "See", "Store")
COMMANDS: tuple[tuple[str, str, str, str], ...] = (
    (RUN, "init", "init.init", "agentctl init demo"),
    (RUN, "run", "run.run", "agentctl run demo/task.toml --rehearse --var order=A-1001"),
    (RUN, "resume", "resume.resume", "agentctl resume r_a3f7b2 --add-usd 0.50"),
    (PEOPLE, "approvals", "approvals.approvals", "agentctl approvals --json"),
    (PEOPLE, "approve", "deciding.approve", "agentctl approve r_a3f7b2"),
    (PEOPLE, "deny", "deciding.deny", 'agentctl deny r_a3f7b2 c3.0 --why "ask the customer first"'),
    (SEE, "runs", "runs.runs", "agentctl runs --status parked --since 3d"),
    (SEE, "show", "show.show", "agentctl show r_a3f7b2"),
    (SEE, "trace", "trace.trace", "agentctl trace r_a3f7b2 --inputs"),
    (SEE, "events", "events.events", "agentctl events r_a3f7b2 -f | jq .event_type"),
    (SEE, "help", "topics.show", "agentctl help budgets"),
    (STORE, "doctor", "doctor.doctor", "agentctl doctor"),
)
GROUPS: tuple[nouns.Group, ...] = (
    (
        RUN,
        "cache",
        "The prompt cache of the providers",
        (("warm", "cache.warm", "agentctl cache warm demo/task.toml"), ("stats", "hits.stats", "agentctl cache stats")),
    ),
    (
        RUN,
        "rehearse",
        "The stand-in model, and what it plays",
        (
            ("serve", "rehearse.serve", "agentctl rehearse serve demo/rehearsal.toml --port 8080"),
            ("schema", "rehearse.describe", "agentctl rehearse schema > rehearsal.schema.json"),
        ),
    ),
    (
        POLICY,
        "policy",
        "What runs may spend, do and fall back on",
        (
            ("list", "check.policies", "agentctl policy list"),
            ("check", "check.policy_check", "agentctl policy check standard demo/policy.toml"),
            ("show", "policy.show", "agentctl policy show demo/policy.toml --toml"),
            ("test", "policy_test.expectations", "agentctl policy test demo/policy.toml --cases cases.toml"),
            ("explain", "policy_explain.explain", "agentctl policy explain strict shell '{}'"),
            ("diff", "policy_diff.diff", "agentctl policy diff standard strict"),
            ("new", "policy.new", "agentctl policy new policy.toml"),
            ("schema", "policy.schema", "agentctl policy schema > policy.schema.json"),
        ),
    ),
    (
        POLICY,
        "task",
        "Task files",
        (
            ("check", "check.task_check", "agentctl task check demo/task.toml"),
            ("schema", "task.schema", "agentctl task schema"),
        ),
    ),
    (
        POLICY,
        "tools",
        "The tools of a task",
        (
            ("list", "tools.listing", "agentctl tools list demo/task.toml"),
            ("check", "tools.check", "agentctl tools check demo/task.toml"),
            ("try", "tools.attempt", """agentctl tools try demo/task.toml read_file '{"path": "notes/refunds.md"}'"""),
        ),
    ),
    (
        POLICY,
        "scrub",
        "What is masked",
        (("test", "scrub.tried", "agentctl scrub test build.log --policy standard"),),
    ),
    (
        STORE,
        "auth",
        "Keys in the keyring of this machine",
        (
            ("set", "auth.store", "agentctl auth set anthropic"),
            ("list", "auth.listing", "agentctl auth list"),
            ("remove", "auth.remove", "agentctl auth remove anthropic"),
        ),
    ),
)


class Commands(UserDict[str, Any]):
    """The commands by name, in the order of their panels; each is built when it is asked for."""

    def __init__(self) -> None:
        """Know how."""
        rows = [
            *((*row[:2], partial(nouns.command, *row)) for row in COMMANDS),
            *((*row[:2], partial(nouns.group, *row)) for row in GROUPS),
            *((*row[:2], partial(nouns.noun, *row)) for row in nouns.NOUNS),
        ]
        super().__init__({name: build for _, name, build in sorted(rows, key=lambda row: PANELS.index(row[0]))})

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 -- typer hides the type
        """Build it."""
        return super().__getitem__(name)()


class Program(TyperGroup):
    """The commands, listed without building them."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 -- typer's
        """Made by typer, which knows of no command."""
        super().__init__(**settings)
        self.commands = Commands()

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 -- typer's
        """Names, as the help prints them."""
        return list(self.commands)


if completion.wanted():
    completion.lighten()
app = typer.Typer(
    name="agentctl",
    cls=Program,
    no_args_is_help=True,
    add_completion=completion.wanted(),
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        render.out(f"agentctl {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version")]


@app.callback(epilog="Start with: agentctl init demo")
def about(version: Version = False) -> None:
    """Run LLM agents under a policy: budgets, approvals, fallbacks, and a journal of everything"""
