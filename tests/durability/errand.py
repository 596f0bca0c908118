"""One errand with every kind of tool, driven by processes that die; what they did outside is counted outside.

    look   reads: runs again
    note   idempotent: runs again under its key
    book   declares `same_key`
    pay    must not happen twice, and nobody is asked
    wire   must not happen twice, and a person has to approve it
    refund must not happen twice, and its `verify` looks outside whether it has happened

Each effect is a line `nanoseconds tool key`, appended and synced by the tool itself, in a file that nothing takes back.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from agentctl.core.events import (
    ApprovalRequested,
    Completed,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Stamped,
    ToolStarted,
)
from agentctl.journal import ledger
from agentctl.journal.store import Store, open_store
from tests.books.fleet import Fleet
from tests.durability.ground import GROUNDS
from tests.durability.model import COST_MICRO, Model, says
from tests.runner.stage import MODELS, PRICE, QUICK

ANSWER = "All done."
ONCE = {"pay": ("c2.1", "c4.1"), "wire": ("c3.1",), "refund": ("c3.2",)}
AGAIN = {"note": ("c1.2", "c4.2"), "book": ("c2.2",)}
TOOLS: dict[str, dict[str, Any]] = {
    "look": {"side_effects": "none"},
    "note": {"side_effects": "local", "idempotent": True},
    "book": {"side_effects": "external", "recovery": "same_key"},
    "pay": {"side_effects": "external"},
    "wire": {"side_effects": "irreversible"},
    "refund": {"side_effects": "external", "recovery": "reconcile", "verify": ["sh", "tools/verify.sh"]},
}
# A text that is scrubbed and so sealed, and one so long that it becomes a file.
REPLIES = [
    says(
        ("look", {"id": "a"}), ("note", {"id": "a"}), text="The password: open-sesame-42. " + "A long story. " * 6_000
    ),
    says(("pay", {"id": "a"}), ("book", {"id": "b"})),
    says(("wire", {"id": "c"}), ("refund", {"id": "c"}), ("look", {"id": "b"})),
    says(("pay", {"id": "d"}), ("note", {"id": "d"})),
    says(text=ANSWER),
]
MOST_LIVES = 60
KILLED = -9
PAUSED = (130, 143)


@dataclass(frozen=True)
class Life:
    """What one driver came to."""

    code: int
    """Of the process where it was killed, else the exit code that it would have ended with."""
    said: dict[str, Any]


class Errand:
    """One run of the errand in a folder of its own, from the first driver to the last."""

    def __init__(self, folder: Path, model: Model, fleet: Fleet, *, asks: bool = True, kind: str = "sqlite") -> None:
        """`asks`: a person has to approve `wire`; else everything runs by itself. `kind`: of the store."""
        self.folder, self.model, self.fleet = folder, model, fleet
        self.home = folder / "home"
        self.kind = kind
        self.ground = GROUNDS[kind](self.home)
        self.effects_file = folder / "effects"
        self.acks = folder / "acks"
        self.run_id = ""
        self.lives: list[Life] = []
        self.billed_from = len(model.bill)
        self.billed_before = 0
        self.lost: list[str] = []
        """What went wrong, in words: empty for a whole errand."""
        self._lay_out("medium" if asks else "high")

    def _lay_out(self, auto_approve: str) -> None:
        for each in (self.home, self.folder / "tools"):
            each.mkdir(parents=True)
        self.effects_file.touch()
        self.acks.touch()
        tools = []
        for name, contract in TOOLS.items():
            line = f'printf \'%s {name} %s\\n\' "$(date +%s%N)" "$AGENTCTL_IDEMPOTENCY_KEY"'
            sink = f"dd of={self.effects_file} oflag=append,sync conv=notrunc status=none"
            (self.folder / "tools" / f"{name}.sh").write_text(f"{line} | {sink}; cat\n")
            schema = {"type": "object", "properties": {"id": {"type": "string"}}}
            entry = {"name": name, "description": f"It is called {name}.", "command": ["sh", f"tools/{name}.sh"]}
            tools.append(entry | {"parameters": schema, "untrusted": False} | contract)
        knows = f'grep -q "refund $AGENTCTL_RUN_ID:$AGENTCTL_CALL_ID$" {self.effects_file} && said=true || said=false'
        (self.folder / "tools" / "verify.sh").write_text(f'{knows}; echo "{{\\"happened\\": $said}}"\n')
        provider = {"name": "main", "sdk": "openai", "api": "chat", "model": MODELS["chat"], "price": PRICE}
        provider |= {"key_env": "STAGE_KEY", "base_url": self.model.url}
        policy = {"version": 1, "providers": [provider], **QUICK, "risk": {"auto_approve": auto_approve}}
        policy |= {
            "budget": {"run_usd": 1_000.0, "hourly_usd": 1_000.0, "user_daily_usd": 1_000.0, "max_wall_s": 1_000_000.0}
        }
        (self.folder / "policy.toml").write_text(tomli_w.dumps(policy))
        task = {"version": 1, "name": "errand", "policy": "policy.toml", "system": "You are a clerk.", "tools": tools}
        (self.folder / "task.toml").write_text(tomli_w.dumps(task | {"goal": "Do what has to be done."}))

    # --- driving ---

    def start(self, armed: str = "", **more: Any) -> int:
        """A driver in a process of its own: it runs the task, or resumes the run that there is."""
        given = {"errand": str(self.folder), "run_id": self.run_id, "armed": armed, "env": self.ground.env}
        return self.fleet.start("drives", **given, **more)

    def live(self, armed: str = "", **more: Any) -> Life:
        """One driver, from its start to its death."""
        return self.buried(self.start(armed, **more))

    def buried(self, member: int) -> Life:
        self.fleet.until(lambda: self.fleet.ended(member) is not None)
        said = {key: value for line in self.fleet.said(member) for key, value in line.items()}
        code = self.fleet.ended(member)
        life = Life(code or said.get("code", 1), said)
        self.lives.append(life)
        self.find_run()
        return life

    def to_the_end(self, **more: Any) -> Life:
        """Drive, answer and resume until it is over."""
        for _ in range(MOST_LIVES):
            life = self.live(**more)
            if life.code == 12:
                self.answer()
            elif life.code not in PAUSED:
                return life
        raise AssertionError(f"no end after {MOST_LIVES} drivers: {self.lives[-3:]}")

    def answer(self) -> None:
        """The person: approves; of what is in doubt says no when it has happened, and yes when it has not."""
        with self.store() as store:
            asked = [one for one in store.events(self.run_id) if isinstance(one.event, ApprovalRequested)][-1]
            call_id = asked.event.call_id
            began = [e for e in self.events(store, ToolStarted) if e.event.call_id == call_id]
            happened = self.effects()[asked.event.tool, f"{self.run_id}:{call_id}"]
            if happened and not began:
                self.lost.append(f"{call_id} happened and nothing in the journal says that it began")
            kind = "deny" if began and happened else "approve"
            store.leave(self.run_id, kind, by="ada", call_id=call_id, asked_seq=asked.seq)

    def begin_again(self, billed: int) -> None:
        """Another disk lies in the folder, and so many replies had been billed: nothing else is remembered."""
        self.run_id, self.lives, self.lost = "", [], []
        self.acks.write_text("")
        self.billed_from, self.billed_before = len(self.model.bill), billed
        self.find_run()

    # --- what is there ---

    @contextmanager
    def store(self) -> Iterator[Store]:
        with open_store(self.ground.url, seal_dir=self.home / "data") as store:
            yield store

    def find_run(self) -> None:
        """Learn which run there is to be resumed, if any."""
        self.run_id = self.run_id or self.ground.newest()

    @property
    def over(self) -> bool:
        """Whether nothing is left to be resumed."""
        if not self.run_id:
            return False
        with self.store() as store:
            return store.run(self.run_id).status == "completed"

    def effects(self) -> Counter[tuple[str, str]]:
        """How often each effect happened, by tool and key."""
        lines = [line.split() for line in self.effects_file.read_text().splitlines()]
        return Counter((tool, key) for _, tool, key in lines)

    def duplicates(self) -> int:
        """How many effects happened once too often."""
        return sum(times - 1 for (tool, _), times in self.effects().items() if tool in ONCE)

    @staticmethod
    def events(store: Store, kind: type, run_id: str = "") -> list[Stamped]:
        runs = [run_id] if run_id else [row.run_id for row in store.runs()]
        return [one for each in runs for one in store.events(each) if isinstance(one.event, kind)]

    # --- what must hold at the end ---

    def faults(self) -> list[str]:
        """Everything that is wrong with an errand that is over; empty: it is the one that it would have been."""
        with self.store() as store:
            return [*self.lost, *self._of_effects(), *self._of_events(store), *self._of_money(store)]

    def _of_effects(self) -> Iterator[str]:
        effects = {at: times for at, times in self.effects().items() if at[0] != "look"}
        once = {(tool, f"{self.run_id}:{call}") for tool, calls in ONCE.items() for call in calls}
        again = {(tool, f"{self.run_id}:{call}") for tool, calls in AGAIN.items() for call in calls}
        for effect in once | again:
            if effect not in effects:
                yield f"{effect} never happened"
        for effect, times in effects.items():
            if effect not in once | again:
                yield f"{effect} happened, and nobody wanted it"
            elif times > 1 and effect in once:
                yield f"{effect} happened {times} times"

    def _of_events(self, store: Store) -> Iterator[str]:
        events = store.events(self.run_id)
        if [one.seq for one in events] != list(range(1, len(events) + 1)):
            yield "the journal has gaps"
        told = [int(seq) for run, seq in map(str.split, self.acks.read_text().splitlines()) if run == self.run_id]
        if max(told, default=0) > len(events):
            yield f"event {max(told)} was acknowledged and is lost: there are {len(events)}"
        end = events[-1].event
        if not isinstance(end, Completed) or (end.status, end.answer) != ("completed", ANSWER):
            yield f"it ended otherwise: {end}"
        if store.in_doubt(self.run_id):
            yield "a call is still in doubt"

    def _of_money(self, store: Store) -> Iterator[str]:
        replied = self.events(store, ModelReplied)
        failed = [one.event for one in self.events(store, ModelFailed)]
        lost = [event for event in failed if event.kind in {"unknown_outcome", "cancelled"}]
        costs = sum(one.event.cost_micro for one in replied) + sum(event.cost_micro for event in failed)
        keys = [f"run_usd:{row.run_id}" for row in store.runs()]
        budgets = store.read(lambda tx: [ledger.budget(tx, key, 0) for key in keys])
        spent, held = sum(each.spent for each in budgets), sum(each.held for each in budgets)
        served = len(self.model.bill) - self.billed_from + self.billed_before
        if (spent, held) != (costs, 0):
            yield f"the ledger says {spent} spent and {held} held, the events {costs}"
        if spent < served * COST_MICRO:
            yield f"billed were {served * COST_MICRO}, counted {spent}"
        if not len(replied) <= served <= len(replied) + len(lost):
            yield f"{served} replies were billed: {len(replied)} came, {len(lost)} were lost"
        if not lost and spent != served * COST_MICRO:
            yield f"nothing was lost, and {spent} is not {served * COST_MICRO}"
        if len(self.events(store, ModelAsked)) < served:
            yield "the model was asked, and no intent says so"
