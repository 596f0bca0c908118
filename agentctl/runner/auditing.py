"""`audit`: the facts of a task and its policy, gathered where a run gathers them; nothing is sent."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from agentctl import ownkeys
from agentctl.config import paths, receiving
from agentctl.config.problems import invalid
from agentctl.core.audit.facts import ELSEWHERE, Books, Facts, KeyPath, Lack, Rejected
from agentctl.core.contract import Contract
from agentctl.core.policy import Policy
from agentctl.core.receivers import variable_of
from agentctl.errors import AgentctlError, StoreMissing, StoreUnusable
from agentctl.journal import doors, walking
from agentctl.journal.runs import DRIVEN, listing
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
    if refused := receiving.unknown(planned.loaded):
        raise invalid(refused)
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
        unheard=tuple(_unheard(planned.policy)),
        exporter=find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None,
        backend=_backend(planned),
        books=_books(planned, store),
        shipped=paths.is_shipped(planned.loaded.path),
        command=shlex.join([str(task), *(["--policy", policy] if policy else [])]),
        policy_at=_origins(planned.loaded),
        task_at=task_at,
    )


async def _remote(planned: Plan, store: str | None) -> list[Contract]:
    """The tools of its MCP servers."""
    from agentctl.runner.servers import hosted  # only tasks with a server wait for it

    with stores.open_journal(store) as journal:
        async with hosted(planned.task, planned.policy, journal) as found:
            return [tool.contract for tool in found.tools]


def _unheard(policy: Policy) -> Iterator[Lack]:
    """What keeps alerts from arriving."""
    alerts = policy.alerts
    for number, url in enumerate(alerts.urls if alerts.enabled else ()):
        name = variable_of(url)
        if name and not ownkeys.get(name):
            yield Lack(f"alerts.urls[{number}]: the environment variable {name} is not set", f"export {name}=…")
    if alerts.enabled and alerts.urls and find_spec("apprise") is None:
        yield Lack("what sends alerts is not installed", "pip install 'agentctl[alerts]'")


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
    file = planned.task.path
    unwritable, fix = "", ELSEWHERE
    for each in health.of_store(flag):
        shut = each.name in {"file", "server"} and each.state == "warn" and each.said.endswith(SHUT)
        if shut or each.state == "fail":
            unwritable, fix = each.said, each.fix
    drills = _drilled(file, *names)
    try:
        with stores.tables(flag) as tx:
            runs, rehearsals = _counted(tx, file, *names)
            unread = _unread(tx, url, names[0])
            fix = "agentctl store check --repair" if unread else fix
            return Books(shown, shared, unwritable, unread, runs, rehearsals + drills, fix)
    except StoreMissing:  # the first run makes it, where it can
        return Books(shown, shared, unwritable, rehearsals=drills, fix=fix)
    except StoreUnusable as error:
        return Books(
            shown, shared, unwritable or error.message, error.message, rehearsals=drills, fix=error.hint or fix
        )


def _counted(tx: Tx, file: Path, task: str, policy: str) -> tuple[int, int]:
    """Runs and rehearsals that ended as a run may end."""
    rows = tx.execute(
        "SELECT rehearsed, spec, count(*) FROM runs LEFT JOIN specs ON specs.run_id = runs.run_id"  # noqa: S608
        f" WHERE task = ? AND policy = ? AND status IN ({', '.join('?' for _ in ENDED)}) GROUP BY rehearsed, spec",
        (task, policy, *ENDED),
    )
    counts = Counter[bool]()
    for rehearsed, spec, count in rows.fetchall():
        counts[bool(rehearsed)] += int(count) if _same(spec, file) else 0
    return counts[False], counts[True]


def _same(spec: str | None, file: Path) -> bool:
    """Whether it was of this very file: another of the same name is another task.

    What was moved since, or ran on another machine, is taken at its name.
    """
    try:
        return Path(json.loads(spec or "{}")["task"]).samefile(file)
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _drilled(file: Path, task: str, policy: str) -> int:
    """The runs of drills that are kept: each drill has a store of its own."""
    found = 0
    for store in (paths.data_dir() / "drills").glob("*/policy/*/drill.db"):
        if ".fix" not in store.parent.name:  # what a fix comes to is tried under another policy
            with contextlib.suppress(AgentctlError, OSError), stores.tables(f"sqlite:///{store.absolute()}") as tx:
                found += _counted(tx, file, task, policy)[1]
    return found


def _unread(tx: Tx, url: str, task: str) -> str:
    """What is wrong with the last run of the task as it is stored."""
    ended = (row for row in listing(tx, task=task, limit=20) if row.status not in DRIVEN)
    for row in islice(ended, 1):
        for fault in walking.faults(tx, doors.blobs_of(url), row.run_id, row.next_seq):
            return f"{row.run_id}, the last run of {task}, can't be read back: {fault.said}"
    return ""
