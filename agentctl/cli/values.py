"""What a shell offers for a value: run ids, policies, topics, and a task's variables and tools.

A TAB starts the program, so each of these reads as little as it can, waits for nobody, makes nothing, and is silent
about whatever is wrong: no offer is the worst that may happen.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import typer

from agentctl.cli.offers import LAST, MOST, Offers, rows_of, silent


def run_ids(ctx: typer.Context, incomplete: str) -> Offers:
    """Runs, newest first."""
    return silent(lambda: _runs(ctx, incomplete, ()))


def parked(ctx: typer.Context, incomplete: str) -> Offers:
    """Runs in which a call may wait for a person."""
    return silent(lambda: _runs(ctx, incomplete, ("parked", "running", "paused", "stopped")))


def running(ctx: typer.Context, incomplete: str) -> Offers:
    """Runs that are driven."""
    return silent(lambda: _runs(ctx, incomplete, ("running",)))


def resumable(ctx: typer.Context, incomplete: str) -> Offers:
    """Runs that are not done."""
    return silent(lambda: _runs(ctx, incomplete, ("parked", "running", "paused", "stopped", "failed")))


def policies(incomplete: str) -> Offers:
    """Policies that have a name."""

    def found() -> Offers:
        from agentctl.config import paths

        return [
            (name, "shipped" if paths.is_shipped(path) else "yours")
            for name, path in paths.policies()
            if name.startswith(incomplete)
        ]

    return silent(found)


def variables(ctx: typer.Context, incomplete: str) -> Offers:
    """`NAME=` for each variable of the tasks named so far that has no value yet."""
    given = {pair.partition("=")[0] for pair in cast("list[str]", ctx.params.get("var") or [])}
    return silent(
        lambda: [
            (f"{name}=", str(about.get("description", "")))
            for task in _tasks(ctx)
            for name, about in cast("dict[str, dict[str, Any]]", task.get("vars", {})).items()
            if name not in given and f"{name}=".startswith(incomplete)
        ]
    )


def tools(ctx: typer.Context, incomplete: str) -> Offers:
    """The tools of the task named so far. Those of a server are known to itself alone."""
    return silent(
        lambda: [
            (name, str(tool.get("description", "")))
            for task in _tasks(ctx)
            for tool in cast("list[dict[str, Any]]", task.get("tools", []))
            if tool.get("use") != "mcp"
            and (name := str(tool.get("name") or tool.get("use", "")).rpartition(":")[2]).startswith(incomplete)
        ]
    )


def tools_or_builtins(ctx: typer.Context, incomplete: str) -> Offers:
    """The tools of the task named so far; without one those that are built in."""
    if ctx.params.get("task"):
        return tools(ctx, incomplete)

    def found() -> Offers:
        from agentctl.config.tool_checks import BUILTINS

        return [(name, "built in") for name in BUILTINS if name.startswith(incomplete)]

    return silent(found)


def drills(incomplete: str) -> Offers:
    """Drills that come with the program."""

    def found() -> Offers:
        from agentctl.rehearsal.drills.names import NAMES

        return [(name, "drill") for name in NAMES if name.startswith(incomplete)]

    return silent(found)


def topics(incomplete: str) -> Offers:
    """Topics of `help`."""

    def found() -> Offers:
        from agentctl.cli.topics import titles

        return [(name, title) for name, title in titles() if name.startswith(incomplete)]

    return silent(found)


def _runs(ctx: typer.Context, incomplete: str, statuses: Iterable[str]) -> Offers:
    wanted = tuple(statuses)
    among = f" AND status IN ({', '.join('?' for _ in wanted)})" if wanted else ""
    query = (
        f"SELECT run_id, task, status FROM runs WHERE run_id >= ? AND run_id < ?{among}"  # noqa: S608 -- question marks
        " ORDER BY created DESC LIMIT ?"
    )
    rows = rows_of(ctx, query, (incomplete, incomplete + LAST, *wanted, MOST))
    return [(run_id, f"{task} {status}") for run_id, task, status in rows]


def _tasks(ctx: typer.Context) -> list[dict[str, Any]]:
    """The task files on the line, as they are: what is wrong with them is for others to say."""
    import tomllib

    named = next((ctx.params[name] for name in ("tasks", "task", "file", "files") if ctx.params.get(name)), ())
    # After an option that still lacks its value typer has not sorted the arguments yet.
    paths = [named] if isinstance(named, str | Path) else [*cast("list[str | Path]", named), *ctx.args]
    return [tomllib.loads(Path(path).expanduser().read_text("utf-8-sig")) for path in dict.fromkeys(paths)]
