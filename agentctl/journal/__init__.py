"""The journal: the one place where a run's events, money, leases and letters are kept.

`store.open_store` is the door. `codec` alone knows how events are written, `schema` how tables look, `writer` how
commits happen; `ledger`, `lease`, `inbox` and `sealed` are functions over an open transaction.
"""
