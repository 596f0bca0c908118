"""What was typed is taken as it is where that is plain, without pydantic.

typer checks every value with it, `False` and None included, and its import is a third of what `agentctl runs` takes.
Only what could come out otherwise is still given to typer's own check: its words for a wrong value stay.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from typer import _coercion as theirs
from typer import core

from agentctl.records import dataclass

NAME = "build_runtime_param"
PLAIN = (str, int, float, bool)
whole = re.compile(r"0|[1-9][0-9]{0,8}")


def lighten() -> None:
    """From now on typer asks here first; a typer that is built otherwise is left alone."""
    if hasattr(core, NAME) and [field.name for field in fields(theirs.RuntimeParam)] == [
        "parameter_info",
        "annotation",
    ]:
        setattr(core, NAME, built)


def built(descriptor: theirs.TypeDescriptor) -> theirs.RuntimeParam:
    """The check of one parameter."""
    info = descriptor.parameter_info
    if descriptor.annotation not in PLAIN or info.parser is not None or info.clamp:
        return theirs.build_runtime_param(descriptor)
    return Plain(info, descriptor.annotation, descriptor)


@dataclass(frozen=True)
class Plain(theirs.RuntimeParam):
    """Of one text, number or flag."""

    descriptor: theirs.TypeDescriptor

    def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401  # as typer has it
        read = int(value) if self.annotation is int and isinstance(value, str) and whole.fullmatch(value) else value
        if self._is_plain(read):
            return read
        return theirs.build_runtime_param(self.descriptor).coerce(value, param=param, ctx=ctx)

    def _is_plain(self, value: object) -> bool:
        """Whether it is what is wanted already."""
        least, most = self.parameter_info.min, self.parameter_info.max
        match value:
            case str():
                return self.annotation is str and value.isascii()
            case int() | float() if type(value) is self.annotation:
                return (least is None or value >= least) and (most is None or value <= most)
            case _:
                return False
