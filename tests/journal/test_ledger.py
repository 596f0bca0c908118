"""Money: reserving never passes a cap, settling is exact and happens once."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agentctl.journal import ledger, schema
from agentctl.journal.ledger import Refused, Scope

RUN = Scope("run_usd:r_1", 0, 1000)
DAY = Scope("user_daily_usd:ada", 86_400, 1500)
FREE = Scope("provider:anthropic", 0, None)


@pytest.fixture
def tx(store):
    """Each call is a transaction of its own."""

    def call(function, *args, **more):
        return store.write(lambda tx: function(tx, *args, **more))

    return call


def test_a_hold_counts_in_every_scope_or_in_none(tx):
    assert None is tx(ledger.reserve, "h1", "r_1", 900, [RUN, DAY, FREE])
    assert Refused(RUN, 0, 900, 1000) == tx(ledger.reserve, "h2", "r_1", 101, [DAY, RUN, FREE])
    assert [(0, 900)] * 3 == [tx(ledger.standing, scope) for scope in (RUN, DAY, FREE)]
    assert None is tx(ledger.reserve, "h3", "r_1", 100, [RUN, DAY])


def test_the_exact_amount_replaces_the_hold_once(tx):
    tx(ledger.reserve, "h1", "r_1", 900, [RUN, FREE])

    assert [True, False, False] == [tx(ledger.settle, "h1", spent) for spent in (300, 300, 999)]
    assert (300, 0) == tx(ledger.standing, RUN) == tx(ledger.standing, FREE)


def test_settling_above_the_hold_is_recorded_and_blocks_the_next(tx):
    tx(ledger.reserve, "h1", "r_1", 900, [RUN])
    tx(ledger.settle, "h1", 1200)

    assert (1200, 0) == tx(ledger.standing, RUN)
    assert Refused(RUN, 1200, 0, 1000) == tx(ledger.reserve, "h2", "r_1", 0, [RUN])


def test_reserving_again_under_the_same_name_holds_once(tx):
    for _ in range(2):
        assert None is tx(ledger.reserve, "h1", "r_1", 900, [RUN])
    assert (0, 900) == tx(ledger.standing, RUN)

    with pytest.raises(ValueError, match="used before"):
        tx(ledger.reserve, "h1", "r_1", 5, [RUN])
    tx(ledger.settle, "h1", 1)
    with pytest.raises(ValueError, match="used before"):
        tx(ledger.reserve, "h1", "r_1", 900, [RUN])


def test_orphans_are_settled_in_full(tx):
    for hold, run in (("h1", "r_1"), ("h2", "r_1"), ("h3", "r_2")):
        tx(ledger.reserve, hold, run, 100, [DAY])

    for _ in range(2):
        tx(ledger.settle_orphans, "r_1")
        assert (200, 100) == tx(ledger.standing, DAY)
    assert [] == tx(ledger.open_holds, "r_1")
    assert [("h3", 100)] == tx(ledger.open_holds, "r_2")


def test_a_raised_cap_counts_at_once_and_windows_are_apart(tx):
    tx(ledger.reserve, "h1", "r_1", 1000, [RUN])
    assert tx(ledger.reserve, "h2", "r_1", 1, [RUN])
    assert None is tx(ledger.reserve, "h2", "r_1", 1, [Scope(RUN.key, 0, 1001)])
    assert None is tx(ledger.reserve, "h3", "r_1", 1500, [DAY])
    assert None is tx(ledger.reserve, "h4", "r_1", 1500, [Scope(DAY.key, 172_800, 1500)])

    assert [
        ledger.Budget("user_daily_usd:ada", 172_800, 1500, 0, 1500),
        ledger.Budget("run_usd:r_1", 0, 1001, 0, 1001),
    ] == tx(ledger.budgets, since=100_000)
    assert ["run_usd:r_1"] == [budget.key for budget in tx(ledger.budgets, prefix="run_usd:")]
    assert ["run_usd:r_1"] == [budget.key for budget in tx(ledger.budgets, besides="user_daily_usd:")]
    assert [172_800] == [budget.window_start for budget in tx(ledger.budgets, limit=1)]


@pytest.mark.parametrize(("function", "args"), [("reserve", ("h", "r", -1, [])), ("settle", ("h", -1))])
def test_negative_amounts_are_defects(tx, function, args):
    with pytest.raises(ValueError, match=r"negative|less than nothing"):
        tx(getattr(ledger, function), *args)


def test_a_hold_that_never_was_is_a_defect(tx):
    with pytest.raises(KeyError):
        tx(ledger.settle, "nobody", 1)


class Accounts(RuleBasedStateMachine):
    """The ledger beside a plain model of it."""

    scopes = (Scope("a", 0, 1000), Scope("b", 60, 700), Scope("c", 0, None))

    @initialize()
    def open(self):
        import sqlite3

        self.tx = sqlite3.connect(":memory:", isolation_level=None)
        schema.make(self.tx)
        self.open_holds: dict[str, tuple[int, tuple[Scope, ...]]] = {}
        self.done: list[str] = []
        self.spent = dict.fromkeys(self.scopes, 0)
        self.count = 0

    def teardown(self):
        if hasattr(self, "tx"):
            self.tx.close()

    @rule(amount=st.integers(0, 400), chosen=st.sets(st.sampled_from(scopes), min_size=1))
    def reserve(self, amount, chosen):
        self.count += 1
        name, scopes = f"h{self.count}", tuple(chosen)
        fits = all(s.cap is None or self.taken(s) + amount <= s.cap for s in scopes)
        refused = ledger.reserve(self.tx, name, "r_1", amount, scopes)
        assert fits == (refused is None)
        if fits:
            self.open_holds[name] = (amount, scopes)
            for scope in scopes:
                if scope.cap is not None:
                    assert sum(ledger.standing(self.tx, scope)) <= scope.cap

    @rule(data=st.data(), actual=st.integers(0, 500))
    def settle(self, data, actual):
        if self.open_holds:
            name = data.draw(st.sampled_from(sorted(self.open_holds)))
            _, scopes = self.open_holds.pop(name)
            assert ledger.settle(self.tx, name, actual)
            self.done.append(name)
            for scope in scopes:
                self.spent[scope] += actual

    @rule(data=st.data(), actual=st.integers(0, 500))
    def settle_again(self, data, actual):
        if self.done:
            assert not ledger.settle(self.tx, data.draw(st.sampled_from(self.done)), actual)

    def held(self, scope):
        return sum(amount for amount, scopes in self.open_holds.values() if scope in scopes)

    def taken(self, scope):
        return self.held(scope) + self.spent[scope]

    @invariant()
    def agrees(self):
        if hasattr(self, "tx"):
            for scope in self.scopes:
                assert ledger.standing(self.tx, scope) == (self.spent[scope], self.held(scope))


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

RESERVE = """
import asyncio, sys
from pathlib import Path
from agentctl.journal import ledger
from agentctl.journal.store import open_store

async def main(url, name, count):
    granted = 0
    with open_store(url, seal_dir=Path("/nowhere")) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(count):
            hold = f"{name}:{number}"
            scopes = [ledger.Scope("shared", 0, 50_000)]
            refused = await store.submit(lambda tx: ledger.reserve(tx, hold, name, 100, scopes))
            if refused is None:
                granted += 1
                if number % 3 == 0:
                    await store.submit(lambda tx: ledger.settle(tx, hold, 100))
    print(granted)

asyncio.run(main(sys.argv[1], sys.argv[2], 100))
"""


@pytest.mark.slow
async def test_eight_processes_never_pass_one_cap(store, url, process):
    children = [process(RESERVE, url, f"r_{number}") for number in range(8)]
    for child in children:
        child.stdout.readline()
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    ended = await asyncio.gather(*(asyncio.to_thread(child.communicate) for child in children))
    granted = [int(out) for out, _ in ended]
    spent, held = store.read(lambda tx: ledger.standing(tx, Scope("shared", 0, None)))

    assert 500 == sum(granted), ended
    assert 50_000 == spent + held
    (open_held,) = store.read(lambda tx: tx.execute("SELECT sum(amount) FROM holds WHERE state = 'open'").fetchone())
    assert held == open_held
