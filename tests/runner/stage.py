"""A stage for whole runs: task, policy, tools and script from Python values, a stand-in that remembers, a watcher.

After every drive the stage itself checks what holds for all of them (`check`): the journal folds to every live state,
money in the ledger is the money in the events, nothing is held, the stand-in refused nothing that no fault explains.
"""

import asyncio
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from agentctl.approvals.base import Answer
from agentctl.core.events import Completed, ModelAsked, ModelFailed, ModelReplied, Resumed, RunStarted, ToolFinished
from agentctl.core.state import State, apply
from agentctl.rehearsal.script import Call, Fault, Reply, Script, ScriptUsage
from agentctl.rehearsal.server import StandIn
from agentctl.runner import api
from agentctl.runner.order import Order, Raise

APIS = ("messages", "responses", "chat")
KEY = "sk-test-5b1f07c2e94a4d10"
PRICE = {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75}
QUICK = {
    "retry": {"base_delay_s": 0.01, "jitter": False},
    "results": {"base_delay_s": 0.01},
    "pace": {"tokens_per_minute": 1_000_000_000, "usd_per_minute": 1_000_000.0},
}
MODELS = {"messages": "claude-sonnet-4-6", "responses": "gpt-5.4", "chat": "gpt-5.4"}


def calls(*wanted: tuple[str, dict[str, Any]], text: str = "", thinking: str = "", **more: Any) -> Reply:
    """A reply that asks for tools."""
    return Reply(text=text, thinking=thinking, calls=tuple(Call(tool, args) for tool, args in wanted), **more)


def usage(tokens: int, output: int = 10) -> ScriptUsage:
    return ScriptUsage(input=tokens, output=output)


class Watcher:
    """Everything that a listener is told."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage

    def event(self, stamped: Any, state: State) -> None:
        self.stage.stamped.append(stamped)
        self.stage.states.append(state)
        for kind, act in list(self.stage.cues):
            if isinstance(stamped.event, kind):
                self.stage.cues.remove((kind, act))
                act()

    def delta(self, delta: Any) -> None:
        self.stage.deltas.append(delta)

    def progress(self, at: Any) -> None:
        self.stage.progress.append(at)

    def note(self, text: str) -> None:
        self.stage.notes.append(text)


@dataclass
class Person:
    """Somebody who answers in this order, and then is gone."""

    answers: list[Answer | None]
    asked: list[Any] = field(default_factory=list)

    async def ask(self, question: Any) -> Answer | None:
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else None


class Stage:
    """One task under one policy, in a folder of its own."""

    def __init__(self, folder: Path, api_name: str = "messages") -> None:
        self.folder = folder
        self.api = api_name
        self.providers: list[dict[str, Any]] = [{"name": "main", "api": api_name}]
        self.tables: dict[str, dict[str, Any]] = {name: dict(table) for name, table in QUICK.items()}
        self.tools: list[dict[str, Any]] = []
        self.replies: list[Reply] = []
        self.faults: list[Fault] = []
        self.task: dict[str, Any] = {"system": "You are a clerk.", "goal": "Do what has to be done."}
        self.standin_options: dict[str, Any] = {}
        self.standin: StandIn | None = None
        self.stamped: list[Any] = []
        self.states: list[State] = []
        self.deltas: list[Any] = []
        self.progress: list[Any] = []
        self.notes: list[str] = []
        self.cues: list[tuple[type, Any]] = []
        self.run_id = ""
        self.refusals_expected = False
        self.rehearsed = False
        """Play it as `--rehearse` does: the providers' own API, a stand-in per drive."""
        self.people: list[dict[str, Any]] = []
        self.effects: list[dict[str, Any]] = []
        self.heard: list[StandIn] = []
        self._stack = AsyncExitStack()
        self._watching: list[asyncio.Task[None]] = []

    # --- what is played ---

    def policy(self, **tables: dict[str, Any]) -> None:
        for name, table in tables.items():
            self.tables.setdefault(name, {}).update(table)

    def tool(self, name: str, body: str, **contract: Any) -> None:
        """A program in the shell's language; it reads its arguments from stdin."""
        script = self.folder / "tools" / f"{name}.sh"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(body + "\n")
        entry = {
            "name": name,
            "description": f"It is called {name}.",
            "command": ["sh", f"tools/{name}.sh"],
            "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
            "side_effects": "none",
            "untrusted": False,
        }
        self.tools.append(entry | contract)

    def effect(self, name: str = "send", body: str = "", **contract: Any) -> Path:
        """A tool that writes one line per effect into the file that is returned."""
        counter = self.folder / f"{name}.log"
        line = f'echo "$AGENTCTL_IDEMPOTENCY_KEY" >> {counter}; {body or "cat"}'
        self.tool(name, line, **({"side_effects": "local"} | contract))
        return counter

    # --- the files ---

    async def lay_out(self) -> Path:
        """Start the stand-in and write task and policy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.rehearsed:
            (self.folder / "script.toml").write_text(tomli_w.dumps(self._script()))
        elif self.standin is None:
            script = Script(reply=tuple(self.replies), fault=tuple(self.faults))
            options = {"keep_bodies": True, "seed": 7} | self.standin_options
            self.standin = await self._stack.enter_async_context(StandIn(script, **options))
            self.heard.append(self.standin)
        providers = [self._provider(entry) for entry in self.providers]
        policy = {"version": 1, "providers": providers, **self.tables}
        (self.folder / "policy.toml").write_text(tomli_w.dumps(policy))
        task = {"version": 1, "name": "errand", "policy": "policy.toml", **self.task, "tools": self.tools}
        path = self.folder / "task.toml"
        path.write_text(tomli_w.dumps(task))
        return path

    def _script(self) -> dict[str, Any]:
        tables = {"reply": self.replies, "fault": self.faults, "person": self.people, "tool": self.effects}
        return {name: [_bare(one) for one in table] for name, table in tables.items() if table}

    def _provider(self, entry: dict[str, Any]) -> dict[str, Any]:
        made = dict(entry)
        spoken = made.pop("api")
        sdk = "anthropic" if spoken == "messages" else "openai"
        made = {"sdk": sdk, "model": MODELS[spoken], "price": PRICE} | made
        if self.standin is not None:
            made.setdefault("key_env", "STAGE_KEY")
            made.setdefault("base_url", self.standin.base_url(made["name"], sdk))
        return made | ({"api": spoken} if sdk == "openai" else {})

    # --- the drives ---

    async def run(self, approver: Any = None, *, task: Path | None = None, **order: Any) -> Any:
        path = task or await self.lay_out()
        os.environ.setdefault("STAGE_KEY", KEY)
        self.stamped, self.states, self.run_id = [], [], ""
        if self.rehearsed:
            order = {"rehearse": True, "script": self.folder / "script.toml"} | order
        given = Order(path, user="ada", **order)
        return await self._driven(api.run(given, store=None, listener=Watcher(self), approver=approver))

    async def resume(self, approver: Any = None, **raised: Any) -> Any:
        await self.lay_out()
        os.environ.setdefault("STAGE_KEY", KEY)
        with self.store() as journal:  # a driver that died has told nobody its last events
            before = journal.events(self.run_id)
        self.stamped, self.states = [], []
        state = State()
        for stamped in before:
            state = apply(state, stamped)
            self.stamped.append(stamped)
            self.states.append(state)
        work = api.resume(self.run_id, Raise(**raised), store=None, listener=Watcher(self), approver=approver)
        return await self._driven(work)

    async def _driven(self, work: Any) -> Any:
        ON_STAGE[:] = [self]
        try:
            return await work
        finally:
            if self.stamped:
                self.run_id = self.stamped[0].run_id
                self.check()

    async def close(self) -> None:
        for task in self._watching:
            task.cancel()
        await self._stack.aclose()

    # --- what holds after every drive ---

    @contextmanager
    def store(self) -> Iterator[Any]:
        with api.open_journal(None) as journal:
            yield journal

    def check(self) -> None:
        """Laws 2 and 3, the money, and the stand-in's opinion."""
        with self.store() as journal:
            events = journal.events(self.run_id)
            spent, held = journal.read(self._standing)
            row = journal.run(self.run_id)
        assert [one.seq for one in events] == list(range(1, len(events) + 1))
        state = State()
        for stamped, told, live in zip(events, self.stamped, self.states, strict=True):
            state = apply(state, stamped)
            assert told == stamped
            assert live == state, f"the live state differs after {stamped}"
        costs = sum(getattr(one.event, "cost_micro", 0) for one in self.of(ModelReplied, ModelFailed))
        assert (costs, 0) == (spent, held)
        assert costs == state.budget.spent_micro == row.cost_micro
        assert isinstance(events[-1].event, Completed)
        if not self.refusals_expected:
            assert [] == [seen for seen in self.asked() if seen.status >= 400 and not seen.fault]

    def _standing(self, tx: Any) -> tuple[int, int]:
        (held,) = tx.execute(
            "SELECT COALESCE(SUM(amount), 0) FROM holds WHERE run_id = ? AND state = 'open'", (self.run_id,)
        ).fetchone()
        (spent,) = tx.execute(
            "SELECT COALESCE(SUM(spent), 0) FROM budgets WHERE scope LIKE ?", (f"%{self.run_id}",)
        ).fetchone()
        return spent, held

    # --- what was seen ---

    def of(self, *kinds: type) -> list[Any]:
        return [one for one in self.stamped if isinstance(one.event, kinds)]

    def events(self, *kinds: type) -> list[Any]:
        return [one.event for one in self.of(*kinds)]

    def asked(self, provider: str = "") -> list[Any]:
        """The model requests that arrived, in order."""
        everything = [seen for standin in self.heard for seen in standin.requests]
        return [seen for seen in everything if provider in {"", seen.provider}]

    def results(self) -> dict[str, Any]:
        """The final answer of every call, by call id."""
        return {done.call_id: done.result for done in self.events(ToolFinished) if done.final}

    def letter(self, kind: str, call_id: str = "", why: str = "", by: str = "eve") -> None:
        """What another terminal leaves in the inbox, about the question as it stands in the journal."""
        with self.store() as journal:
            asked = [one.seq for one in journal.events(self.run_id) if getattr(one.event, "call_id", "") == call_id]
            seq = asked[-1] if call_id and asked else 0
            journal.leave(self.run_id, kind, by=by, call_id=call_id, asked_seq=seq, payload=why)  # type: ignore[arg-type]

    def when(self, kind: type, act: Any) -> None:
        """Do something once, when the next event of this kind is recorded."""
        self.cues.append((kind, act))

    def interrupt_at(self, kind: type, number: int = signal.SIGINT) -> None:
        """Send this process a signal once an event of this kind is recorded."""
        self.when(kind, lambda: os.kill(os.getpid(), number))

    def signal_when_asked(self, number: int, requests: int = 1) -> None:
        """Send this process a signal once so many model requests have arrived."""

        async def watch() -> None:
            while len(self.asked()) < requests:  # noqa: ASYNC110  # the server keeps a list and rings no bell
                await asyncio.sleep(0.005)
            os.kill(os.getpid(), number)

        self._watching.append(asyncio.ensure_future(watch()))


ON_STAGE: list[Stage] = []
"""Whose drive is on."""


class Overheard(StandIn):
    """The stand-in of a rehearsal, which keeps the bodies for the stage."""

    def __init__(self, script: Script, **options: Any) -> None:
        super().__init__(script, **(options | {"keep_bodies": True} | ON_STAGE[0].standin_options))
        ON_STAGE[0].heard.append(self)


def _bare(value: Any) -> Any:
    """A script's value as TOML can say it."""
    if dataclasses.is_dataclass(value):
        value = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _bare(one) for name, one in value.items() if one is not None and one != ""}
    return [_bare(one) for one in value] if isinstance(value, list | tuple) else value


# --- a driver in a process of its own, to be killed ---

DRIVER = """
import asyncio, json, sys
from pathlib import Path
from agentctl.runner import api
from agentctl.runner.order import Order, Raise

class Quiet:
    def event(self, stamped, state): pass
    def delta(self, delta): pass
    def progress(self, at): pass
    def note(self, text): pass

def main(task, run_id):
    if run_id:
        work = api.resume(run_id, Raise(), store=None, listener=Quiet(), approver=None)
    else:
        work = api.run(Order(Path(task), user="ada"), store=None, listener=Quiet(), approver=None)
    print(json.dumps(asyncio.run(work).body))

main(*sys.argv[1:])
"""


async def driver(stage: Stage, *, failpoint: str = "", run_id: str = "") -> tuple[int, str, str]:
    """Run or resume in another process; its return code and what it said."""
    task = await stage.lay_out()
    env = {**os.environ, "STAGE_KEY": KEY, "AGENTCTL_FAILPOINT": failpoint}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DRIVER, str(task), run_id, env=env, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate()
    if not stage.run_id:
        with stage.store() as journal:
            stage.run_id = journal.runs()[0].run_id
    return child.returncode or 0, out.decode(), err.decode()


def sent(seen: Any) -> str:
    """The body of a request, as text to be searched."""
    return json.dumps(seen.body, ensure_ascii=False)


__all__ = [
    "APIS", "KEY", "Answer", "Completed", "Fault", "ModelAsked", "ModelFailed", "ModelReplied", "Overheard", "Person",
    "Reply", "Resumed", "RunStarted", "Stage", "ToolFinished", "Watcher", "calls", "driver", "sent", "usage",
]  # fmt: skip
