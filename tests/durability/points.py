"""Every failpoint of the program, read from its source."""

import ast
from pathlib import Path
from typing import Final

import agentctl

ROOT = Path(agentctl.__file__).parent
OF_ONE_KIND: Final = {
    "sqlite": ("journal/sqlite.py", "journal/opening.py", "journal/bodies.py", "journal/sealed.py"),
    "postgres": ("journal/postgres/",),
}
"""What is done on one kind of store alone: its own files are made, or its server is spoken to."""


def named() -> list[tuple[str, str]]:
    """The files and names, as often as they stand there."""
    return [
        (path.relative_to(ROOT).as_posix(), str(node.args[0].value))
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint"
        if isinstance(node.args[0], ast.Constant)
    ]


def points(kind: str) -> list[str]:
    """Those that are passed on this kind of store."""
    others = tuple(start for each, starts in OF_ONE_KIND.items() for start in starts if each != kind)
    return sorted({name for file, name in named() if not file.startswith(others)})


POINTS: Final = {kind: points(kind) for kind in OF_ONE_KIND}
