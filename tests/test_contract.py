"""The commands and flags that users and scripts rely on are all there, each with a help that shows how."""

import re
import shlex
from typing import Any

import pytest
from typer.main import get_command

from agentctl.cli.app import app

STORED = "--store"
COMMANDS: dict[str, str] = {
    "init": "--force",
    "run": (
        "--policy --var --user --tenant --session --max-usd --auto-approve --tui --detach --parallel --lines --explain"
        " --require-p95-under --rehearse --script --real-tools --events --log-json --store"
    ),
    "resume": "--add-usd --add-steps --add-tokens --policy --store",
    "pause": STORED,
    "cancel": STORED,
    "runs": "--status --user --task --since --store",
    "runs prune": "--older-than --store",
    "show": STORED,
    "trace": "--inputs --html --otlp --store",
    "events": "-f --store",
    "replay": STORED,
    "fork": "--at --policy --goal --store",
    "monitor": "--serve --serve-approve --store",
    "approvals": STORED,
    "approve": "--args --store",
    "deny": "--why --store",
    "policy list": "",
    "policy show": "--toml",
    "policy check": "",
    "policy test": "",
    "policy explain": "",
    "policy diff": "",
    "policy new": "",
    "policy schema": "",
    "policy backtest": "--since --rehearsed --store",
    "policy suggest": "--store",
    "task check": "",
    "task schema": "",
    "tools list": "",
    "tools check": "",
    "tools try": "",
    "audit": "",
    "drill": "--policy --only --naive --real-tools --html --junit",
    "rehearse serve": "--port",
    "rehearse schema": "",
    "cache warm": "--provider --min-ratio --keep-alive --store",
    "cache stats": "--store",
    "budget": "--policy --rehearsed --store",
    "budget reset": STORED,
    "circuits": STORED,
    "circuits reset": STORED,
    "stats": "--policy --rehearsed --store",
    "alerts": "--rehearsed --store",
    "alerts check": "--policy --rehearsed --store",
    "alerts test": "",
    "scrub test": "",
    "auth set": "",
    "auth list": "",
    "auth remove": "",
    "doctor": STORED,
    "store check": STORED,
    "store migrate": STORED,
    "export": STORED,
    "verify": "",
    "help": "",
}
"""Every command, and the flags that are promised besides `--json` and `--help`."""
PANELS = {"Run", "People", "Policy", "See", "Store"}


def program() -> Any:
    return get_command(app)


def found(name: str) -> Any:
    """The command of that name; None: there is none."""
    at = program()
    for word in name.split():
        commands = getattr(at, "commands", {})
        if word not in commands:
            return None
        at = at.get_command(None, word)
    return at


def flags(command: Any) -> set[str]:
    return {flag for parameter in command.params for flag in parameter.opts if flag.startswith("-")}


def leaves(command: Any, path: tuple[str, ...] = ()) -> set[str]:
    """The names of all commands that do something."""
    below: set[str] = set()
    for name in getattr(command, "commands", ()):
        below |= leaves(command.get_command(None, name), (*path, name))
    does = not hasattr(command, "commands") or (path and command.invoke_without_command)
    return below | ({" ".join(path)} if does else set())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_promised_command_is_there_with_its_flags_its_help_and_an_example(name: str):
    command = found(name)

    assert command is not None
    assert {*COMMANDS[name].split(), "--json"} - flags(command) == set()
    assert command.help
    assert command.epilog.startswith("Example: agentctl ")


@pytest.mark.parametrize("name", sorted(leaves(program())))
def test_every_command_prints_json_and_shows_an_example_of_itself_that_it_understands(name: str):
    """What is there beyond the promised, too."""
    command = found(name)
    example = shlex.split(command.epilog.removeprefix("Example: "))

    assert "--json" in flags(command)
    assert example[: 1 + len(name.split())] == ["agentctl", *name.split()]
    assert {re.sub(r"=.*", "", word) for word in example if re.match(r"-{1,2}[a-z]", word)} <= flags(command)
    assert [] == [parameter.name for parameter in command.params if flags_of(parameter) and not said(parameter)]


def flags_of(parameter: Any) -> list[str]:
    return [flag for flag in parameter.opts if flag.startswith("--") and not parameter.hidden]


def said(parameter: Any) -> str:
    return str(parameter.help or "")


def test_the_help_has_its_five_panels():
    panels = {command.rich_help_panel for name in program().commands if (command := found(name))}

    assert panels == PANELS
