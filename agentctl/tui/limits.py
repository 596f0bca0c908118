"""The limits that a run is shown against: those of its policy, as its files say today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.errors import AgentctlError
from agentctl.records import dataclass

if TYPE_CHECKING:
    from agentctl.core.policy import Policy
    from agentctl.journal.store import Store


@dataclass(frozen=True, slots=True)
class Limits:
    """The policy whose limits are shown; None where it can't be read, then only what is used is shown."""

    policy: Policy | None = None


def limits_of(task: Path, policy: str | None, max_usd: float | None = None) -> Limits:
    """The limits of a run that is about to start. What is wrong with its files is for the runner to say."""
    from agentctl.config import load
    from agentctl.config.task import load_task

    try:
        loaded = load.policy_of(load_task(task), policy)
        return Limits(load.lower(loaded.policy, max_usd=max_usd))
    except AgentctlError:
        return Limits()


def limits_of_run(journal: Store, run_id: str, policy: str | None = None) -> Limits:
    """The limits of a recorded run, as its files say today; none where the store does not tell any more which."""
    try:
        spec = json.loads(journal.spec(run_id))
        task, named, most = Path(spec["task"]), policy or spec["policy"], spec["max_usd"]
    except (ValueError, KeyError, TypeError):
        return Limits()
    return limits_of(task, named, most)
