"""Forgiving what was spent: exact, on record, and blind to what is held."""

from agentctl.journal import ledger, resets
from agentctl.journal.ledger import Scope
from agentctl.journal.resets import Reset

DAY = Scope("user_daily_usd:ada", 86_400, 1000)


def test_what_is_spent_is_forgiven_and_what_is_held_stays(store):
    def work(tx):
        ledger.reserve(tx, "h1", "r_1", 300, [DAY])
        ledger.settle(tx, "h1", 300)
        ledger.reserve(tx, "h2", "r_1", 700, [DAY])
        return resets.reset(tx, DAY.key, DAY.window_start, "ada", 5.0)

    assert 300 == store.write(work)
    assert (0, 700) == store.read(lambda tx: ledger.standing(tx, DAY))
    assert {(DAY.key, 86_400): Reset(300, "ada", 5.0)} == store.read(resets.listing)

    store.write(lambda tx: ledger.settle(tx, "h2", 650))
    assert (650, 0) == store.read(lambda tx: ledger.standing(tx, DAY))


def test_several_are_told_together_and_nothing_is_no_reset(store):
    def work(tx):
        came_to = []
        for number, (sender, spent) in enumerate([("ada", 10), ("eve", 20), ("bob", 0)]):
            ledger.reserve(tx, f"h{number}", "r_1", spent, [DAY])
            ledger.settle(tx, f"h{number}", spent)
            came_to.append(resets.reset(tx, DAY.key, DAY.window_start, sender, 5.0 + number))
        return came_to

    assert [10, 20, 0] == store.write(work)
    assert {(DAY.key, 86_400): Reset(30, "eve", 6.0)} == store.read(resets.listing)
