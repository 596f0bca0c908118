"""Clients of two tenants at once, each with marks of their own; none may be seen by another. A76, D07

Each tenant has two users, each user two sessions, under the same names: whoever mixes up one of the three is seen.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from agentctl.core import envelope, sampling
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import Act, Behaviour, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Reply

INJECTED = "two tenants, users and sessions of the same names at once, each with marks of its own"
CLIENTS, ACTS = 8, 2
LEAST = 6
"""Letters of a mark."""
ADVICE = "no key of a policy makes this good: report it as a defect of agentctl"


def scene(ground: Ground) -> Scene | Skip:
    """All at once, and each once more in the same session."""
    target, marked = _target(ground), _variables(ground)
    if target is None and not any(marked):
        return Skip("neither a variable nor a tool of the task could carry a mark")
    replies = () if target is None else (Reply(text="I will look.", calls=(target.call(),)),)
    return Scene(
        tuple(
            Act(
                ground.script(*replies),
                {} if target is None else {target.name: _marking(act)},
                CLIENTS,
                crossed=True,
                variables=marked,
                sessions=True,
            )
            for act in range(ACTS)
        )
    )


def judge(ground: Ground, seen: Seen) -> Finding:
    """No mark is in a request, an answer or an event of somebody else's."""
    owned = _owned(ground, seen)
    requests: dict[str, list[str]] = defaultdict(list)
    for request in seen.requests:
        requests[request.run_id].append(json.dumps(request.body, ensure_ascii=False))
    for client in seen.clients:
        places = {
            "a request": requests[client.run_id],
            "the answer": [client.answer, client.message],
            "an event": [repr(stamped) for stamped in client.events],
        }
        for other, marks in owned.items():
            for place, texts in () if other == client.number else places.items():
                found = next((mark for mark in marks if any(mark in text for text in texts)), "")
                if found:
                    return failed(
                        f"{found!r} of client {other} stood in {place} of client {client.number}", advice=ADVICE
                    )
    broken = [client for client in seen.clients if client.error]
    if broken:
        return failed(f"client {broken[0].number} could not run: {broken[0].error}")
    count = sum(map(len, owned.values()))
    own = sum(any(mark in text for mark in owned[one.number] for text in requests[one.run_id]) for one in seen.clients)
    came = f"{len(seen.clients)} runs in {CLIENTS} sessions, {CLIENTS} at once, {count} marks"
    return held(f"{came}: {own} runs sent their own, none anybody else's")


def _target(ground: Ground) -> Target | None:
    return ground.reader() or ground.effect()


def _mark(act: int, number: int) -> str:
    return f"marigold-{act}-{number:03}-x"


def _marking(act: int) -> Behaviour:
    """Each result has a mark of its own: whoever made the call owns it."""

    def answer(_: JsonObject, number: int) -> Envelope:
        return envelope.success({"customer": _mark(act, number)})

    return answer


def _variables(ground: Ground) -> tuple[Mapping[str, str], ...]:
    """For each client a mark in every variable that takes one."""
    marked: list[dict[str, str]] = [{} for _ in range(CLIENTS)]
    for name, var in ground.declared.items():
        if var.type != "string" or var.choices:
            continue
        plain = [f"lily-{name}-{number:03}-x" for number in range(CLIENTS)]
        made = plain if var.pattern is None else [sampling.matching(var.pattern, number) for number in range(CLIENTS)]
        values = [value for value in made if value is not None]
        if len(values) == CLIENTS and _tell_apart(ground, values):
            for each, value in zip(marked, values, strict=True):
                each[name] = value
    return tuple(marked)


def _tell_apart(ground: Ground, values: Sequence[str]) -> bool:
    """Whether these say whose they are, wherever they stand."""
    known = json.dumps(list(ground.examples.values()))
    pairs = ((one, other) for one in values for other in values if one is not other)
    long = all(len(value) >= LEAST and any(map(str.isalpha, value)) and value not in known for value in values)
    return long and not any(one in other for one, other in pairs)


def _owned(ground: Ground, seen: Seen) -> dict[int, list[str]]:
    """The marks of each client."""
    numbers = {client.run_id: client.number for client in seen.clients}
    owned = {number: list(each.values()) for number, each in enumerate(_variables(ground))}
    target = _target(ground)
    for act in range(ACTS):
        uses = [use for use in seen.uses if use.act == act and target is not None and use.tool == target.name]
        for number, use in enumerate(uses):
            owned[numbers[use.run_id]].append(_mark(act, number))
    return owned
