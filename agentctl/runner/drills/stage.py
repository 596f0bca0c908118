"""One drill, played: a store of its own, a provider that misbehaves on cue, clients side by side, waiting skipped."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import field, replace
from pathlib import Path

from agentctl.config import load, task
from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.core.policy import Policy
from agentctl.errors import AgentctlError
from agentctl.journal import circuits
from agentctl.journal.store import Store, open_store
from agentctl.records import dataclass
from agentctl.rehearsal.drills.scene import Act, Client, Request, Scene, Seen, Use
from agentctl.rehearsal.script import Script
from agentctl.rehearsal.server import StandIn
from agentctl.runner import api, warming
from agentctl.runner.drills import killing
from agentctl.runner.drills.errand import Errand
from agentctl.runner.drills.props import Listening, Props, dice
from agentctl.runner.drills.rendering import renderings
from agentctl.runner.drills.skipping import Skipping
from agentctl.runner.order import Order, Raise, Result
from agentctl.runner.plan import Plan
from agentctl.runner.stagecraft import Stagecraft
from agentctl.runner.warmth import How
from agentctl.runner.world import as_it_is

WARMED = ("warmed", "provider", "model", "write_tokens", "read_tokens", "hit_ratio", "reason", "run_id")
USER, TENANT = "drill", "drill"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task under a policy, ready to be drilled."""

    plan: Plan
    order: Order
    seed: int = 0
    real_tools: bool = False


@dataclass(slots=True)
class Stage:
    """Where a drill is played."""

    prepared: Prepared
    scene: Scene
    folder: Path
    name: str
    loop: Skipping
    listening: Listening = field(default_factory=Listening)
    clients: list[Client] = field(default_factory=list[Client])
    requests: list[Request] = field(default_factory=list[Request])
    uses: list[Use] = field(default_factory=list[Use])
    warmed: JsonObject = field(default_factory=dict[str, Json])
    kills: int = 0
    _shown: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """What was shown and written, once all is played."""

    @property
    def path(self) -> Path:
        """The file of its store."""
        return self.folder / self.name / "drill.db"

    async def play(self) -> Seen:
        """All acts, one after the other."""
        self.path.parent.mkdir(parents=True)
        store = open_store(f"sqlite:///{self.path.absolute()}", seal_dir=self.path.parent, clock=self.loop.now)
        busy = lambda: store.busy  # noqa: E731 -- the same object is taken back
        self.loop.watch(busy)
        try:
            with closing(store):
                for number, act in enumerate(self.scene.acts):
                    await asyncio.sleep(act.after_s)
                    await self._act(store, number, act)
                states = {
                    row.name: "open" if row.circuit.opened_at else "closed" for row in store.read(circuits.listing)
                }
        finally:
            self.loop.unwatch(busy)
        return Seen(
            tuple(self.clients), tuple(self.requests), tuple(self.uses), self._written, states, self.kills, self.warmed
        )

    async def _act(self, store: Store, number: int, act: Act) -> None:
        standins = [self._standin(script) for script in (act.script, *act.others)]
        anew = None if act.anew is None else self._standin(act.anew)
        every = standins if anew is None else [*standins, anew]
        props = Props(number, act.tools, self.loop.now, self.loop.still, self.prepared.real_tools)
        before = [client for client in self.clients if client.act == number - 1]
        async with AsyncExitStack() as stack:
            for each in every:
                await stack.enter_async_context(each)
            first = standins[0]
            if act.way == "kill":
                await self._killed(store, number, act, first)
            if act.warm:
                plan = self._plan(act, Stagecraft(first, props.play, dice(self.prepared.seed, self.name, "warm")))
                came = await warming.sent(plan, self._order(act, 0, {}), How(), store, self.listening)
                self.warmed = {name: getattr(came[0], name) for name in WARMED}
            going = [
                asyncio.ensure_future(
                    self._clients(store, number, act, who, props, standins[who % len(standins)], anew, before)
                )
                for who in range({"run": act.clients, "resume": len(before), "kill": 0}[act.way])
            ]
            try:
                self.clients += itertools.chain.from_iterable(await asyncio.gather(*going))
            finally:
                for one in going:
                    one.cancel()
            self.requests += (
                Request(number, seen.provider, seen.run, seen.status, seen.fault, seen.at, seen.body or {}, seen.api)
                for standin in every
                for seen in standin.requests
            )
        self.uses += props.uses

    def _standin(self, script: Script) -> StandIn:
        return StandIn(
            script,
            keep_bodies=True,
            context_tokens=self.scene.window,
            seed=self.prepared.seed,
            clock=self.loop.now,
            secret=b"drill",
        )

    async def _clients(
        self,
        store: Store,
        number: int,
        act: Act,
        who: int,
        props: Props,
        standin: StandIn,
        anew: StandIn | None,
        before: Sequence[Client],
    ) -> list[Client]:
        """One client, and as often again as it fails and tries once more."""
        if act.every_s:
            await asyncio.sleep(who * act.every_s)
        tried = [await self._client(store, number, act, who, props, standin, before)]
        while tried[-1].exit_code and len(tried) <= act.again:
            tried.append(await self._client(store, number, act, who, props, anew or standin, before))
        return tried

    async def _killed(self, store: Store, number: int, act: Act, standin: StandIn) -> None:
        """One run in processes of their own, each but the last killed."""
        plan, order = self._plan(act, Stagecraft(standin, as_it_is, float)), self._order(act, 0, {})
        began, servers = self.loop.now(), f"sqlite:///{(self.folder / 'servers.db').absolute()}"
        where = self.path.parent, servers, began, standin.port, act.kill_in
        came = await killing.played(Errand(order, plan.policy, act.script, *where), standin, number)
        self.kills += came.kills
        self.uses += came.uses
        self.listening.note(str(came.said.get("shown", "")))
        told = came.said.get("result")
        if is_object(told):
            self.clients.append(self._ended(store, number, 0, Result(**told), began, {}))  # type: ignore[arg-type]
            return
        error = AgentctlError(str(came.said["message"]))
        self.clients.append(self._broken(number, 0, came.run_id, error, began, {}))

    async def _client(
        self, store: Store, number: int, act: Act, who: int, props: Props, standin: StandIn, before: Sequence[Client]
    ) -> Client:
        given = _variables(act, who)
        plan = self._plan(act, Stagecraft(standin, props.play, dice(self.prepared.seed, self.name, number, who)))
        order = self._order(act, who, given)
        filled = task.fill(plan.task, order.variables)
        began = self.loop.now()
        try:
            if act.way == "resume":
                result = await api.resume(
                    before[who].run_id,
                    Raise(),
                    store=store,
                    listener=self.listening,
                    approver=None,
                    planning=lambda _: plan,
                )
            else:
                result = await api.begun(plan, order, filled, store, self.listening, None)
        except AgentctlError as error:
            run_id = before[who].run_id if act.way == "resume" else ""
            return self._broken(number, who, run_id, error, began, given)
        return self._ended(store, number, who, result, began, given)

    def _plan(self, act: Act, staged: Stagecraft) -> Plan:
        plan = without_check(self.prepared.plan)
        loaded = replace(plan.task, goal=plan.task.goal + act.goal)
        plan = replace(plan, script=act.script, staged=staged, task=loaded)
        return plan if self.scene.change is None else under(plan, self.scene.change(plan.policy))

    def _order(self, act: Act, who: int, given: Mapping[str, str]) -> Order:
        own = "" if act.shared else f"-{who}"
        user, tenant, session = (own, own, own)
        if act.crossed:
            user, tenant, session = f"-{who // 2 % 2}", f"-{who // 4}", f"-{who % 2}"
        return replace(
            self.prepared.order,
            variables={**self.prepared.order.variables, **given},
            user=f"{USER}{user}",
            tenant=f"{TENANT}{tenant}",
            session=f"s_{self.name}{session}" if act.sessions else "",
        )

    def _ended(
        self, store: Store, act: int, who: int, result: Result, began: float, given: Mapping[str, str]
    ) -> Client:
        body = result.body
        run_id, cost = str(body["run_id"]), body["cost_usd"]
        return Client(
            act,
            who,
            run_id,
            result.status,
            result.reason,
            result.exit_code,
            result.answer,
            result.message,
            float(cost) if isinstance(cost, int | float) else 0.0,
            began,
            self.loop.now(),
            store.events(run_id),
            body,
            resumable=result.resume is not None,
            variables=given,
        )

    def _broken(
        self, act: int, who: int, run_id: str, error: AgentctlError, began: float, given: Mapping[str, str]
    ) -> Client:
        at = (began, self.loop.now())
        code, why = error.exit_code, error.message
        return Client(act, who, run_id, "failed", error.code, code, "", why, 0.0, *at, (), {}, why, variables=given)

    def _written(self, text: str) -> tuple[str, ...]:
        """Where it stands in clear; of the store also what is compressed."""
        if not self._shown:
            screen = ["".join(self.listening.shown), *self._said()]
            self._shown = {"the screen": screen, **renderings([client.events for client in self.clients])}
        found = [name for name, texts in self._shown.items() if any(text in each for each in texts)]
        files = any(text.encode() in path.read_bytes() for path in self._files())
        return (*found, *(["the store's files"] if files else []))

    def _said(self) -> Iterator[str]:
        return itertools.chain.from_iterable(
            (client.answer, client.message, client.error, json.dumps(client.body, ensure_ascii=False))
            for client in self.clients
        )

    def _files(self) -> Iterator[Path]:
        return (path for path in self.path.parent.rglob("*") if path.is_file())


def _variables(act: Act, who: int) -> Mapping[str, str]:
    none: dict[str, str] = {}
    return act.variables[min(who, len(act.variables) - 1)] if act.variables else none


def without_check(plan: Plan) -> Plan:
    """The same plan without the task's `[check]`: a drill does none of its work."""
    loaded = replace(plan.task, task=replace(plan.task.task, check=None))
    return replace(plan, task=loaded, setup=replace(plan.setup, check_retries=None))


def under(plan: Plan, policy: Policy) -> Plan:
    """The same plan under another policy."""
    return replace(plan, policy=policy, digest=load.digest(policy), setup=replace(plan.setup, policy=policy))
