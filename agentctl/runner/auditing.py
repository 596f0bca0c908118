"""`audit`: the facts of a task and its policy, gathered where a run gathers them; nothing is sent."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from agentctl.config import paths, receiving
from agentctl.core.audit.facts import ELSEWHERE, Books, Facts, KeyPath, Rejected
from agentctl.core.contract import Contract
from agentctl.errors import StoreMissing
from agentctl.journal import doors, walking
from agentctl.journal.runs import RunRow, listing
from agentctl.journal.tx import Tx
from agentctl.runner import health, plan, stores
from agentctl.runner.order import Order
from agentctl.tools import lint

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.toml import Document
    from agentctl.runner.plan import Plan

ENDED = ("completed", "stopped", "parked")
"""Statuses of runs that did what their policy says: who failed or crashed proves nothing."""
SHUT = (", read-only", "it can't be written")
"""How `doctor` says that a store is read-only."""
NOBODY = "audit"
"""Whom a policy with limits per user or tenant is asked for."""


async def gathered(task: Path, policy: str | None, store: str | None) -> Facts:
    """What the checklist looks at. Servers that the store does not know yet are started, to say what they offer.

    Raises:
        Invalid: the task, the policy, a price, a server. SandboxMissing: required, and not there.
    """
    planned = plan.make(Order(task, policy, user=NOBODY, tenant=NOBODY), sends=False, store=store)
    contracts = [tool.contract for tool in planned.tools.values()]
    if any(entry.use == "mcp" for entry in planned.task.task.tools):
        contracts += await _remote(planned, store)
    loaded, entries = planned.task, planned.task.task.tools
    found = lint.lint(entries, contracts, planned.policy)
    task_at = _places(loaded.document)
    return Facts(
        task=loaded.task,
        policy=planned.policy,
        contracts=tuple(contracts),
        entries={each.name: _entry(planned, each) for each in contracts},
        rejected=tuple(_rejected(each, task_at) for each in found),
        unheard=tuple(receiving.notes(planned.loaded)),
        exporter=find_spec("opentelemetry") is not None,
        backend=_backend(planned),
        books=_books(planned, store),
        command=shlex.quote(str(task)),
        policy_at=_origins(planned.loaded),
        task_at=task_at,
    )


async def _remote(planned: Plan, store: str | None) -> list[Contract]:
    """The tools of its MCP servers."""
    from agentctl.runner.servers import hosted  # only tasks with a server wait for it

    with stores.open_journal(store) as journal:
        async with hosted(planned.task, planned.policy, journal) as found:
            return [tool.contract for tool in found.tools]


def _entry(planned: Plan, contract: Contract) -> int:
    tools = planned.task.task.tools
    return next(number for number, tool in enumerate(tools) if lint.belongs(contract, tool))


def _rejected(found: lint.Finding, task_at: Callable[[KeyPath], str]) -> Rejected:
    place = task_at(("tools", found.entry, found.key))
    return Rejected(found.tool, found.entry, found.key, found.level, found.what, found.fix, place)


def _places(document: Document) -> Callable[[KeyPath], str]:
    """Where the task says something, or the table that should."""
    return lambda path: f"{PurePath(document.file).name}:{document.place(path)[0]}"


def _origins(loaded: LoadedPolicy) -> Callable[[KeyPath], str]:
    """Where the policy or one of its parents says something; empty: nobody does."""

    def at(path: KeyPath) -> str:
        source = loaded.merged.sources.get(path)
        return f"{PurePath(source[0].file).name}:{source[0].place(source[1])[0]}" if source else ""

    return at


def _backend(planned: Plan) -> Literal["", "off", "bubblewrap", "landlock", "none"]:
    if planned.box is None:
        return ""
    return "off" if planned.policy.sandbox.mode == "off" else planned.box.found.backend


def _books(planned: Plan, flag: str | None) -> Books:
    """The store: whether it can be written, whether it reads back, and what it knows of this task."""
    url = paths.store_url(flag)
    shared = doors.is_server(url)
    shown = "a PostgreSQL server" if shared else url.partition("sqlite:///")[2] or url
    names = planned.task.task.name, planned.policy.name
    unwritable, fix = "", ELSEWHERE
    for each in health.of_store(flag):
        if each.state == "fail":
            return Books(shown, shared, each.said, each.said, fix=each.fix)
        if each.name in {"file", "server"} and each.state == "warn" and each.said.endswith(SHUT):
            unwritable, fix = each.said, each.fix
    try:
        with stores.tables(flag) as tx:
            runs, rehearsals = _counted(tx, *names)
            return Books(shown, shared, unwritable, _unread(tx, url, names[0]), runs, rehearsals, fix)
    except StoreMissing:  # the first run makes it
        return Books(shown, shared)


def _counted(tx: Tx, task: str, policy: str) -> tuple[int, int]:
    """Runs and rehearsals that ended as a run may end."""
    rows = tx.execute(
        "SELECT rehearsed, count(*) FROM runs WHERE task = ? AND policy = ?"  # noqa: S608  # constants
        f" AND status IN ({', '.join('?' for _ in ENDED)}) GROUP BY rehearsed",
        (task, policy, *ENDED),
    )
    counts = {bool(rehearsed): int(count) for rehearsed, count in rows.fetchall()}
    return counts.get(False, 0), counts.get(True, 0)


def _unread(tx: Tx, url: str, task: str) -> str:
    """What is wrong with the last run of the task as it is stored."""
    last: list[RunRow] = listing(tx, task=task, limit=1)
    for row in last:
        for fault in walking.faults(tx, doors.blobs_of(url), row.run_id, row.next_seq):
            return f"{row.run_id}, the last run of {task}, can't be read back: {fault.said}"
    return ""
