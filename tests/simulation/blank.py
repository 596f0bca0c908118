"""What every simulation begins with, made once: a plan from real files, an empty store, to be copied."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from agentctl.config.task import load_task
from agentctl.core.policy import Policy
from agentctl.journal.store import Store, open_store
from agentctl.runner import plan
from agentctl.runner.order import Order
from agentctl.runner.plan import Plan
from tests.simulation.provider import KEY


@cache
def blank_plan() -> Plan:
    """A plan from real files; each run's own parts are put into it."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", KEY)
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setenv("AGENTCTL_HOME", folder)
        path = Path(folder) / "task.toml"
        path.write_text(
            'version = 1\nname = "simulated"\nsystem = "You are a clerk."\ngoal = "Do what is to be done."\n'
        )
        made = plan.make(Order(path))
        return dataclasses.replace(made, task=load_task(path), policy=Policy())


@cache
def blank_store() -> Path:
    """An empty store and its key, to be copied: making one costs more than a run."""
    folder = Path(tempfile.mkdtemp(prefix="agentctl-simulation-", dir=fast_folder()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with open_store(f"sqlite:///{folder}/blank.db", seal_dir=folder / "keys") as store:
        assert store.seal
    return folder


def fast_folder() -> str | None:
    """Nothing is lost here by a power cut: memory will do."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextlib.contextmanager
def temporary_store(clock: Callable[[], float]) -> Iterator[Store]:
    """A store of its own for one simulation."""
    blank = blank_store()
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        shutil.copy(blank / "blank.db", Path(folder) / "agentctl.db")
        with open_store(f"sqlite:///{folder}/agentctl.db", seal_dir=blank / "keys", clock=clock) as store:
            yield store
