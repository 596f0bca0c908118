"""The task's own judgement of an answer.

`[output]`, the shape that it must have, and `[check]`, the program that must agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Protocol, cast

from agentctl.core.events import Checked
from agentctl.core.messages import Json, JsonObject
from agentctl.core.wrapping import harmless
from agentctl.errors import Invalid
from agentctl.runner import numbered
from agentctl.runner.world import World

FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n\s*```", re.DOTALL)
MOST_SAID = 2_000
"""Characters of a check's output that the model is told: its end."""


class _Mismatch(Protocol):
    """What is used of the validator's error."""

    absolute_path: Iterable[object]
    message: str


def parsed(text: str) -> Json:
    """The JSON of an answer, also where it stands in one fenced block.

    Raises:
        ValueError: it is none.
    """
    fenced = FENCED.findall(text)
    return json.loads(fenced[0] if len(fenced) == 1 else text)


def shape(schema: JsonObject) -> Callable[[str], str]:
    """What is wrong with an answer under a JSON Schema, in one line; empty: nothing."""
    from jsonschema import Draft202012Validator, exceptions  # 60 ms that a task without [output] does not pay

    validator = Draft202012Validator(schema)
    best_match = cast("Callable[[object], _Mismatch | None]", exceptions.best_match)  # pyright: ignore[reportUnknownMemberType, reportArgumentType]  # untyped

    def problem(text: str) -> str:
        try:
            value = parsed(text)
        except (ValueError, RecursionError) as error:
            return f"It is not JSON: {str(error)[:200]}."
        errors: object = validator.iter_errors(value)  # pyright: ignore[reportUnknownMemberType, reportArgumentType]  # untyped
        found = best_match(errors)
        if found is None:
            return ""
        place = "/".join(str(part) for part in found.absolute_path) or "the answer"
        return harmless(f"At {place}: {found.message[:300]}.")  # it quotes the answer, in a message of the user's

    return problem


async def run_check(world: World) -> None:
    """Run the task's check and record what it said."""
    from agentctl.tools.sandbox.box import UNBOXED, Box, run_boxed
    from agentctl.tools.sandbox.keeping import words

    check, started = world.check, world.clock()
    if check is None:
        raise TypeError("a check was decided, and the task has none")
    try:
        box = world.check_box or Box(UNBOXED, world.folder)  # it may run what the model has just written
        ended = await world.interrupt.guard(
            lambda: run_boxed(box, check.command, world.check_env, b"", check.timeout_seconds)
        )
    except (OSError, ValueError) as error:
        raise Invalid(f"[check] can't be run: {error}", hint="agentctl task check FILE") from error
    heard = (ended.stdout + ended.stderr).decode(errors="replace")[-MOST_SAID:]
    if world.setup.policy.trust.enabled:  # what it looked at may be somebody else's words, and goes to the model
        heard = harmless(heard)
    changed = words(ended.changed, ended.left)
    if changed:
        heard = f"The check changed what decides what is done later, and {changed}\n{heard}"
    said = world.scrub.text(numbered.text(world, heard))
    numbered.keep(world)
    code = -1 if ended.how != "exited" or changed else ended.code
    ms = max(0, round((world.clock() - started) * 1000))
    world.recorder.record(Checked(code == 0, code, said.strip(), ms))
