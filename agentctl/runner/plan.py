"""What a run will be, worked out and checked before anything is sent: task, policy, tools, prices, keys.

`run`, `resume` and `--explain` all start here, so that what is explained is what is run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.config import keys, load, masking, paths, receiving, rulings, schema, task, toml
from agentctl.config.load import LoadedPolicy
from agentctl.config.problems import invalid
from agentctl.config.task import LoadedTask
from agentctl.core.contract import Contract
from agentctl.core.guards.risk import hidden
from agentctl.core.messages import ToolSchema
from agentctl.core.policy import Policy, Provider
from agentctl.core.prices import Price
from agentctl.core.setup import Setup
from agentctl.errors import Invalid, ProvidersOut
from agentctl.models.prices import NO_PRICE, PRICE_HINT, context_window, find_price
from agentctl.models.tokens import count
from agentctl.records import dataclass
from agentctl.runner import answers, reviewer, scopes
from agentctl.runner.order import Order
from agentctl.tools.base import Tool, box_for, open_tools
from agentctl.tools.counter import Forgiving, open_counter
from agentctl.tools.sandbox.box import Box
from agentctl.tools.sandbox.opening import told

if TYPE_CHECKING:
    from agentctl.journal.store import Store
    from agentctl.rehearsal.script import Script
    from agentctl.runner.asleep import Asleep
    from agentctl.runner.progress import Relay
    from agentctl.runner.stagecraft import Stagecraft

REHEARSED_KEY = "no-key-in-a-rehearsal"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a run that files and flags decide."""

    task: LoadedTask
    loaded: LoadedPolicy
    policy: Policy
    """Lowered by the flags."""
    digest: str
    """Of the lowered policy: what approvals are bound to."""
    setup: Setup
    tools: dict[str, Tool]
    schemas: tuple[ToolSchema, ...]
    keys: dict[str, str] = field(repr=False)
    script: Script | None
    notes: tuple[str, ...]
    asleep: Asleep | None = None
    """Those of its tools whose servers are not started yet."""
    relay: Relay | None = None
    """What its servers tell of running calls."""
    own_count: Callable[[str], int] | None = None
    """The policy's own counter of tokens."""
    box: Box | None = None
    """Where its programs run, and its check."""
    staged: Stagecraft | None = None
    """In a drill: what stands in the place of the world."""

    def counter(self, tell: Callable[[str], None]) -> Callable[[str], int]:
        """What counts the tokens of texts; `tell` hears when the policy's own counter fails."""
        return count if self.own_count is None else Forgiving(self.own_count, count, tell)


def unchanged(policy: Policy) -> Policy:
    """As it stands in its file."""
    return policy


def make(
    order: Order,
    *,
    only_lower: bool = True,
    sends: bool = True,
    store: str | Store | None = None,
    played: Script | None = None,
    changed: Callable[[Policy], Policy] = unchanged,
) -> Plan:
    """Load and check everything. Nothing is sent, nothing is written. No program of the run sees its `store`.

    A drill plays a script of its own, under a policy that it may have `changed`.

    What `sends` nothing needs no key. A resume is not `only_lower`: what `--max-usd` once lowered stays lowered under
    a policy that allows less by now.

    Raises:
        Invalid: with every problem, also of a key whose guard is not built yet, of a price that nobody knows, of no
        key. Usage: a flag that would raise what the policy allows.
    """
    loaded_task = task.load_task(order.task)
    loaded = load.policy_of(loaded_task, order.policy)
    refused = [*reviewer.missing(loaded), *masking.given_away(loaded.policy, loaded_task)]
    if refused:
        raise invalid(refused)
    most = order.max_usd
    if most is not None and not only_lower:
        most = min(most, loaded.policy.budget.run_usd)
    policy = changed(load.lower(loaded.policy, max_usd=most, auto_approve=order.auto_approve or ""))
    scopes.check(policy, order)
    script = played or (_script(order, loaded_task) if order.rehearse else None)
    found, missing = _keys(policy, rehearse=order.rehearse, sends=sends)
    where = store if store is None or isinstance(store, str) else _url_of(store)
    ours = own_files(loaded_task, loaded), paths.own(where)
    box = box_for(loaded_task.task, loaded_task.base, policy, *ours)
    opened = open_tools(loaded_task.task, loaded_task.base, policy, *ours, box=box)
    tools = {tool.contract.name: tool for tool in opened}
    contracts: dict[str, Contract] = {}
    for tool in opened:
        contracts[tool.contract.name] = contracts[tool.contract.wire] = tool.contract
    output, check = loaded_task.task.output, loaded_task.task.check
    setup = Setup(
        policy,
        contracts,
        _prices(policy, found),
        {provider.name: context_window(provider) for provider in policy.providers},
        frozenset(found),
        None if output is None else answers.shape(output.schema),
        0 if output is None else output.retries,
        None if check is None else check.retries,
        rulings.reader(loaded),
    )
    shown = (tool.contract for tool in opened if not hidden(policy.risk, tool.contract))
    schemas = tuple(ToolSchema(at.wire, at.description, at.parameters) for at in shown)
    own = (*receiving.notes(loaded), *loaded_task.warnings)
    notes = (*_off(policy), *_boxed(box), *own, *missing)
    own_count = open_counter(policy.context.counter, loaded_task.base)
    digest = load.digest(policy)
    whole = loaded_task, loaded, policy, digest, setup, tools, schemas, found, script, notes
    return Plan(*whole, own_count=own_count, box=box)


def own_files(loaded_task: LoadedTask, loaded: LoadedPolicy) -> tuple[Path, ...]:
    """What a run may not write: the task, its policy, the policy's parents and its reviewer."""
    # Each key of the policy has a source, and few files are the source of all of them.
    files = {document.file for document, _ in loaded.merged.sources.values()}
    parents = {paths.expanded(file) for file in files}
    program = reviewer.of(loaded)
    reviews = () if program is None else program.files
    return (loaded_task.path, loaded.path, *sorted(parents), *reviews)


def _url_of(store: Store) -> str | None:
    """The URL of its file, should it have one."""
    return f"sqlite:///{store.path.absolute()}" if store.path else None


def _script(order: Order, loaded: LoadedTask) -> Script:
    from agentctl.rehearsal.script import Script  # the stand-in is loaded by rehearsals alone

    named = loaded.task.rehearsal
    path = order.script or (loaded.base / named if named else None)
    if path is None:
        raise Invalid(
            f"{loaded.path}: nothing says what a rehearsal plays",
            hint='Name a script: --script FILE, or rehearsal = "FILE" in the task.',
        )
    return schema.validate(Script, toml.load(Path(path)))


def _keys(policy: Policy, *, rehearse: bool, sends: bool) -> tuple[dict[str, str], list[str]]:
    """Keys by provider, and a line for each provider that is skipped for want of one."""
    if rehearse:
        return {provider.name: REHEARSED_KEY for provider in policy.providers}, []
    found: dict[str, str] = {}
    notes: list[str] = []
    for provider in policy.providers:
        key = keys.find_key(provider)
        if isinstance(key, keys.Key):
            found[provider.name] = key.value
        elif provider.base_url and not provider.key_env:
            found[provider.name] = ""
        elif sends:
            notes.append(f"provider {provider.name} is skipped: {key.reason}")
        else:
            found[provider.name] = ""
            notes.append(f"provider {provider.name} would be skipped: {key.reason}")
    if not any(p.name in found and "answer" in p.roles for p in policy.providers):
        raise _no_keys(policy, notes)
    notes += [f"{name} is set and not obeyed: `base_url` in the policy decides" for name in keys.ambient()]
    return found, notes


def _no_keys(policy: Policy, notes: list[str]) -> Invalid:
    first = next(provider for provider in policy.providers if "answer" in provider.roles)
    variable = first.key_env or keys.VARIABLES[first.sdk]
    return Invalid(
        "no provider has a key: " + "; ".join(notes),
        hint=f"Set {variable}, or `agentctl auth set {first.name}`, or try it without one: --rehearse.",
    )


def _prices(policy: Policy, found: dict[str, str]) -> dict[str, Price | None]:
    hourly = policy.cache.enabled and policy.cache.ttl == "1h"
    prices: dict[str, Price | None] = {}
    for provider in policy.providers:
        if provider.name in found:
            price = find_price(provider, policy.budget)
            prices[provider.name] = None if price is None else replace(price, hourly_cache=hourly)
    unknown = [p for p in policy.providers if p.name in prices and prices[p.name] is None]
    if unknown and policy.budget.enabled:
        listed = ", ".join(f"{p.model} ({p.name})" for p in unknown)
        raise Invalid(NO_PRICE.format(listed), hint=f"{PRICE_HINT[:1].upper()}{PRICE_HINT[1:]}.")
    return prices


def _off(policy: Policy) -> list[str]:
    """Guards that the policy switched off are named at every start. `handoff` is off unless somebody is named."""
    tables = "budget tokens pace retry circuit route context results loops progress args risk approval trust scrub"
    off = [name for name in (*tables.split(), "cache", "alerts") if not getattr(policy, name).enabled]
    if policy.sandbox.mode == "off":
        off.append("sandbox")
    return [f"switched off by policy {policy.name}: {', '.join(off)}"] if off else []


def _boxed(box: Box | None) -> list[str]:
    """What a person should know of the sandbox of the run's programs."""
    said = told(box) if box else ""
    return [said] if said else []


def answering(plan: Plan) -> tuple[Provider, ...]:
    """The providers that may answer, in their order."""
    ready = (p for p in plan.policy.providers if p.name in plan.keys and "answer" in p.roles)
    return tuple(sorted(ready, key=lambda provider: provider.priority))


def first_of(plan: Plan) -> Provider:
    """The provider that answers while all is well."""
    found = answering(plan)
    if not found:
        raise ProvidersOut("no provider is left that could answer")
    return found[0]
