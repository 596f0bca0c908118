"""What a drill plays, what is seen of it, and what is found: values that pass between a drill and whoever plays it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal, TypeAlias

from agentctl.core.envelope import Envelope
from agentctl.core.events import Stamped
from agentctl.core.messages import Json, JsonObject, is_list, is_object
from agentctl.core.policy import Policy
from agentctl.records import dataclass
from agentctl.rehearsal.script import Script

Behaviour: TypeAlias = Callable[[JsonObject, int], Envelope | None]
"""What a tool does when it is called: its arguments, and how often it was called before in this act; None: it hangs."""

DEFECT = "this is a defect of agentctl: please report it"
"""The advice where no policy could have helped."""

Way: TypeAlias = Literal["run", "resume", "kill"]


@dataclass(frozen=True, slots=True)
class Act:
    """Some clients who do the same."""

    script: Script
    """What the provider plays to each of them; requests are counted for each."""

    tools: Mapping[str, Behaviour] = field(default_factory=dict[str, Behaviour])
    """How tools behave; one that is not named answers with a plain success."""

    clients: int = 1
    every_s: float = 0.0
    """Seconds between two that begin; 0: all at once."""

    after_s: float = 0.0
    """Seconds that pass before the act."""

    way: Way = "run"
    """`resume`: every run of the act before is gone on with. `kill`: its process is killed where a tool that changes
    something is at work, and gone on with by another process; its tools are played, also where others really run."""

    kill_in: str = ""
    """With `kill`: the tool that is at work when its process is killed; empty: none. Each model call that hangs is the
    other place."""

    shared: bool = True
    """One user and one session for all; else each has their own."""

    variables: tuple[Mapping[str, str], ...] = ()
    """Of each client; where there are fewer, the last again."""

    sessions: bool = False
    """Whether the runs belong to a session that is named, so that what came before is known to them."""

    warm: bool = False
    """The cache is warmed first, as by `cache warm`."""

    goal: str = ""
    """What is added to the task's goal."""

    others: tuple[Script, ...] = ()
    """What it plays instead to the second, the third and so on; where there are fewer, from the first again."""

    again: int = 0
    """How often a client whose run failed begins a new one, at once."""

    anew: Script | None = None
    """What is played to those new ones; None: the same as before."""

    crossed: bool = False
    """Over `shared`: eight clients are every combination of two tenants, two users and two sessions."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a drill plays."""

    acts: tuple[Act, ...]

    window: int | None = None
    """The context window of every model, in tokens; None: it has no end."""

    change: Callable[[Policy], Policy] | None = None
    """What of the policy is made smaller so that it is reached soon; never a guard that is switched on or off."""


@dataclass(frozen=True, slots=True)
class Skip:
    """The drill does not apply: the task or the policy has nothing that it could befall."""

    why: str


@dataclass(frozen=True, slots=True)
class Client:
    """One run, after it."""

    act: int
    """Which act, from 0."""
    number: int
    """Which client of it, from 0."""
    run_id: str
    status: str
    reason: str
    exit_code: int
    answer: str
    message: str
    cost_usd: float
    began: float
    ended: float
    """In seconds since the epoch, by the clock that skips waiting."""
    events: Sequence[Stamped]
    body: JsonObject
    """As `run --json` prints it."""
    error: str = ""
    """What kept it from beginning, or from ending as a run should."""
    resumable: bool = False
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def steps(self) -> int:
        """Model calls that count as steps."""
        steps = self.body.get("steps")
        return steps if isinstance(steps, int) else 0

    @property
    def providers(self) -> tuple[str, ...]:
        """Who answered in it."""
        listed = self.body.get("providers")
        named = (one.get("name") for one in listed if is_object(one)) if is_list(listed) else ()
        return tuple(name for name in named if isinstance(name, str))


@dataclass(frozen=True, slots=True)
class Request:
    """One request that reached the provider."""

    act: int
    provider: str
    run_id: str
    status: int
    """0: no answer was given."""
    fault: str
    at: float
    body: Mapping[str, object]
    api: str = ""
    """messages, chat or responses."""


@dataclass(frozen=True, slots=True)
class Use:
    """One call that reached a tool."""

    act: int
    run_id: str
    tool: str
    args: JsonObject
    key: str
    """Its idempotency key."""
    at: float
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that could be seen."""

    clients: tuple[Client, ...]
    requests: tuple[Request, ...]
    uses: tuple[Use, ...]
    written: Callable[[str], tuple[str, ...]]
    """Where a text was written or shown in clear: store, events, screen, notes; empty: nowhere."""
    circuits: Mapping[str, str] = field(default_factory=dict[str, str])
    """The state of each circuit at the end."""
    kills: int = 0
    """Processes that were killed."""
    warmed: JsonObject = field(default_factory=dict[str, Json])
    """What warming the cache came to."""

    def of(self, act: int) -> tuple[Client, ...]:
        """The clients of one act."""
        return tuple(client for client in self.clients if client.act == act)


@dataclass(frozen=True, slots=True)
class Change:
    """A key of the policy, and the value that would hold."""

    key: str
    """`retry.max_attempts`."""
    value: bool | float | str

    def __str__(self) -> str:
        """As it stands in a policy."""
        return f"{self.key} = {json.dumps(self.value)}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a drill came to."""

    held: bool
    observed: str
    """What the policy did, in one line with its figures."""
    remedies: tuple[Change, ...] = ()
    """Where it did not hold: what might have, the likeliest first. Each is tried; the first that holds is named."""
    advice: str = ""
    """Where no key of a policy helps: what does."""


def held(observed: str) -> Finding:
    """It holds."""
    return Finding(held=True, observed=observed)


def failed(observed: str, *remedies: Change, advice: str = "") -> Finding:
    """It does not."""
    return Finding(held=False, observed=observed, remedies=remedies, advice=advice)
