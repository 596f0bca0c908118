"""Programs written on the spot, opened as a task's tools."""

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentctl.core.policy import Policy, Sandbox
from agentctl.core.task import Task, Tool
from agentctl.tools.base import Invocation, open_tools

PYTHON = sys.executable


@pytest.fixture
def run_id() -> str:
    """Of its own for each test: whoever is left over after a kill is found by it."""
    return f"r_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def invocation(run_id: str) -> Callable[..., Invocation]:
    def make(args: dict[str, Any] | None = None, *, timeout_s: float = 30.0, call_id: str = "c1.0"):
        return Invocation(run_id, call_id, "key-1", args if args is not None else {}, timeout_s)

    return make


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Any]:
    """The tools of a task that lies in `tmp_path`."""

    def make(*entries: Tool, policy: Policy | None = None) -> Any:
        task = Task(version=1, name="t", tools=entries)
        return open_tools(task, tmp_path, policy or Policy())

    return make


@pytest.fixture
def python_tool(tmp_path: Path, opened: Callable[..., Any]) -> Callable[..., Any]:
    """A program tool whose program is this Python source."""

    def make(source: str, *, env: tuple[str, ...] = ("PATH", "HOME", "LANG"), **contract: Any) -> Any:
        file = tmp_path / f"{uuid.uuid4().hex}.py"
        file.write_text(source)
        entry = Tool(name="t", command=(PYTHON, str(file)), **contract)
        (tool,) = opened(entry, policy=Policy(sandbox=Sandbox(env=env)))
        return tool

    return make


@pytest.fixture
def shell_tool(tmp_path: Path, opened: Callable[..., Any]) -> Callable[..., Any]:
    """A program tool whose program is this shell script."""

    def make(source: str) -> Any:
        file = tmp_path / f"{uuid.uuid4().hex}.sh"
        file.write_text(source)
        (tool,) = opened(Tool(name="t", command=("/bin/sh", str(file))))
        return tool

    return make
