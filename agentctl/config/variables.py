"""The variables of a task: `{{name}}` in its texts, typed, checked, filled in once. No template engine."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from agentctl.config import paths
from agentctl.config.patterns import compiled
from agentctl.config.problems import KeyPath, did_you_mean, show
from agentctl.config.shape import SINGULAR
from agentctl.config.text import read
from agentctl.config.toml import Document
from agentctl.core.task import Var
from agentctl.errors import Invalid, Problem
from agentctl.records import dataclass

Value: TypeAlias = str | int | float | bool
TRUTH = {"true": True, "false": False}
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "file": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
WORDS = {
    "string": SINGULAR[str],
    "file": "the path of a file",
    "integer": SINGULAR[int],
    "number": SINGULAR[float],
    "boolean": SINGULAR[bool],
}

var_name = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
placeholder = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\}\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders, and where it stands."""

    text: str
    document: Document
    path: KeyPath
    file: str = ""
    """Where the text is a file of its own."""

    def names(self) -> Iterator[str]:
        """The variables that it uses."""
        return (found[1] for found in placeholder.finditer(self.text))

    def problem(self, name: str, message: str, suggestion: str) -> Problem:
        """A problem at the first use of a variable."""
        key = "{{" + name + "}}"
        source, start = (self.text, 0) if self.file else (self.document.text, self._start())
        used = (each for each in placeholder.finditer(source, start) if each[1] == name)
        if (found := next(used, None)) is None:
            return self.document.problem(self.path, message, suggestion)
        line = source.count("\n", 0, found.start()) + 1
        column = found.start() - source.rfind("\n", 0, found.start())
        file = self.file or self.document.file
        return Problem(file, line, column, key, message, suggestion)

    def _start(self) -> int:
        line, column = self.document.place(self.path)
        lines = self.document.text.split("\n")
        return sum(len(each) + 1 for each in lines[: line - 1]) + column - 1


def check(declared: Mapping[str, Var], document: Document) -> Iterator[Problem]:
    """Everything that is wrong with the declarations."""
    for name, var in declared.items():
        path: KeyPath = ("vars", name)
        if not var_name.fullmatch(name):
            message = "expected a name of letters, digits, _ and -, beginning with a letter"
            yield document.problem(path, message, key=True)
        wanted = WORDS["string" if var.type == "file" else var.type]
        given = [((*path, "default"), var.default)] if var.default is not None else []
        given += [((*path, "choices", number), each) for number, each in enumerate(var.choices)]
        for place, value in given:
            if not fits(var, value):
                message = f'expected {wanted} (type = "{var.type}"), got {show(value)}'
                yield document.problem(place, message)
        if var.choices and var.default is not None and var.default not in var.choices:
            words = ", ".join(show(each) for each in var.choices)
            message = f"expected one of the choices {words}, got {show(var.default)}"
            hint = did_you_mean(str(var.default), [str(each) for each in var.choices])
            yield document.problem((*path, "default"), message, hint)
        yield from check_pattern(var, document, path)


def check_pattern(var: Var, document: Document, path: KeyPath) -> Iterator[Problem]:
    """The pattern of one variable."""
    if var.pattern is None:
        return
    if var.type not in {"string", "file"}:
        message = f'only texts have a pattern, this is type = "{var.type}"'
        yield document.problem((*path, "pattern"), message, key=True)
        return
    try:
        pattern = compiled(var.pattern)
    except ValueError as error:
        yield document.problem((*path, "pattern"), f"expected an RE2 pattern: {error}")
        return
    if isinstance(var.default, str) and not pattern.fullmatch(var.default):
        message = f"expected a text that matches {show(var.pattern)}, got {show(var.default)}"
        yield document.problem((*path, "default"), message)


def fits(var: Var, value: Value) -> bool:
    """Whether a value from the file is of the variable's type; true and false are no numbers."""
    if isinstance(value, bool):
        return var.type == "boolean"
    return isinstance(value, KINDS[var.type])


def undeclared(declared: Mapping[str, Var], templates: list[Template]) -> Iterator[Problem]:
    """Placeholders that no variable fills."""
    for template in templates:
        for name in dict.fromkeys(template.names()):
            if name not in declared:
                hint = did_you_mean(name, declared) or f"declare it: [vars.{name}]"
                yield template.problem(name, f"no variable is called {show(name)}", hint)


def filled(text: str, values: Mapping[str, Value]) -> str:
    """The text with its variables; what a value brings along is not looked at again."""
    return placeholder.sub(lambda found: written(values[found[1]]), text)


def written(value: Value) -> str:
    """A value as it stands in a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def typed(var: Var, text: str, folder: Path) -> Value:
    """The value that a person's text stands for.

    Raises:
        ValueError: it stands for none, in words for a person.
    """
    value = _converted(var, text, folder)
    if var.pattern is not None and not compiled(var.pattern).fullmatch(str(value)):
        raise ValueError(f"expected a text that matches {show(var.pattern)}, got {_shown(var, text)}")
    if var.choices and value not in var.choices:
        words = ", ".join(written(each) for each in var.choices)
        hint = did_you_mean(text, [written(each) for each in var.choices])
        raise ValueError(f"expected one of: {words}, got {_shown(var, text)}", hint)
    return value


def _converted(var: Var, text: str, folder: Path) -> Value:
    if var.type == "string":
        return text
    if var.type == "file":
        try:
            return read(folder / paths.expanded(text))
        except Invalid as error:
            (problem,) = error.problems
            raise ValueError(f"{problem.file}: {problem.message}", problem.suggestion) from None
    word = text.strip()
    if var.type == "boolean" and word.lower() in TRUTH:
        return TRUTH[word.lower()]
    if var.type in {"integer", "number"} and re.fullmatch(r"[+-]?[0-9]{1,18}", word):
        return int(word)
    if var.type == "number" and re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?", word):
        number = float(word)
        if math.isfinite(number):
            return number
    raise ValueError(f"expected {WORDS[var.type]}, got {_shown(var, text)}")


def _shown(var: Var, text: str) -> str:
    return "a secret" if var.secret else show(text)
