"""What is known of a shell's call before it runs: its parts, each judged, and the files that it would run."""

from __future__ import annotations

from agentctl.core import command_rules
from agentctl.core.commands import Command
from agentctl.core.contract import Contract
from agentctl.core.guards import risk
from agentctl.core.messages import Json, is_object
from agentctl.runner.world import World
from agentctl.tools.scripts import digests


def command_of(contract: Contract | None, args: Json) -> Command | None:
    """What a shell would make of these arguments; None: no shell reads them."""
    if contract is None or contract.command is None or not is_object(args):
        return None
    return contract.command(args)


def parts_of(world: World, contract: Contract, args: Json) -> tuple[tuple[str, str], ...]:
    """The parts of a command as they may be shown, each with its tier and what set it, rules included."""
    command = command_of(contract, args)
    if command is None or not is_object(args):
        return ()
    setup = world.setup
    judged = command_rules.parts(setup.policy.risk, contract, args, setup.reader, command)

    def shown(text: str) -> str:
        return world.scrub.text(world.vault.hidden(text))

    return tuple((shown(part.text), f"{ruling.word}: {shown(_why(ruling))}") for part, ruling in judged)


def _why(ruling: risk.Ruling) -> str:
    return ruling.rule.removeprefix("built-in: ")


def files_of(world: World, contract: Contract, args: Json) -> tuple[tuple[str, str], ...]:
    """Path and digest of each file that the command would run, as it is now."""
    command = command_of(contract, args)
    return () if command is None else digests(command, world.folder)
