"""`agentctl policy show`, `policy new` and `policy schema`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import render, values
from agentctl.cli.options import AsJson
from agentctl.cli.task import OneLine, printed
from agentctl.errors import Invalid, Usage

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.core.messages import JsonObject


def show(
    name: Annotated[str, typer.Argument(metavar="P", help="A name or a file", autocompletion=values.policies)],
    as_toml: Annotated[bool, typer.Option("--toml", help="Print one TOML file that says the same")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a policy as it comes out, with the file and line of every value"""
    from agentctl.approvals.printable import printable
    from agentctl.config import load, writing

    if as_toml and as_json:
        raise Usage("--toml and --json exclude each other")
    loaded = load.load_policy(name)
    if as_toml:
        render.out(writing.merged(loaded, load.load_policy(_shipped())).removesuffix("\n"))
        return
    items = _values(loaded)
    if as_json:
        about: JsonObject = {"name": loaded.name, "path": str(loaded.path), "digest": loaded.digest}
        render.as_json({**about, "items": list(items), "truncated": False})
        return
    rows = [[str(item["key"]), writing.written(item["value"]), _place(item)] for item in items]
    render.table(("key", "value", "from"), [[printable(cell, lines=False) for cell in row] for row in rows])


def _shipped() -> str:
    from agentctl.config import load, paths

    return str(paths.shipped_policies() / f"{load.STANDARD}.toml")


def _values(loaded: LoadedPolicy) -> list[JsonObject]:
    """Every value with its place; null where no file says it."""
    from agentctl.config import receiving, schema, writing
    from agentctl.config.problems import dotted

    origins = loaded.origins
    items: list[JsonObject] = []
    for path, value in writing.leaves(schema.plain(receiving.masked(loaded.policy))):
        if path == ("name",):
            continue
        file, line = origins.get(path, (None, None))
        items.append({"key": dotted(path), "value": value, "file": file, "line": line})
    return items


def _place(item: JsonObject) -> str:
    return "built in" if item["file"] is None else f"{item['file']}:{item['line']}"


def new(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A file (ends in .toml), a name for your own policies, or - for stdout"),
    ] = "policy.toml",
    as_json: AsJson = False,
) -> None:
    """Write a policy with every key, what it means and the value of `standard`"""
    from agentctl.config import load, writing

    path = _path(name)
    called = name if path is not None else "policy.toml"
    text = writing.template(load.load_policy(_shipped()), called)
    if path is None:
        render.out(text.removesuffix("\n"))
        return
    _write(path, text)
    command = f"agentctl policy check {called}"
    if as_json:
        render.as_json({"written": str(path), "next": command})
        return
    render.out(f"wrote {path}")
    render.say(f"\nnext:    {command}", "hint")


def _path(name: str) -> Path | None:
    """Where it goes; None: to stdout."""
    from agentctl.config import paths
    from agentctl.config.problems import bare_key, show

    if name == "-":
        return None
    if "/" in name or name.endswith(".toml"):
        return Path(name).expanduser()
    if not bare_key.fullmatch(name):
        raise Usage(f"expected a name of letters, digits, _ and -, or a path that ends in .toml, got {show(name)}")
    return paths.user_policies() / f"{name}.toml"


def _write(path: Path, text: str) -> None:
    """A new file; never over one that is there."""
    from agentctl.config.text import display

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        if error.filename != str(path):
            raise Invalid(f"{error.filename}: it is no folder") from None
        message = f"nothing was written: {display(path)} is there already"
        raise Usage(message, hint="give another name, or remove it first") from None
    except OSError as error:
        raise Invalid(f"{error.filename}: {error.strerror}") from None


def schema(as_json: OneLine = False) -> None:
    """Print the JSON Schema of policy files, for editors"""
    from agentctl.config import json_schema

    printed(json_schema.policy(), one_line=as_json)
