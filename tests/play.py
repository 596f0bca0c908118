"""The core driven in memory, without files, sockets or a clock: what the runner does, against a scripted world.

A `Script` is the world: what models answer, what tools answer, what people say, each a list that is played in order;
the last entry repeats (`cycle`: the list starts again). A `Play` asks the core what is next, obeys, stamps each event
with a virtual clock, folds it, and remembers each decision with what it was made from, so that it can be made again.
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentctl.core import decisions as do
from agentctl.core import events as ev
from agentctl.core import recap, receipts
from agentctl.core.callkey import canonical_bytes, keys
from agentctl.core.contract import ArgsProblem, Contract
from agentctl.core.decide import next_action
from agentctl.core.decide_call import after_tool, before_tool
from agentctl.core.envelope import Envelope, success
from agentctl.core.guards import circuit, progress, trust
from agentctl.core.inflight import CallState
from agentctl.core.messages import Usage
from agentctl.core.policy import Policy, Provider
from agentctl.core.prices import Price, Rate
from agentctl.core.setup import Call, Setup
from agentctl.core.state import State, apply
from agentctl.core.taint import Copied
from agentctl.core.tiers import Tier

START = 1_700_000_000.0
RATE = Rate(input=3.0, output=15.0, cache_read=0.3, cache_write=3.75, cache_write_1h=6.0)
PRICE = Price((RATE,), "tests")
MAIN = Provider(name="main", sdk="anthropic", model="model-a")
SAME_AGAIN = {"progress": progress.Rules(enabled=False)}
"""For a world whose tools answer the same each time, where that is not what is looked at."""
SPARE = Provider(name="spare", sdk="openai", model="model-b", priority=2)


# --- The world ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asks:
    """A tool call in a reply. `args=None`: what came was no JSON object."""

    tool: str
    args: dict[str, Any] | None = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A model call that succeeds. Without `usage` the prompt is as large as estimated."""

    text: str = ""
    calls: tuple[Asks, ...] = ()
    stop: str = ""
    usage: Usage | None = None
    share: float = 1.0
    """Without `usage`: the part of the reserved output that is used, at most 20 tokens."""
    refusal: str = ""
    withheld: str = ""
    took: float = 1.0


@dataclass(frozen=True)
class Fault:
    """A model call that fails."""

    kind: str
    status: int | None = None
    retry_after: float | None = None
    billed: float = 0.0
    """Share of the reservation that was billed."""
    took: float = 1.0


@dataclass(frozen=True)
class Refused:
    """The shared ledger refuses the reservation."""

    key: str = "session_usd"
    used: float = 0.45
    limit: float = 0.50


@dataclass(frozen=True)
class Full:
    """The shared minute has no room for so long."""

    seconds: float = 7.0
    refused: bool = False


@dataclass(frozen=True)
class Crash:
    """The process dies here, between the intent and its outcome."""


class Crashed(Exception):
    """Raised out of `drive`; `resume` goes on."""


@dataclass(frozen=True)
class Says:
    """A person's answer; `None` in a script: nobody is there."""

    decision: Literal["approve", "deny", "stop", "edit"]
    why: str = ""
    waited: float = 5.0
    remember: bool = False
    args: dict[str, Any] = field(default_factory=lambda: {"edited": True})
    """Of an edit."""


@dataclass
class Script:
    """What the world answers, in order."""

    models: Iterable[Reply | Fault | Refused | Full | Crash] = (Reply("done"),)
    tools: Mapping[str, Iterable[Envelope | Crash]] = field(default_factory=dict)
    """By tool name; a tool that is not here answers each call with something else."""
    people: Iterable[Says | None] = (None,)
    cycle: bool = False
    tool_took: float = 0.5
    at: dict[str, int] = field(default_factory=dict)

    def _next(self, key: str, given: Iterable[Any]) -> Any:
        answers = tuple(given)
        at = self.at.get(key, 0)
        self.at[key] = at + 1
        return answers[at % len(answers)] if self.cycle else answers[min(at, len(answers) - 1)]

    def model(self, asked: do.AskModel) -> Reply | Fault | Refused | Full | Crash:
        return self._next("model", self.models)

    def tool(self, name: str, call_id: str) -> Envelope | Crash:
        return self._next(f"tool {name}", self.tools.get(name, (success(f"ok {call_id}"),)))

    def person(self, call_id: str) -> Says | None:
        return self._next("person", self.people)


# --- Makers ---------------------------------------------------------------------------------------


def contract(name: str, **changes: Any) -> Contract:
    """A tool that reads, unless `changes` say otherwise."""
    made = Contract(
        name=name,
        wire=name.replace(".", "__"),
        description=name,
        parameters={"type": "object"},
        timeout_s=5.0,
        retry_policy="exponential_backoff",
        idempotent=False,
        side_effects="none",
        recovery="rerun",
        digest=f"digest of {name}",
        check=fits,
        untrusted=False,
        egress=False,
    )
    return replace(made, **changes)


def fits(args: dict[str, Any]) -> ArgsProblem | None:
    """`bad` is the one name that no schema of these tests has."""
    if "bad" not in args:
        return None
    hint = "Expected string for 'query', got array. Ensure arguments match the tool schema."
    return ArgsProblem("'query' must be a string", hint)


def writer(name: str, **changes: Any) -> Contract:
    """A tool with an effect that must not happen twice."""
    rules: dict[str, Any] = {"side_effects": "external", "retry_policy": "none", "recovery": "ask"}
    return contract(name, **{**rules, **changes})


def call(tool: str, **args: Any) -> Asks:
    return Asks(tool, args)


def asks(*calls: Asks, text: str = "", **changes: Any) -> Reply:
    return Reply(text=text, calls=calls, **changes)


def make_setup(
    policy: Policy,
    contracts: Iterable[Contract] = (),
    *,
    prices: Mapping[str, Price | None] | None = None,
    windows: Mapping[str, int | None] | None = None,
    ready: Iterable[str] | None = None,
) -> Setup:
    names = [provider.name for provider in policy.providers]
    return Setup(
        policy=policy,
        contracts={key: tool for tool in contracts for key in (tool.name, tool.wire)},
        prices=dict.fromkeys(names, PRICE) if prices is None else prices,
        windows={} if windows is None else windows,
        ready=frozenset(names if ready is None else ready),
    )


# --- The driver -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """A decision and what it was made from: the events up to `seq`, and what entered as an argument."""

    seq: int
    seam: str
    decision: Any
    now: float = 0.0
    dice: float = 0.0
    call_id: str = ""
    answer: Envelope | None = None
    attempt: int = 0


class Play:
    """One run. `watch` is called after every event."""

    def __init__(
        self,
        setup: Setup,
        script: Any = None,
        *,
        seed: int = 0,
        most: int = 20_000,
        goal_tokens: int = 40,
        fixed_tokens: int = 200,
        watch: Callable[["Play", ev.Stamped], None] | None = None,
    ) -> None:
        self.setup, self.script = setup, Script() if script is None else script
        self.random, self.most, self.watch = random.Random(seed), most, watch
        self.now, self.state = START, State()
        self.events: list[ev.Stamped] = []
        self.made: list[Made] = []
        self.circuits: dict[str, circuit.Circuit] = {}
        self.args: dict[str, dict[str, Any] | None] = {}
        self.results: dict[str, Envelope] = {}
        self.start = ev.RunStarted(
            "task", "policy", "digest", "user", "", "goal", "system", fixed_tokens, goal_tokens, {}
        )

    # What happened, as the tests ask for it.

    def of(self, *kinds: type) -> list[Any]:
        return [stamped.event for stamped in self.events if isinstance(stamped.event, kinds)]

    @property
    def asked(self) -> list[ev.ModelAsked]:
        return self.of(ev.ModelAsked)

    @property
    def answers(self) -> list[ev.ToolFinished]:
        """The answers that the model was given, in order."""
        return [event for event in self.of(ev.ToolFinished) if event.final]

    @property
    def said(self) -> list[ev.Decided]:
        return [event for event in self.of(ev.Decided) if event.text]

    # The loop.

    def record(self, event: ev.Event) -> ev.Stamped:
        stamped = ev.Stamped("r_1", len(self.events) + 1, "s_1", self.state.run.step, self.now, event)
        if stamped.seq > self.most:
            raise AssertionError(f"no end after {self.most} events")
        self.events.append(stamped)
        self.state = apply(self.state, stamped)
        if self.watch is not None:
            self.watch(self, stamped)
        return stamped

    def run(self) -> do.Stop:
        """From the first event to the first stop."""
        self.record(self.start)
        return self.drive()

    def resume(self, **changes: Any) -> do.Stop:
        """Another process goes on. A model call that was cut short is settled at the worst."""
        cut = self.state.inflight.asked
        if cut is not None:
            self.record(
                ev.ModelFailed(
                    cut.provider, cut.identity, "unknown_outcome", None, None, "its driver died",
                    cut.attempt, cut.purpose, cut.reserved_micro, 0, cut.estimated_tokens + cut.max_output_tokens,
                )
            )  # fmt: skip
        self.record(ev.Resumed(len(self.events), "tests", **changes))
        return self.drive()

    def drive(self) -> do.Stop:
        while True:
            now, dice = self.now, self.random.random()
            action = next_action(self.setup, self.state, now, dice)
            self.made.append(Made(len(self.events), "next", action, now, dice))
            stop = self._obey(action)
            if stop is not None:
                if stop.handed is not None:
                    self.record(stop.handed)
                spent, answer = self.state.budget.spent_micro, self.state.run.answer
                self.record(ev.Completed(stop.status, stop.reason, stop.exit_code, spent, answer, stop.message))
                return stop

    def _obey(self, action: do.Action) -> do.Stop | None:
        match action:
            case do.Stop():
                return action
            case do.AskModel():
                self._ask(action)
            case do.UseTools():
                return self._use_tools()
            case do.Sleep(seconds=seconds):
                self.now += seconds
            case _:
                self._note(action)
        return None

    def _note(self, action: do.Action) -> None:
        match action:
            case do.Retry(attempt=attempt, delay_s=delay):
                self.record(ev.Retried(attempt, delay))
            case do.NextProvider(provider=provider, to=to, reason=reason):
                self.record(ev.FellBack(provider, to, reason))
            case do.LeaveProvider(provider=provider, to=to, reason=reason, until=until):
                self.record(ev.ProviderOut(provider, reason, until))
                self.record(ev.FellBack(provider, to, reason))
            case do.Trim():
                self._trim(action)
            case do.Report(loop=loop):
                self.record(loop)
            case do.Land(guard=guard, reason=reason, message=message, note=note):
                self._circling(action)
                self.record(ev.Decided("before_model", guard, "land", reason, note, len(note) // 4, message))
            case do.Say(guard=guard, reason=reason, text=text):
                self._circling(action)
                self.record(ev.Decided("before_answer", guard, "say", reason, text, len(text) // 4))
            case _:
                raise AssertionError(f"nobody obeys {action!r}")

    def _trim(self, action: do.Trim) -> None:
        earlier = next((one.summary for one in reversed(self.of(ev.ContextTrimmed)) if one.summary), "")
        new = self.events[action.summary - 1].event.text if action.summary else ""  # type: ignore[union-attr]
        text = recap.joined(earlier, new, action.most, count)
        tokens = count(recap.told(text)) if text != earlier else 0
        shown = text if text != earlier else ""
        self.record(ev.ContextTrimmed(action.tokens, action.limit, action.dropped, action.first_kept, shown, tokens))

    def _circling(self, action: do.Land | do.Say) -> None:
        if action.loop is not None:
            self.record(action.loop)

    def _ask(self, action: do.AskModel) -> None:
        provider = self.setup.provider(action.provider)
        if action.fell_from:
            self.record(ev.FellBack(action.fell_from, action.provider, action.fell_why))
        probe = self._admitted(provider.name, self.setup.policy.circuit)
        if probe is None:
            return
        outcome = self.script.model(action)
        if isinstance(outcome, Refused | Full):
            self._refused(outcome, action)
            return
        self.record(
            ev.ModelAsked(
                provider.name, provider.identity, provider.model, action.attempt, action.purpose,
                action.estimated_tokens, action.max_output_tokens, action.reserve_micro, 0, probe, action.upto,
            )
        )  # fmt: skip
        if action.chosen_why:
            why = f"{provider.name}: {action.chosen_why}"
            self.record(ev.Decided("before_model", "route", "choose", why))
        if probe:
            self.record(ev.CircuitMoved(provider.name, "open", "half_open"))
        asked_at = self.now
        match outcome:
            case Crash():
                raise Crashed
            case Fault():
                self.now += outcome.took
                self.record(
                    ev.ModelFailed(
                        provider.name, provider.identity, outcome.kind, outcome.status, outcome.retry_after,
                        "scripted", action.attempt, action.purpose, int(action.reserve_micro * outcome.billed),
                        round(outcome.took * 1000),
                    )
                )  # fmt: skip
                if probe or circuit.faulty(outcome.kind, outcome.status):
                    self._weigh(provider.name, self.setup.policy.circuit, asked_at, ok=False, probe=probe)
            case Reply():
                self.now += outcome.took
                self._replied(provider, action, outcome)
                self._weigh(provider.name, self.setup.policy.circuit, asked_at, ok=True, probe=probe)

    def _refused(self, outcome: Refused | Full, action: do.AskModel) -> None:
        if action.purpose == "summary" and (isinstance(outcome, Refused) or outcome.refused):
            self.record(ev.Decided("before_model", "context", "no_summary", "no room"))
            return
        if isinstance(outcome, Refused):
            self.record(ev.BudgetCounted(outcome.key, outcome.used, outcome.limit, "refused"))
            return
        self.record(ev.Waited("tokens_per_minute", outcome.seconds, outcome.refused, action.provider))
        self.now += 0 if outcome.refused else outcome.seconds

    # The circuits that all runs share, as the runner's store has them.

    def _look(self, name: str, rules: Any) -> str:
        found = self.circuits.get(name, circuit.CLOSED)
        phase, known = circuit.phase(rules, found, self.now), self.state.circuit.open.get(name)
        until = circuit.until(rules, found, self.now)
        if not self.setup.policy.circuit.enabled:
            return "closed"
        if phase == "open" and until != known:
            self.record(ev.CircuitMoved(name, "closed" if known is None else "open", "open", until))
        elif phase == "closed" and known is not None:
            self.record(ev.CircuitMoved(name, "open", "closed"))
        return phase

    def _admitted(self, name: str, rules: Any) -> bool | None:
        phase = self._look(name, rules)
        if phase == "half_open":
            self.circuits[name] = circuit.probed(rules, self.circuits[name], "play", self.now, 60.0)
        return None if phase == "open" else phase == "half_open"

    def _weigh(self, name: str, rules: Any, asked_at: float, *, ok: bool, probe: bool) -> None:
        if not self.setup.policy.circuit.enabled:
            return
        found = self.circuits.get(name, circuit.CLOSED)
        after = circuit.recorded(rules, found, "play", ok=ok, asked_at=asked_at, now=self.now)
        self.circuits[name] = after
        was = "half_open" if probe else "open" if name in self.state.circuit.open else "closed"
        phase = circuit.phase(rules, after, self.now)
        if (not ok or probe) and phase != was:
            self.record(
                ev.CircuitMoved(name, was, phase, circuit.until(rules, after, self.now) if phase == "open" else 0.0)
            )

    def _replied(self, provider: Provider, action: do.AskModel, reply: Reply) -> None:
        output = max(1, int(min(20, action.max_output_tokens) * reply.share))
        usage = Usage(input=action.estimated_tokens, output=output) if reply.usage is None else reply.usage
        step, proposed = self.state.run.step + 1 + len(self.events), []
        for number, wanted in enumerate(reply.calls, 1):
            call_id = f"c{step}.{number}"
            known = self.setup.contracts.get(wanted.tool)
            name = wanted.tool if known is None else known.name
            self.args[call_id] = wanted.args
            both = keys(digest_of, name, wanted.args)
            proposed.append(ev.CallProposed(call_id, f"w{step}_{number}", name, wanted.args, *both))
        price = self.setup.prices.get(provider.name)
        if action.purpose == "summary":
            self._summarised(provider, action, reply, usage)
            return
        stop = reply.stop or ("tool_use" if reply.calls else "end_turn")
        self.record(
            ev.ModelReplied(
                provider.name, provider.identity, provider.model, usage, 0 if price is None else price.cost(usage),
                round(reply.took * 1000), stop, reply.text, tuple(proposed), action.purpose, usage.output, "",
                reply.refusal, reply.withheld,
            )
        )  # fmt: skip

    def _summarised(self, provider: Provider, action: do.AskModel, reply: Reply, usage: Usage) -> None:
        price, text = self.setup.prices.get(provider.name), "" if reply.stop == "refusal" else reply.text
        self.record(
            ev.ModelReplied(
                provider.name, provider.identity, provider.model, usage, 0 if price is None else price.cost(usage),
                round(reply.took * 1000), "end_turn", text, (), "summary", count(recap.told(text)) if text else 0,
            )
        )  # fmt: skip

    # The tool calls of one reply.

    def _use_tools(self) -> do.Stop | None:
        while self.state.inflight.open_calls:
            stop = self._handle(self.state.inflight.open_calls[0]) or self._stopped()
            if stop is not None:
                return stop
        return None

    def _stopped(self) -> do.Stop | None:
        action = next_action(self.setup, self.state, self.now, 0.0)
        self.made.append(Made(len(self.events), "next", action, self.now, 0.0))
        return action if isinstance(action, do.Stop) else None

    def call(self, at: CallState) -> Call:
        """A call with its original arguments, and the digest of what would run."""
        args, known = self.args[at.call_id], self.setup.contracts.get(at.tool)
        bound = () if known is None else receipts.bound(digest_of, known.name, known.digest, args, "digest")
        words = args or {}  # the arguments say themselves what the runner would find in them
        copied = (Copied(words["copied"], "page"),) if "copied" in words else ()
        return Call(
            at,
            args,
            "" if args is not None else "not json",
            receipts.whole(digest_of, bound),
            bound,
            copied,
            words.get("writes", ""),
            "leaks" in words,
        )

    def _decide(self, at: CallState) -> do.CallDecision:
        if at.tool in self.setup.contracts:
            self._look(circuit.tool_name(at.tool), self.setup.policy.circuit.tools)
        decision = before_tool(self.setup, self.state, self.call(at), self.now)
        self.made.append(Made(len(self.events), "before_tool", decision, self.now, call_id=at.call_id))
        return decision

    def _handle(self, at: CallState) -> do.Stop | None:
        decision, known = self._decide(at), self.setup.contracts.get(at.tool)
        match decision:
            case do.RefuseCall(envelope=envelope, loop=loop, halt=halt):
                if loop is not None:
                    self.record(loop)
                self._finish(at, envelope, ran=False)
                return halt
            case do.ShareCall(with_call=other):
                labels = next(one.labels for one in reversed(self.answers) if one.call_id == other)
                self._finish(at, self.results[other], ran=False, shared_with=other, labels=labels)
                return None
            case do.Stop():
                return decision
            case do.Sleep(seconds=seconds):
                self.now += seconds
                return None
            case do.Verify():
                return self._verify(at)
        assert known is not None
        if isinstance(decision, do.AskPerson):
            return self._ask_person(at, known, decision)
        self._run(at, known, decision.tier)
        return None

    def _verify(self, at: CallState) -> None:
        """The tool's program knows, or does not."""
        happened = self.random.choice((True, False, None))
        self.record(ev.CallSettled(at.call_id, at.tool, happened, "verify", "" if happened is not None else "no word"))
        if happened:
            self._finish(at, success("it happened"), effect=True)

    def _ask_person(self, at: CallState, known: Contract, decision: do.AskPerson) -> do.Stop | None:
        args, exact = self.args[at.call_id], self.call(at)
        digest = exact.digest
        if at.phase != "waiting" or at.digest != digest:
            tier = decision.tier.word
            self.record(
                ev.ApprovalRequested(
                    at.call_id, known.name, tier, decision.rule, digest, args, exact.copied, decision.once, exact.bound
                )
            )
        says = self.script.person(at.call_id)
        if says is None:
            rules = self.setup.policy.approval
            if rules.non_interactive == "park":
                reason = "unknown_outcome" if at.attempts else "approval"
                return do.Stop("parked", reason, 12, "Waiting for a person.")
            says = Says("deny", "nobody can answer here", 0.0)
        self.now += says.waited
        if says.decision == "edit" and at.edited_by:
            says = replace(says, decision="approve")  # the last answer of a script repeats
        if says.decision == "edit":
            self.args[at.call_id] = says.args
            self.record(
                ev.CallEdited(at.call_id, known.name, says.args, "person", *keys(digest_of, known.name, says.args))
            )
            return None
        self.record(
            ev.ApprovalDecided(
                at.call_id, says.decision, "person", says.waited, says.why, digest, remember=says.remember
            )
        )
        return None

    def _run(self, at: CallState, known: Contract, tier: Tier) -> None:
        attempt, args = at.attempts, self.args[at.call_id]
        while True:
            attempt += 1
            rules, name = self.setup.policy.circuit.tools, circuit.tool_name(known.name)
            probe, asked_at = self._admitted(name, rules) or False, self.now
            if probe:
                self.record(ev.CircuitMoved(name, "open", "half_open"))
            effect = not known.read_only
            self.record(
                ev.ToolStarted(
                    at.call_id,
                    known.name,
                    args,
                    tier.word,
                    attempt,
                    effect,
                    known.timeout_s,
                    "key",
                    probe=probe,
                    remote=known.remote,
                    copied=self.call(at).copied,
                )
            )
            answer = self.script.tool(known.name, at.call_id)
            if isinstance(answer, Crash):
                raise Crashed
            self.now += self.script.tool_took
            decision = after_tool(self.setup, known, answer, attempt)
            self.made.append(
                Made(
                    len(self.events), "after_tool", decision, self.now, call_id=at.call_id, answer=answer,
                    attempt=attempt,
                )
            )  # fmt: skip
            weighs = answer.error_type == "transient" or answer.ok or probe
            fine = answer.error_type not in {"transient", "rate_limit"}
            if isinstance(decision, do.FinishCall):
                self._finish(at, decision.envelope, labels=trust.labels(known), effect=effect, pollable=known.pollable)
                if weighs:
                    self._weigh(name, rules, asked_at, ok=fine, probe=probe)
                return
            self._finish(at, answer, effect=effect, final=False)
            if weighs:
                self._weigh(name, rules, asked_at, ok=fine, probe=probe)
            self.record(ev.Retried(decision.attempt, decision.delay_s, at.call_id))
            now_at = next(one for one in self.state.inflight.open_calls if one.call_id == at.call_id)
            refused = self._decide(now_at)
            if isinstance(refused, do.RefuseCall) and refused.guard == "circuit":
                self._finish(at, refused.envelope, ran=False)
                return
            self.now += decision.delay_s

    def _finish(self, at: CallState, answer: Envelope, **changes: Any) -> None:
        finished = ev.ToolFinished(
            at.call_id, at.tool, answer.status, answer.error_type, answer.retry_safe, 500, answer.as_json(),
            len(answer.text()) // 4, answer.code, at.key,
        )  # fmt: skip
        self.results[at.call_id] = answer
        self.record(replace(finished, **changes))


def count(text: str) -> int:
    return -(-len(text) // 4)


def key_of(tool: str, args: object) -> str:
    return digest_of(canonical_bytes(tool, args))


def digest_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def again(play: Play, made: Made, state: State) -> Any:
    """The same decision, made again from a state that was folded from the journal."""
    setup = play.setup
    match made.seam:
        case "next":
            return next_action(setup, state, made.now, made.dice)
        case "before_tool":
            at = next(one for one in state.inflight.calls if one.call_id == made.call_id)
            return before_tool(setup, state, play.call(at), made.now)
        case _:
            at = next(one for one in state.inflight.calls if one.call_id == made.call_id)
            assert made.answer is not None
            return after_tool(setup, setup.contracts[at.tool], made.answer, made.attempt)


def played(policy: Policy, script: Any = None, *contracts: Contract, **options: Any) -> Play:
    """A run that has come to its first stop."""
    names = {"prices", "windows", "ready"}
    setup = make_setup(policy, contracts, **{name: options.pop(name) for name in names & options.keys()})
    play = Play(setup, script, **options)
    play.run()
    return play


def policy(*providers: Provider, **tables: Any) -> Policy:
    """A policy with these providers (default: one) and tables; the rest is standard's."""
    return Policy(providers=providers or (MAIN,), **tables)
