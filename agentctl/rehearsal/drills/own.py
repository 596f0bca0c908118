"""A drill of the user's own: a rehearsal script, how tools misbehave in it, and what is expected."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from agentctl.core.bounds import Bound, Count, Name, Natural, table
from agentctl.core.events.run import Status
from agentctl.core.messages import Json, JsonObject
from agentctl.rehearsal.script import Fault, Person, Reply

MOST_CLIENTS = 200
AtLeastNothing = Annotated[float, Bound(ge=0)]


@table
class About:
    """Table `[drill]`."""

    name: Name
    """What it is called: letters, digits and dashes"""
    injected: str = ""
    """What goes wrong, in one line"""
    clients: Annotated[int, Bound(gt=0, le=MOST_CLIENTS)] = 1
    """Runs that do the same, each with the script from its beginning"""
    every_s: AtLeastNothing = 0.0
    """Seconds between two of them that begin; they are skipped, not waited for"""
    shared: bool = True
    """One user and one session for all of them; false: each has their own"""
    window_tokens: Count | None = None
    """The context window of every model, in tokens; without it there is no end to it"""
    remedies: JsonObject = field(default_factory=dict[str, Json])
    """Keys of a policy and values that may help where it fails; without it each guard that is switched off is tried"""


@table
class ToolAct:
    """One `[[tool]]`: how a tool behaves. Of several for a tool the first that names the call counts."""

    tool: Name
    """Name of the tool, as the task knows it"""
    calls: str = "1-"
    """Which calls of it, counted from 1: "3", "1-5" or "6-"; calls that nothing is said of succeed"""
    result: object = None
    """What it answers, as JSON"""
    hang: bool = False
    """It never answers"""
    error: Literal["transient", "permanent", "rate_limit"] | None = None
    """It fails in this way"""
    message: str = ""
    """The words of its failure"""


@table
class Requests:
    """How many requests may reach a provider, of all clients together."""

    min: Natural = 0
    """At least so many"""
    max: Natural | None = None
    """At most so many"""


@table
class Expect:
    """Table `[expect]`: what must hold for each client; requests are counted for all of them together."""

    status: Status | None = None
    """How the run ends"""
    reason: Name | None = None
    """Why, as `run --json` says it: done, max_steps, loop and so on"""
    exit_code: Natural | None = None
    """The exit code that `run` would have had"""
    min_steps: Natural | None = None
    """Model calls, at least"""
    max_steps: Natural | None = None
    """Model calls, at most"""
    max_cost_usd: AtLeastNothing | None = None
    """USD of a client, at most, at real prices"""
    max_minutes: AtLeastNothing | None = None
    """Minutes of a client, at most, with those that are skipped"""
    min_tool_calls: Natural | None = None
    """Calls that reach a tool, retries among them, at least"""
    max_tool_calls: Natural | None = None
    """Calls that reach a tool, retries among them, at most"""
    answer_contains: tuple[str, ...] = ()
    """Texts that the answer holds"""
    answer_lacks: tuple[str, ...] = ()
    """Texts that it does not hold"""
    events: tuple[str, ...] = ()
    """Types of events that happen, as `agentctl events` prints them"""
    no_events: tuple[str, ...] = ()
    """Types of events that do not"""
    asked: tuple[str, ...] = ()
    """Tools for which a person is asked"""
    ran: tuple[str, ...] = ()
    """Tools that are called"""
    never_ran: tuple[str, ...] = ()
    """Tools that no call reaches"""
    never_written: tuple[str, ...] = ()
    """Texts that stand nowhere in clear: store, events, screen"""
    requests: dict[str, Requests] = field(default_factory=dict[str, Requests])
    """Requests that reach a provider, by its name"""


@table
class OwnDrill:
    """A whole file."""

    drill: About
    """What it is called, and how often it is played"""
    expect: Expect
    """What must hold at its end"""
    version: Literal[1] = 1
    """The version of this format"""
    reply: tuple[Reply, ...] = ()
    """Played in order, one per model call that succeeds; the last repeats"""
    fault: tuple[Fault, ...] = ()
    """The first that matches a request befalls it"""
    person: tuple[Person, ...] = ()
    """Answers to approvals; where there is none nobody answers"""
    tool: tuple[ToolAct, ...] = ()
    """How tools behave"""
