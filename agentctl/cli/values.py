"""What a shell offers for a value: run ids, policies, topics, and a task's variables and tools.

A TAB starts the program, so each of these reads as little as it can, waits for nobody, makes nothing, and is silent
about whatever is wrong: no offer is the worst that may happen.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias, cast

import typer

Offers: TypeAlias = list[tuple[str, str]]
"""Words, each with a note that zsh and fish show beside it."""
MOST = 50
WAIT_S = 0.05
"""Seconds that another process may hold the store."""
# Notes are other people's words, and shells evaluate what they are offered.
odd = re.compile(r"[^\w.,/-]+")
harmless = re.compile(r"[\w.=@-]+")


def run_ids(ctx: typer.Context, incomplete: str) -> Offers:
    """Runs, newest first."""
    return _silent(lambda: _runs(ctx, incomplete, ()))


def parked(ctx: typer.Context, incomplete: str) -> Offers:
    """Runs in which a call may wait for a person."""
    return _silent(lambda: _runs(ctx, incomplete, ("parked", "running", "paused", "stopped")))


def resumable(ctx: typer.Context, incomplete: str) -> Offers:
    """Runs that are not done."""
    return _silent(lambda: _runs(ctx, incomplete, ("parked", "running", "paused", "stopped", "failed")))


def policies(incomplete: str) -> Offers:
    """Policies that have a name."""

    def found() -> Offers:
        from agentctl.config import paths

        return [
            (name, "shipped" if paths.is_shipped(path) else "yours")
            for name, path in paths.policies()
            if name.startswith(incomplete)
        ]

    return _silent(found)


def variables(ctx: typer.Context, incomplete: str) -> Offers:
    """`NAME=` for each variable of the tasks named so far that has no value yet."""
    given = {pair.partition("=")[0] for pair in cast("list[str]", ctx.params.get("var") or [])}
    return _silent(
        lambda: [
            (f"{name}=", str(about.get("description", "")))
            for task in _tasks(ctx)
            for name, about in cast("dict[str, dict[str, Any]]", task.get("vars", {})).items()
            if name not in given and f"{name}=".startswith(incomplete)
        ]
    )


def tools(ctx: typer.Context, incomplete: str) -> Offers:
    """The tools of the task named so far. Those of a server are known to itself alone."""
    return _silent(
        lambda: [
            (name, str(tool.get("description", "")))
            for task in _tasks(ctx)
            for tool in cast("list[dict[str, Any]]", task.get("tools", []))
            if tool.get("use") != "mcp"
            and (name := str(tool.get("name") or tool.get("use", "")).rpartition(":")[2]).startswith(incomplete)
        ]
    )


def topics(incomplete: str) -> Offers:
    """Topics of `help`."""

    def found() -> Offers:
        from agentctl.cli.topics import titles

        return [(name, title) for name, title in titles() if name.startswith(incomplete)]

    return _silent(found)


def _silent(find: Callable[[], Offers]) -> Offers:
    try:
        return [(word, " ".join(odd.sub(" ", note).split())) for word, note in find() if harmless.fullmatch(word)]
    except Exception:  # noqa: BLE001 -- a shell is no place for an error
        return []


def _runs(ctx: typer.Context, incomplete: str, statuses: Iterable[str]) -> Offers:
    from agentctl.config import paths
    from agentctl.journal import opening

    path = opening.path_of(paths.store_url(ctx.params.get("store")))
    if not path.is_file():
        return []
    wanted = tuple(statuses)
    among = f" AND status IN ({', '.join('?' for _ in wanted)})" if wanted else ""
    query = (
        f"SELECT run_id, task, status FROM runs WHERE run_id >= ? AND run_id < ?{among}"  # noqa: S608 -- question marks
        " ORDER BY created DESC LIMIT ?"
    )
    connection = opening.connect_reader(path, WAIT_S)
    try:
        rows: list[tuple[str, str, str]] = connection.execute(
            query, (incomplete, incomplete + "\U0010ffff", *wanted, MOST)
        ).fetchall()
    except sqlite3.Error:
        return []
    finally:
        connection.close()
    return [(run_id, f"{task} {status}") for run_id, task, status in rows]


def _tasks(ctx: typer.Context) -> list[dict[str, Any]]:
    """The task files on the line, as they are: what is wrong with them is for others to say."""
    import tomllib

    named = next((ctx.params[name] for name in ("tasks", "task", "file", "files") if ctx.params.get(name)), ())
    # After an option that still lacks its value typer has not sorted the arguments yet.
    paths = [named] if isinstance(named, str | Path) else [*cast("list[str | Path]", named), *ctx.args]
    return [tomllib.loads(Path(path).expanduser().read_text("utf-8-sig")) for path in dict.fromkeys(paths)]
