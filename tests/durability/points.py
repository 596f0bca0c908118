"""Every failpoint of the program, read from its source."""

import ast
from pathlib import Path

import agentctl

ROOT = Path(agentctl.__file__).parent


def named() -> list[str]:
    """The names, as often as they stand there."""
    return [
        str(node.args[0].value)
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint"
        if isinstance(node.args[0], ast.Constant)
    ]


POINTS = sorted(set(named()))
