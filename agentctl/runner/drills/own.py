"""Drills of the user's own, read from their files: `agentctl drill T --drills FILE`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from agentctl.config import schema, shape, toml
from agentctl.config.problems import KeyPath, did_you_mean, invalid, show
from agentctl.config.toml import Document
from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject, is_list, is_object
from agentctl.core.policy import Policy
from agentctl.errors import Problem
from agentctl.journal.codec import TAGS
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.names import NAMES
from agentctl.rehearsal.drills.own import Expect, OwnDrill, ToolAct
from agentctl.rehearsal.drills.registry import Drill
from agentctl.rehearsal.drills.scene import Act, Behaviour, Change, Finding, Scene, Seen
from agentctl.rehearsal.script import Reply, Script, parse_range
from agentctl.runner.drills import altering
from agentctl.runner.drills.expecting import judged

good_name = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")


def load(paths: Iterable[Path]) -> tuple[Drill, ...]:
    """The drills of these files; a folder stands for its `*.toml`, in the order of their names.

    Raises:
        Invalid: with every problem of the first file that has any.
    """
    found: dict[str, Drill] = {}
    for path in (file for each in paths for file in _files(each)):
        document = toml.load(path)
        if problems := [*_ranges(document)]:
            raise invalid(problems)
        own = schema.validate(OwnDrill, document)
        if problems := [*_problems(own, document, found)]:
            raise invalid(problems)
        found[own.drill.name] = Drill(
            own.drill.name,
            own.drill.injected or f"as {document.file} says",
            partial(_scene, own, document),
            partial(_judge, own),
            document.file,
        )
    return tuple(found.values())


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.toml")) or [path / "*.toml"] if path.is_dir() else [path]


def _ranges(document: Document) -> Iterator[Problem]:
    """Ranges that say nothing; whatever else may be wrong is told later."""
    for table, key in (("fault", "requests"), ("tool", "calls")):
        listed = document.data.get(table)
        for number, each in enumerate(listed if is_list(listed) else ()):
            text = each.get(key) if is_object(each) else None
            try:
                parse_range(text if isinstance(text, str) else "1-")
            except ValueError as error:
                yield document.problem((table, number, key), str(error))


def _problems(own: OwnDrill, document: Document, others: Mapping[str, Drill]) -> Iterator[Problem]:
    name = own.drill.name
    if not good_name.fullmatch(name):
        message = f"expected at most 64 small letters, digits and dashes, got {show(name)}"
        yield document.problem(("drill", "name"), message, f'write "{_spelled(name)}"' if _spelled(name) else "")
    elif name in NAMES or name in others:
        where = others[name].file if name in others else "one that came with agentctl"
        yield document.problem(("drill", "name"), f"the name of another drill: {where}", "choose another")
    if own.expect == Expect():
        yield document.problem(("expect",), "expected at least one key: nothing would be expected")
    for key in ("events", "no_events"):
        kinds: tuple[str, ...] = getattr(own.expect, key)
        for number, kind in enumerate(kinds):
            yield from _unknown(document, ("expect", key, number), "type of event", kind, TAGS.values())
    for number, act in enumerate(own.tool):
        if act.hang + (act.error is not None) + (act.result is not None) > 1:
            yield document.problem(("tool", number), "expected one of: hang, error, result")
    for key, value in own.drill.remedies.items():
        yield from _no_remedy(document, key, value)


def _no_remedy(document: Document, key: str, value: object) -> Iterator[Problem]:
    """A key that no policy has, or a value that it can't have."""
    path, hint = ("drill", "remedies", key), shape.at(Policy, tuple(key.split(".")))
    if hint is None or "." not in key:
        yield document.problem(path, "no key of a policy", did_you_mean(key, _keys()), key=True)
    elif schema.read(hint, value)[1]:
        yield document.problem(path, f"expected {shape.expected(hint)}, got {show(value)}")


def _spelled(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64]


def _keys() -> list[str]:
    """Every `table.key` of a policy."""
    return [f"{label[1:-1]}.{key}" for label, names in shape.tables(Policy) for key in names if label[:2] != "[["]


def _unknown(document: Document, path: KeyPath, what: str, word: str, known: Iterable[str]) -> Iterator[Problem]:
    listed = sorted(known)
    if word not in listed:
        tail = did_you_mean(word, listed) or f"one of: {', '.join(listed)}"
        yield document.problem(path, f"no such {what}: {show(word)}", tail)


def _scene(own: OwnDrill, document: Document, ground: Ground) -> Scene:
    """What is played.

    Raises:
        Invalid: it names tools or providers that this task and its policy do not have.
    """
    contracts = ground.setup.contracts
    if problems := [*_strangers(own, document, ground)]:
        raise invalid(problems)
    replies = tuple(_by_wire(reply, contracts) for reply in own.reply) or (ground.final(),)
    script = Script(reply=replies, fault=own.fault, person=own.person)
    given: dict[str, list[ToolAct]] = {}
    for each in own.tool:
        given.setdefault(contracts[each.tool].name, []).append(each)
    behaviours: dict[str, Behaviour] = {name: partial(_behave, listed) for name, listed in given.items()}
    about = own.drill
    act = Act(script, behaviours, clients=about.clients, every_s=about.every_s, shared=about.shared)
    return Scene((act,), window=about.window_tokens)


def _strangers(own: OwnDrill, document: Document, ground: Ground) -> Iterator[Problem]:
    """A call may name a tool that is not there, which is a way to misbehave; an expectation may not."""
    contracts = ground.setup.contracts
    named: list[tuple[KeyPath, str]] = [(("tool", n, "tool"), act.tool) for n, act in enumerate(own.tool)]
    named += [(("person", n, "tool"), person.tool) for n, person in enumerate(own.person)]
    for key in ("asked", "ran", "never_ran"):
        tools: tuple[str, ...] = getattr(own.expect, key)
        named += [(("expect", key, n), tool) for n, tool in enumerate(tools)]
    for path, tool in named:
        yield from _unknown(document, path, "tool in the task", tool, contracts)
    providers = {provider.name for provider in ground.policy.providers}
    for name in own.expect.requests:
        yield from _unknown(document, ("expect", "requests", name), "provider in the policy", name, providers)
    waits = [(("reply", n, "provider"), reply.provider) for n, reply in enumerate(own.reply)]
    waits += [(("fault", n, "provider"), fault.provider) for n, fault in enumerate(own.fault)]
    for place, provider in waits:
        if provider is not None:
            yield from _unknown(document, place, "provider in the policy", provider, providers)


def _by_wire(reply: Reply, contracts: Mapping[str, Contract]) -> Reply:
    """Tools are named as the task knows them, and called as the model is shown them."""
    calls = (replace(call, tool=contracts[call.tool].wire) if call.tool in contracts else call for call in reply.calls)
    return replace(reply, calls=tuple(calls))


def _behave(acts: list[ToolAct], _: JsonObject, number: int) -> Envelope | None:
    for act in acts:
        first, last = parse_range(act.calls)
        if first <= number + 1 and (last is None or number + 1 <= last):
            return _answer(act, number)
    return envelope.success({"drilled": True, "call": number + 1})


def _answer(act: ToolAct, number: int) -> Envelope | None:
    if act.hang:
        return None
    if act.error is not None:
        said = act.message or f"The drill lets it fail: {act.error}."
        return Envelope("error", error_type=act.error, retry_safe=act.error != "permanent", message=said)
    if act.result is not None:
        return envelope.success(act.result)
    return envelope.success({"drilled": True, "call": number + 1})


def _judge(own: OwnDrill, ground: Ground, seen: Seen) -> Finding:
    remedies = own.drill.remedies.items()
    given = [Change(key, value) for key, value in remedies if isinstance(value, bool | int | float | str)]
    off = altering.switched_off(ground.policy)
    return judged(own.expect, seen, given or [Change(f"{name}.enabled", value=True) for name in off])
