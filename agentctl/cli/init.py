"""`agentctl init`: a task, a policy, tools and a rehearsal to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentctl.cli import render
from agentctl.cli.options import AsJson, filled

TEMPLATE = Path(__file__).parent / "template"


def init(
    where: Annotated[str, typer.Argument(metavar="DIR", callback=filled, help="Where to; default: here")] = ".",
    force: Annotated[bool, typer.Option("--force", help="Write over files that were changed")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a small support desk to start from: a task, a policy, tools and a rehearsal that needs no key"""
    from agentctl.errors import Invalid, Usage

    folder = Path(where)
    try:
        wanted = {path: text for path, text in _template(folder) if not _same(path, text)}
        changed = [path for path in wanted if path.exists()]
        if changed and not force:
            listed = ", ".join(str(path) for path in changed)
            raise Usage(f"nothing was written; these files are others than init's: {listed}", hint="--force overwrites")
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
    except OSError as error:
        raise Invalid(f"{error.filename}: {error.strerror}") from None
    command = f"agentctl run {folder / 'task.toml'} --rehearse --var order=A-1001"
    if as_json:
        written = [str(path) for path in wanted]
        render.as_json({"folder": str(folder), "written": written, "next": command})
        return
    for path in wanted:
        render.out(f"wrote {path}")
    if not wanted:
        render.out(f"nothing to do: {folder} is up to date")
    render.say(f"\nnext:    {command}", "hint")


def _template(folder: Path) -> list[tuple[Path, bytes]]:
    files = sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return [(folder / path.relative_to(TEMPLATE), path.read_bytes()) for path in files]


def _same(path: Path, text: bytes) -> bool:
    return path.is_file() and path.read_bytes() == text
