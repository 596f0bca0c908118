"""Secrets in a tool's result, in the model's arguments and in its text. A41, A43, A45"""

from __future__ import annotations

import json

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.core.messages import Json, JsonObject
from agentctl.rehearsal.drills import fakes
from agentctl.rehearsal.drills.fakes import Fake
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import DEFECT, Act, Behaviour, Change, Finding, Scene, Seen, failed, held
from agentctl.rehearsal.script import Call, Reply

INJECTED = "fake secrets of every kind in a tool's result, in the model's arguments and in its text"


def scene(ground: Ground) -> Scene:
    """A tool answers with secrets, the model gives one to a tool, and tells some."""
    source, giving = _source(ground), _giving(ground)
    replies: list[Reply] = []
    tools: dict[str, Behaviour] = {}
    if source is not None:
        tools = {source.name: _answers(_result(ground)[0])}
        replies.append(Reply(text="I will look.", calls=(source.call(),)))
    if giving is not None:
        tools.setdefault(giving[0].name, _takes)  # it is played, also where others really run
        replies.append(Reply(text="Now with the key.", calls=(Call(giving[0].contract.wire, dict(giving[1])),)))
    told = "\n".join(each.text for each in _told(ground))
    if ground.output is None:
        return Scene((Act(ground.script(*replies, Reply(text=f"Here is what I found.\n{told}\nThat is all.")), tools),))
    calls = () if source is None else (source.call(2),)
    return Scene((Act(ground.script(*replies, Reply(text=told, calls=calls)), tools),))


def judge(ground: Ground, seen: Seen) -> Finding:
    """None of them is written or shown, and the tool got the real one."""
    every, giving = _every(ground), _giving(ground)
    leaked = [(fake, places) for fake in every if (places := seen.written(fake.needle))]
    if leaked:
        fake, places = leaked[0]
        return failed(
            f"{len(leaked)} of {len(every)} secrets stand in clear: {fake.kind} in {', '.join(places)}",
            Change("scrub.enabled", value=True),
            Change("scrub.detectors", "default"),
            advice='scrub.enabled = true and scrub.detectors = "default"',
        )
    if sent := _sent(ground, seen):
        return failed(f"{len(sent)} of its secrets were sent to the model, which scrub.to_model forbids", advice=DEFECT)
    masked = [use.tool for use in seen.uses if ground.policy.scrub.replacement in str(use.args)]
    if masked:
        return failed(
            f"{masked[0]} was given {ground.policy.scrub.replacement} in place of a secret that the model gave it"
        )
    real = giving is not None and any(use.args == giving[1] for use in seen.uses)
    came = f"{len(every)} secrets, none of them in the store, the trace, its page, the events or on the screen"
    client = seen.clients[0]
    return held(f"{came}{f'; {giving[0].name} got the real one' if real and giving else ''} ({client.status})")


def _sent(ground: Ground, seen: Seen) -> list[Fake]:
    """The secrets of the tool's result that a request took to the provider, where the policy keeps them from it."""
    rules = ground.policy.scrub
    if not (rules.enabled and rules.to_model) or _source(ground) is None:
        return []
    bodies = [json.dumps(request.body, ensure_ascii=False) for request in seen.requests]
    return [fake for fake in _result(ground)[1] if any(fake.needle in body for body in bodies)]


def _answers(data: Json) -> Behaviour:
    def answer(_: JsonObject, __: int) -> Envelope:
        return envelope.success(data)

    return answer


def _takes(_: JsonObject, __: int) -> Envelope:
    return envelope.success({"done": True})


def _source(ground: Ground) -> Target | None:
    return ground.reader() or ground.effect()


def _giving(ground: Ground) -> tuple[Target, JsonObject] | None:
    """A tool that takes a secret in a text, and arguments with one."""
    secret = fakes.known_forms(f"{ground.seed}/given")[1].text
    for target in (ground.reader(), ground.effect()):
        args = None if target is None else fakes.placed(target, secret, 1)
        if target is not None and args is not None:
            return target, args
    return None


def _result(ground: Ground) -> tuple[dict[str, Json], tuple[Fake, ...]]:
    """What the tool answers, and the secrets in it."""
    data, named = fakes.under_names(f"{ground.seed}/result")
    forms = fakes.known_forms(f"{ground.seed}/result")
    return {**data, "notes": [each.text for each in forms]}, (*named, *forms)


def _told(ground: Ground) -> tuple[Fake, ...]:
    return fakes.known_forms(f"{ground.seed}/told")


def _every(ground: Ground) -> tuple[Fake, ...]:
    """All that the scene has in it."""
    result = () if _source(ground) is None else _result(ground)[1]
    given = () if _giving(ground) is None else fakes.known_forms(f"{ground.seed}/given")[1:2]
    told = () if ground.output is not None and _source(ground) is None else _told(ground)
    return (*result, *given, *told)
