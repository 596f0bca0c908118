"""A task and a policy that lack nothing, ways to take one thing away, and a hand that types a printed fix."""

import asyncio
import copy
import re
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from agentctl.config import paths
from agentctl.core import events as e
from agentctl.core.audit.checklist import audit
from agentctl.journal.events import Change
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store
from agentctl.runner import auditing

NAME = {"type": "string", "minLength": 1}
TOOL = {
    "description": "One of a shop's tools.",
    "command": ["python3", "tool.py"],
    "parameters": {"type": "object", "properties": {"order": NAME}, "required": ["order"]},
    "owner": "support",
    "timeout_seconds": 5,
    "max_calls_per_session": 3,
    "untrusted": False,
}
TASK: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "policy": "policy.toml",
    "goal": "Answer the customer.",
    "rehearsal": "rehearsal.toml",
    "tools": [
        {**TOOL, "name": "lookup", "side_effects": "none", "idempotent": True, "fallback_tool": "search"},
        {**TOOL, "name": "search", "command": ["python3", "search.py"], "side_effects": "none"},
        {
            **TOOL,
            "name": "send_mail",
            "command": ["python3", "mail.py"],
            "side_effects": "external",
            "idempotent": True,
        },
        {**TOOL, "name": "refund", "command": ["python3", "refund.py"], "side_effects": "irreversible"},
    ],
}
POLICY: dict[str, Any] = {
    "version": 1,
    "extends": "standard",
    "providers": [
        {"name": "first", "sdk": "anthropic", "model": "claude-sonnet-4-6"},
        {"name": "then", "sdk": "openai", "model": "gpt-5.4", "priority": 2, "degraded": True},
    ],
    "alerts": {"urls": ["json://127.0.0.1:9/hook"]},
}
RUN = "r_5a0b0c0d01"
FIX = re.compile(r"in the (policy|task)(?:, beside the others)?: \[\[?([\w.]+)\]\]?(?: ([\w:.*]+):)? (.+)")
HELD = {"providers": "name", "rules": "tool", "tools": "name"}
"""What the entries of an array are called by."""


@dataclass
class Ready:
    """The two files in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.task, self.policy = copy.deepcopy(TASK), copy.deepcopy(POLICY)

    def tool(self, name: str) -> dict[str, Any]:
        return next(each for each in self.task["tools"] if each.get("name") == name)

    def write(self) -> Path:
        (self.folder / "policy.toml").write_text(tomli_w.dumps(self.policy))
        (self.folder / "rehearsal.toml").write_text('[[reply]]\ntext = "Done."\n')
        path = self.folder / "task.toml"
        path.write_text(tomli_w.dumps(self.task))
        return path

    def facts(self, policy: str | None = None, store: str | None = None) -> Any:
        return asyncio.run(auditing.gathered(self.write(), policy, store))

    def audit(self, policy: str | None = None, store: str | None = None) -> Any:
        return audit(self.facts(policy, store))

    def missing(self, policy: str | None = None, store: str | None = None) -> dict[str, Any]:
        return {each.id: each for each in self.audit(policy, store).missing}

    def type(self, fix: str) -> None:
        """Do to the files what a printed fix says."""
        found = FIX.fullmatch(fix)
        assert found is not None, fix
        file, tables, name, line = found.groups()
        data: Any = self.policy if file == "policy" else self.task
        *path, last = tables.split(".")
        for each in path:
            data = data.setdefault(each, {})
        if "beside the others" in fix:
            data[last].append(tomllib.loads(f"x = {{ {line} }}")["x"])
            return
        if name:
            data = next(each for each in data[last] if name in {each.get(HELD[last]), each.get("use")})
        else:
            data = data.setdefault(last, {})
        merge(data, tomllib.loads(line))


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def evidence(
    task: str = "shop",
    policy: str = "policy",
    run_id: str = RUN,
    *,
    rehearsed: bool = True,
    spec: str = "{}",
    url: str = "",
) -> None:
    """A run in the default store, or another, that ended well."""
    stamped = [
        e.Stamped(run_id, 1, "s_1", 0, time.time(), e.RunStarted(task, policy, "d", "ada", "", "Go.", "", 10, 5, {})),
        e.Stamped(run_id, 2, "s_1", 1, time.time(), e.Completed("completed", "done", 0, 0, "Done.")),
    ]

    async def work() -> None:
        with open_store(url or paths.store_url(), seal_dir=paths.data_dir()) as store:
            new = NewRun(run_id, "s_1", "ada", task, spec, time.time(), rehearsed=rehearsed, policy=policy)
            await store.create_run(new)
            epoch = await store.take(run_id, "tests:1:1")
            await store.append(epoch, stamped, Change("completed", "done", 0, 1), durable=True)
            await store.release(run_id, epoch)

    asyncio.run(work())
