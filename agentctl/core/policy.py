"""What a run may spend, do, say and fall back on: one table per guard or service, the same word everywhere.

Rules are inert values. `config/` reads them from TOML and checks them by the types and `Bound`s that stand here; a
default that stands here is `standard`'s.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from agentctl.core.bounds import Count, Factor, Name, Seconds, Share, table
from agentctl.core.guards.approval import Rules as Approval
from agentctl.core.guards.args import Rules as Args
from agentctl.core.guards.budget import PriceTable
from agentctl.core.guards.budget import Rules as Budget
from agentctl.core.guards.cache import Rules as Cache
from agentctl.core.guards.circuit import Rules as Circuit
from agentctl.core.guards.context import Rules as Context
from agentctl.core.guards.handoff import Rules as Handoff
from agentctl.core.guards.loops import Rules as Loops
from agentctl.core.guards.pace import Rules as Pace
from agentctl.core.guards.progress import Rules as Progress
from agentctl.core.guards.results import Rules as Results
from agentctl.core.guards.retry import Rules as Retry
from agentctl.core.guards.risk import Rules as Risk
from agentctl.core.guards.route import Rules as Route
from agentctl.core.guards.scrub import Rules as Scrub
from agentctl.core.guards.tokens import Rules as Tokens
from agentctl.core.guards.trust import Rules as Trust
from agentctl.core.receivers import variable_of

Role = Literal["answer", "summary", "landing"]
SEAL_VARIABLE = "AGENTCTL_SEAL_KEY"
HEADER_VARIABLES = tuple(f"OTEL_EXPORTER_OTLP_{part}HEADERS" for part in ("", "TRACES_", "METRICS_"))
"""What a collector wants to know us by."""
KEY_VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}


@table
class Provider:
    """One entry of `[[providers]]`: an SDK, a model, a price, a timeout."""

    name: Name
    sdk: Literal["anthropic", "openai"]
    model: Name
    priority: int = 1
    """Lower is tried first; then file order. A84"""
    roles: tuple[Role, ...] = ("answer",)
    timeout_s: Seconds = 60.0
    """Seconds of silence: no byte for so long. E02"""
    deadline_s: Seconds = 600.0
    """Seconds that the whole call may take."""
    max_output_tokens: Count = 8_192
    """Tokens reserved for a reply: the least of this and what the budget still buys."""
    base_url: str | None = None
    """Any server that speaks the SDK's API; None: the provider's own."""
    key_env: str | None = None
    """The environment variable that holds the key."""
    context_tokens: Count | None = None
    """The model's window, where the price data does not know it."""
    effort: str | None = None
    """Passed on as the API's reasoning effort."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    api: Literal["responses", "chat"] | None = None
    """OpenAI: which API; None: `responses` without `base_url`, `chat` with one."""
    price: PriceTable | None = None
    """USD per million tokens, over the price data."""
    degraded: bool = False
    """Answers from here tell the user that they may be less polished. E26"""

    @property
    def identity(self) -> str:
        """Who this is for circuits, windows and caches: SDK, base URL and model."""
        return f"{self.sdk}|{self.base_url or ''}|{self.model}"

    @property
    def key_variable(self) -> str:
        """The environment variable that its key is looked for in."""
        return self.key_env or KEY_VARIABLES[self.sdk]

    @property
    def wire(self) -> Literal["messages", "responses", "chat"]:
        """Which API is spoken."""
        if self.sdk == "anthropic":
            return "messages"
        return self.api or ("chat" if self.base_url else "responses")


@table
class Sandbox:
    """The policy's `[sandbox]`, for shell and program tools."""

    mode: Literal["off", "auto", "required"] = "auto"
    network: tuple[str, ...] | bool = False
    """Whether tools in it reach the network; a list, which is ours: `host`, `*.host`, `host:port`, and nobody else."""
    write: tuple[str, ...] = (".",)
    """Paths that may be written, relative to the task."""
    env: tuple[str, ...] = ("PATH", "HOME", "LANG")
    """Environment variables that are passed on; nothing else is."""


@table
class Alerts:
    """The policy's `[alerts]`."""

    enabled: bool = True
    urls: tuple[str, ...] = ()
    """Where alerts go: URLs of the library apprise, or env:NAME for one that holds a secret."""
    tool_error_rate: Share = 0.2
    """Share of a tool's calls that fail within window_s. D106"""
    window_s: Seconds = 300.0
    burn_by_midday: Share = 0.8
    """Share of a daily budget that is gone by midday. D107"""
    slow_vs_median: Factor = 5.0
    """How many times the median a run may take. D108"""
    cost_vs_median: Factor = 5.0
    """How many times the median a run may cost. D110"""
    injections_vs_baseline: Factor = 3.0
    """How many times the 7-day baseline of suspected injections. D109"""


@table
class Telemetry:
    """The policy's `[telemetry]`: OpenTelemetry over http/protobuf."""

    enabled: bool = True
    otlp_endpoint: str = ""
    service_name: Name = "agentctl"
    include_content: bool = False
    """True: messages and results are exported too, scrubbed."""


STANDARD_PROVIDERS = (
    Provider(name="anthropic", sdk="anthropic", model="claude-sonnet-4-6"),
    Provider(name="openai", sdk="openai", model="gpt-5.4", priority=2, degraded=True),
    Provider(
        name="summarizer",
        sdk="anthropic",
        model="claude-haiku-4-5",
        priority=9,
        roles=("summary",),
        max_output_tokens=512,
    ),
)


@table
class Policy:
    """The merged policy of a run."""

    version: Literal[1] = 1
    name: str = "standard"
    """Set from the file's name, never by a key."""
    providers: tuple[Provider, ...] = STANDARD_PROVIDERS
    route: Route = field(default_factory=Route)
    budget: Budget = field(default_factory=Budget)
    tokens: Tokens = field(default_factory=Tokens)
    pace: Pace = field(default_factory=Pace)
    retry: Retry = field(default_factory=Retry)
    circuit: Circuit = field(default_factory=Circuit)
    context: Context = field(default_factory=Context)
    results: Results = field(default_factory=Results)
    loops: Loops = field(default_factory=Loops)
    progress: Progress = field(default_factory=Progress)
    args: Args = field(default_factory=Args)
    risk: Risk = field(default_factory=Risk)
    approval: Approval = field(default_factory=Approval)
    trust: Trust = field(default_factory=Trust)
    scrub: Scrub = field(default_factory=Scrub)
    cache: Cache = field(default_factory=Cache)
    handoff: Handoff = field(default_factory=Handoff)
    sandbox: Sandbox = field(default_factory=Sandbox)
    alerts: Alerts = field(default_factory=Alerts)
    telemetry: Telemetry = field(default_factory=Telemetry)

    @property
    def key_variables(self) -> frozenset[str]:
        """The environment variables that hold agentctl's own keys: no tool is given one."""
        receivers = (variable_of(url) for url in self.alerts.urls)
        keys = (provider.key_variable for provider in self.providers)
        return frozenset({SEAL_VARIABLE, *HEADER_VARIABLES, *keys, *filter(None, receivers)})
