"""A task from its file: checked as a whole before anything is sent, then filled with its variables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import cast

from agentctl.config import paths, schema, shape, toml, tool_checks, tool_schema, variables
from agentctl.config.problems import KeyPath, did_you_mean, invalid, show, unheard
from agentctl.config.text import display, read
from agentctl.config.variables import Template, Value
from agentctl.core.messages import Json, JsonObject
from agentctl.core.policy import Policy
from agentctl.core.task import Step, Task
from agentctl.errors import Invalid, Problem
from agentctl.records import dataclass

FOREIGN = {key: "it belongs in a policy file" for key in shape.names(Policy) if key not in shape.names(Task)}


@dataclass(frozen=True, slots=True, eq=False)
class LoadedTask:
    """A task, the texts that it names, and where it is from."""

    task: Task
    path: Path
    base: Path
    """The folder that its relative paths start from."""
    goal: str
    """With placeholders still in it, as `system`."""
    system: str
    digest: str
    """SHA-256 of the file and of the texts that it names."""
    warnings: tuple[str, ...]
    """What is odd but does no harm."""
    document: toml.Document = field(repr=False)


@dataclass(frozen=True, slots=True)
class Filled:
    """A task's texts with the variables of one run."""

    goal: str
    system: str
    steps: tuple[Step, ...]
    values: dict[str, Value]
    secrets: tuple[str, ...] = field(repr=False)
    """The values that must never be written or shown."""


def load_task(path: Path) -> LoadedTask:
    """Load a task file.

    Raises:
        Invalid: with every problem of the file and of the files that it names.
    """
    document = toml.load(path)
    base = path.absolute().parent
    task, problems = schema.examine(Task, document, foreign=FOREIGN)
    if task is None:
        raise invalid(problems)
    templates, missing = _templates(task, document, base)
    more = [
        *missing,
        *variables.check(task.vars, document),
        *variables.undeclared(task.vars, templates),
        *tool_checks.check(task, document, base),
        *_others(task, document, base),
    ]
    problems += unheard(problems, more)
    if problems:
        raise invalid(problems)
    texts = {cast("str", each.path[0]).removesuffix("_file"): each.text for each in templates[:2]}
    goal, system = texts.get("goal", ""), texts.get("system", "")
    source = f"{document.text}\0{goal}\0{system}"
    return LoadedTask(
        task=task,
        path=path,
        base=base,
        goal=goal,
        system=system,
        digest=hashlib.sha256(source.encode()).hexdigest(),
        warnings=tuple(_warnings(task, templates)),
        document=document,
    )


def fill(loaded: LoadedTask, given: Mapping[str, str], *, folder: Path | None = None) -> Filled:
    """The task with the variables of one run; files are looked for in `folder`, else the current one.

    Raises:
        Invalid: with every value that is missing, unknown or does not fit.
    """
    declared = loaded.task.vars
    problems = [
        loaded.document.problem(("vars",), f"no variable is called {show(name)}", _known_vars(name, declared))
        for name in given
        if name not in declared
    ]
    used = {name for template in _again(loaded) for name in template.names()}
    values: dict[str, Value] = {}
    for name, var in declared.items():
        path: KeyPath = ("vars", name)
        if name not in given and var.default is None:
            if var.required or name in used:
                message = "no value is given for this variable"
                hint = f"give one: --var {name}=…"
                problems.append(loaded.document.problem(path, message, hint, key=True))
            continue
        try:
            values[name] = _value(loaded, name, given.get(name), folder or Path.cwd())
            variables.written(values[name]).encode()
        except UnicodeError:
            hint = "give it as UTF-8"
            problems.append(loaded.document.problem(path, "the value is not text in UTF-8", hint, key=True))
        except ValueError as error:
            problems.append(loaded.document.problem(path, *cast("tuple[str]", error.args), key=True))
    if problems:
        raise invalid(problems)
    secrets = [variables.written(each) for name, each in values.items() if declared[name].secret]
    return Filled(
        goal=variables.filled(loaded.goal, values),
        system=variables.filled(loaded.system, values),
        steps=tuple(Step(step.tool, cast("JsonObject", _filled(step.args, values))) for step in loaded.task.steps),
        values=values,
        secrets=tuple(secret for secret in secrets if secret),
    )


def _value(loaded: LoadedTask, name: str, text: str | None, folder: Path) -> Value:
    var = loaded.task.vars[name]
    if text is not None:
        return variables.typed(var, text, folder)
    if var.type == "file":
        return variables.typed(var, cast("str", var.default), loaded.base)
    return cast("Value", var.default)


def _known_vars(name: str, declared: Mapping[str, object]) -> str:
    there = f"there is: {', '.join(declared)}" if declared else "the task has no variables"
    return did_you_mean(name, declared) or there


def _templates(task: Task, document: toml.Document, base: Path) -> tuple[list[Template], list[Problem]]:
    """Goal and system (the first two, where they are there) and the steps' texts."""
    templates: list[Template] = []
    problems: list[Problem] = []
    for name, text, file in (
        ("goal", task.goal, task.goal_file),
        ("system", task.system, task.system_file),
    ):
        if text and file:
            message = f"expected either {name} or {name}_file; both are given"
            problems.append(document.problem((f"{name}_file",), message, key=True))
        elif file:
            try:
                path = base / paths.expanded(file)
                content = read(path)
                templates.append(Template(content, document, (f"{name}_file",), display(path)))
            except Invalid as error:
                problems += [_named(document, (f"{name}_file",), each) for each in error.problems]
        elif text:
            templates.append(Template(text, document, (name,)))
    said = document.data.get("goal_file") or document.data.get("goal") or ""
    if isinstance(said, str) and not said.strip():
        message = "missing: what is to be done"
        problems.append(document.problem(("goal",), message, 'write goal = "…" or goal_file'))
    templates += _step_templates(task, document)
    return templates, problems


def _step_templates(task: Task, document: toml.Document) -> list[Template]:
    found: list[Template] = []
    for number, step in enumerate(task.steps):
        for path, text in _texts(step.args, ("steps", number, "args")):
            found.append(Template(text, document, path))
    return found


def _again(loaded: LoadedTask) -> list[Template]:
    named = (("goal", loaded.goal), ("system", loaded.system))
    templates = [Template(text, loaded.document, (name,)) for name, text in named]
    return templates + _step_templates(loaded.task, loaded.document)


def _texts(value: Json, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, each in cast("JsonObject", value).items():
            yield from _texts(each, (*path, name))
    elif isinstance(value, list):
        for number, each in enumerate(cast("list[Json]", value)):
            yield from _texts(each, (*path, number))


def _filled(value: Json, values: Mapping[str, Value]) -> Json:
    """Arguments with their variables; one that is nothing but a placeholder keeps the variable's type."""
    if isinstance(value, str):
        whole = variables.placeholder.fullmatch(value)
        return values[whole[1]] if whole else variables.filled(value, values)
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in cast("JsonObject", value).items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in cast("list[Json]", value)]
    return value


def _named(document: toml.Document, path: KeyPath, problem: Problem) -> Problem:
    """A problem of a file, told where the file is named."""
    inside = f"{problem.file}:{problem.line}" if problem.line else problem.file
    return document.problem(path, f"{inside}: {problem.message}", problem.suggestion)


def _others(task: Task, document: toml.Document, base: Path) -> Iterator[Problem]:
    if task.rehearsal and not (base / paths.expanded(task.rehearsal)).is_file():
        yield document.problem(("rehearsal",), f"no such file: {show(task.rehearsal)}")
    if task.output is not None:
        yield from tool_schema.check(task.output.schema, document, ("output", "schema"))
    if task.check is not None and not (task.check.command and task.check.command[0]):
        yield document.problem(("check", "command"), "expected a program and its arguments")


def _warnings(task: Task, templates: list[Template]) -> Iterator[str]:
    used = {name for template in templates for name in template.names()}
    for name in task.vars:
        if name not in used:
            yield f"vars.{name} is declared but used nowhere"
    yield from tool_checks.absent_programs(task)
