"""What a model is shown under `scrub.to_model`: `[REDACTED:n]` for every secret, and back again for tools.

Rules. Each text is masked where it enters the run, so that what is kept, sealed and sent again is what was sent; the
values are sealed beside it, in the same write. A filter that fails shows `[SCRUB ERROR]`. Without `to_model` nothing
here changes anything, but that a run which had it goes on filling in.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

from agentctl.config import variables
from agentctl.config.task import Filled, LoadedTask
from agentctl.core import placeholders
from agentctl.core.envelope import Envelope
from agentctl.core.events import Resumed, RunStarted, SecretsNumbered, Stamped
from agentctl.core.guards.scrub import FAILED, Filter
from agentctl.core.messages import Block, Json, JsonObject, Message, Text, ToolSchema, ToolUse, is_object
from agentctl.core.placeholders import Vault
from agentctl.errors import Forbidden
from agentctl.journal.store import Store
from agentctl.runner.world import World


def shows(scrub: Filter, vault: Vault, *, to_model: bool) -> Filter:
    """The filter of what a model is shown; one that changes nothing where the policy does not ask for it."""
    return dataclasses.replace(scrub, number=vault.number, on=scrub.on and to_model)


def recalled(journal: Store, run_id: str, events: Iterable[Stamped], scrub: Filter) -> Vault:
    """The values of a run that goes on. They are known to the scrubber again, too."""
    vault = Vault()
    for stamped in events:
        match stamped.event:
            case SecretsNumbered(sealed="", count=count):  # destroyed before the fork: each stands for itself
                vault.restore(f"[REDACTED:{len(vault) + number}]" for number in range(1, count + 1))
            case SecretsNumbered(sealed=digest):
                vault.restore(json.loads(journal.original(run_id, digest)))
            case _:
                pass
    for value in vault.values:
        if isinstance(value, str):
            scrub.known.learn(value)
    return vault


def refuse_late(events: Iterable[Stamped], run_id: str, *, to_model: bool) -> None:
    """Refuse to switch it on in the middle of a run, whose messages hold the values as they are.

    Raises:
        Forbidden: a drive of this run was without it.
    """
    drives = (at.event for at in events if isinstance(at.event, RunStarted | Resumed))
    if to_model and not all(drive.to_model for drive in drives):
        raise Forbidden(
            f"{run_id} began without scrub.to_model: its model has seen secrets as they are",
            hint="Start it anew, or resume it under the policy that it had.",
        )


def keep(world: World) -> None:
    """Record what was numbered since: before, or in the same write as, the event whose text names it."""
    new = world.vault.untold()
    if new:
        world.recorder.record(SecretsNumbered(len(new), world.recorder.seal(json.dumps(new))))


def plain(world: World, shown: str) -> str:
    """A text as it is, out of what the model is shown."""
    return str(world.vault.filled(shown))


def text(world: World, said: str) -> str:
    """A text that comes in."""
    return str(world.shows.incoming(said))


def answer(world: World, call_id: str, said: Envelope, *, ours: bool = False) -> Envelope:
    """A tool's answer; `ours`: agentctl wrote it, and what looks like a placeholder in it is one.

    What this call was filled in with is masked in its answer, also where nothing else would know it for a secret.
    """
    if not world.shows.on:
        return said
    filled_in = placeholders.numbers(world.said[call_id].args)

    def hidden(text: str) -> str:
        return world.vault.hidden(text, filled_in) if filled_in else text

    def shown(value: Json) -> Json:
        try:
            return world.shows.data(placeholders.mapped(value if ours else placeholders.unforged(value), hidden))
        except RecursionError:
            return FAILED

    masked = dataclasses.replace(
        said,
        data=shown(said.data),
        code=None if said.code is None else str(shown(said.code)),
        message=str(shown(said.message)),
        hint=str(shown(said.hint)),
    )
    keep(world)
    return masked


def unforged(world: World, given: dict[str, str]) -> dict[str, str]:
    """Variables of somebody else's, in which nothing is a placeholder."""
    if not world.shows.on:
        return given
    return {name: str(placeholders.unforged(value)) for name, value in given.items()}


def started(world: World, loaded: LoadedTask, filled: Filled) -> Filled:
    """A task as the model is shown it: a secret variable has its number however short it is.

    What goes before in a request is numbered before, so that a warmed prefix is the same.
    """
    if not world.shows.on:
        return filled

    def shown(template: str) -> str:
        names = variables.placeholder.findall(template)
        return world.shows.text(variables.filled(template, {name: value(name) for name in names}))

    def value(name: str) -> str:
        given = placeholders.unforged(filled.values[name])
        secret = loaded.task.vars[name].secret and given != ""
        return (
            world.vault.number(given) if secret else str(placeholders.unforged(variables.written(filled.values[name])))
        )

    system = shown(loaded.system)
    world.schemas = schemas(world, world.schemas)
    return dataclasses.replace(filled, goal=shown(loaded.goal), system=system)


def schemas(world: World, offered: tuple[ToolSchema, ...]) -> tuple[ToolSchema, ...]:
    """Tools as the model is told of them. Names of arguments say nothing here: what stands below them is a schema."""

    def shown(schema: ToolSchema) -> ToolSchema:
        parameters = placeholders.mapped(schema.parameters, lambda each: text(world, each))
        described = text(world, schema.description)
        return ToolSchema(schema.name, described, parameters if is_object(parameters) else {})

    return tuple(shown(schema) for schema in offered) if world.shows.on else offered


def reply(world: World, message: Message) -> Message:
    """The model's own words as they are kept and sent to others; what has to be echoed to their maker stays."""
    if not world.shows.on:
        return message

    def shown(block: Block) -> Block:
        match block:
            case Text(text=said):
                return Text(world.shows.text(said))
            case ToolUse() as use:
                return _use(world, use)
            case _:
                return block

    return dataclasses.replace(message, blocks=tuple(shown(block) for block in message.blocks))


def _use(world: World, use: ToolUse) -> ToolUse:
    args = use.args if use.args is None else world.shows.fields(use.args)
    return dataclasses.replace(use, args=args, garbled=world.shows.text(use.garbled))


def called(world: World, uses: Sequence[ToolUse]) -> None:
    """The calls that are open now, as they were asked for; their tools get the values."""
    world.said = {use.call_id: use for use in uses}
    world.calls = {use.call_id: filled(world, use) for use in uses}
    world.answers, world.labels = {}, {}


def edited(world: World, call_id: str, args: JsonObject | None) -> None:
    """An open call has other arguments, which a person gave it; they are the values."""
    use = world.said[call_id]
    world.said[call_id] = _use(world, dataclasses.replace(use, args=args))
    world.calls[call_id] = dataclasses.replace(use, args=args)


def filled(world: World, use: ToolUse) -> ToolUse:
    """A call with the values themselves; arguments too deep for that are refused before a tool sees them."""
    if not world.vault or use.args is None:
        return use
    try:
        args = world.vault.filled(use.args)
    except RecursionError:
        return use
    return dataclasses.replace(use, args=args if is_object(args) else None)
