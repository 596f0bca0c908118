"""What the tests of the command line share: a way to call it, a demo that is quick, and recorded runs."""

import asyncio
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass

import pytest

from agentctl.cli.main import main
from agentctl.config import paths
from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.journal.events import Change
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store

IDENTITY = "anthropic||claude-sonnet-4-6"


@dataclass(frozen=True)
class Called:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def agentctl(capfd, monkeypatch):
    """Call the program in this process, with stdin from a string."""

    def call(*arguments, stdin=""):
        import io

        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Called(code, out, err)

    return call


@pytest.fixture
def demo(agentctl, tmp_path):
    """What `init` writes, without its waits."""
    folder = tmp_path / "demo"
    assert agentctl("init", folder).code == 0
    policy = folder / "policy.toml"
    policy.write_text(policy.read_text().replace("base_delay_s = 0.5", "base_delay_s = 0.01"))
    script = folder / "rehearsal.toml"
    script.write_text(script.read_text().replace('"0.4"', '"0.01"'))
    return folder


@pytest.fixture
def nobody(demo):
    """The demo's script without its person."""
    script = demo / "rehearsal.toml"
    before, _, after = script.read_text().partition("[[person]]")
    script.write_text(before + "[[reply]]" + after.partition("[[reply]]")[2])
    return demo


def shown_on(terminal):
    """What is written to a terminal until everybody at its other side is gone."""
    seen = b""
    with suppress(OSError):  # how Linux says that they are
        while piece := os.read(terminal, 65_536):
            seen += piece
    return seen


def started(goal="Find it."):
    return e.RunStarted("order-triage", "customer-facing", "d", "ada", "", goal, "", 10, 5, {})


def replied(tokens=1847, micro=18_400, ms=423, text=""):
    usage = Usage(input=tokens - 100, output=60, cache_read=40)
    model = "claude-sonnet-4-6"
    return e.ModelReplied("anthropic", IDENTITY, model, usage, micro, ms, "end_turn", text, (), "answer", 60)


def requested(call="c1.1", tool="send_refund"):
    return e.ApprovalRequested(call, tool, "high", "risk.tiers.send_refund", "d" * 64, {"order_id": "A-1001"})


@pytest.fixture
def record(isolated):
    """Write a run into the default store; its id."""

    def write(run_id, *events, status="completed", reason="done", task=None, ago=0.0, user="ada", session="s_1"):
        begun = time.time() - ago
        stamped = [e.Stamped(run_id, seq, session, 1, begun + seq, event) for seq, event in enumerate(events, 1)]
        spec = {"task": str(task or "gone.toml"), "policy": None, "max_usd": None}

        async def work():
            with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
                await store.create_run(NewRun(run_id, session, user, "order-triage", json.dumps(spec), begun))
                epoch = await store.take(run_id, "tests:1:1")
                cost = sum(event.cost_micro for event in events if isinstance(event, e.ModelReplied))
                await store.append(epoch, stamped, Change(status, reason, cost, 1), durable=True)
                await store.release(run_id, epoch)

        asyncio.run(work())
        return run_id

    return write
