"""A store in a PostgreSQL database, version 13 or later: the tables of `schema.py`, and all that works on them.

- Everything lies in the schema `agentctl`, whatever else is in the database. One database holds one store.
- One process writes at a time: a transaction begins with an advisory lock, whose waiters the server queues. So what
  reads before it writes (budgets, minutes, circuits) is as right as on SQLite. The lock ends with the transaction.
- A transaction that its process does not go on with (it was stopped) is ended by the server after STALLED_S.
- Each transaction leaves its number in `commits`. When the connection is lost while it commits, that tells whether it
  came through: it is done again only if it did not.
- `synchronous_commit` is on for durable commits and off else: then a crash of the server may lose the last moments,
  as a power cut does on SQLite; the fence stops the run that lost them.
- Upkeep looks at one snapshot, repairs in one transaction, and copies into a SQLite file: `upkeep.py`, `copying.py`.
- A destroyed original is deleted, and its sealed bytes go with the next vacuum.
"""
