"""The few words in which PostgreSQL differs from SQLite: of statements, and of the scripts that make the tables."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

STATEMENT: Final = (
    (re.compile("%"), "%%"),
    # No limit is -1 there and NULL here.
    (re.compile(r"LIMIT \?"), "LIMIT nullif(?, -1)"),
    (re.compile(r"\?"), "%s"),
    # Of two values; with one it is the aggregate.
    (re.compile(r"\bmax\((?=[^()]*,)"), "greatest("),
    (re.compile(r"\bmin\((?=[^()]*,)"), "least("),
    # It chooses the indexes by itself.
    (re.compile(r" INDEXED BY \w+"), ""),
    # Leaves out early what the caller drops anyway.
    (re.compile(r"json_remove\((e\.data)[^)]*\)"), r"\1"),
    (re.compile(r" AND json_valid\(e\.data\)"), ""),
)
SCRIPT: Final = (
    (re.compile(r"(?:STRICT)?(?:, )?(?:WITHOUT ROWID)?;"), ";"),
    (re.compile(r"\bINTEGER PRIMARY KEY AUTOINCREMENT\b"), "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    (re.compile(r"\bREAL\b"), "DOUBLE PRECISION"),
    (re.compile(r"\b(?:BLOB|ANY)\b"), "BYTEA"),
    # Keys are compared byte by byte: prefixes are asked for by their first and last.
    (re.compile(r"\bTEXT\b"), 'TEXT COLLATE "C"'),
    (re.compile(r"\bDROP TRIGGER (events_\w+);"), r"DROP TRIGGER \1 ON events;"),
)
trigger = re.compile(r"CREATE TRIGGER (\w+).*?END;", re.DOTALL)

_REFUSE: Final = "RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'integrity_constraint_violation';"
# A trigger that a later migration makes anew is written as it is last.
TRIGGERS: Final = {
    "events_stay": f"""
CREATE OR REPLACE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE linked events;
BEGIN
  linked := OLD;
  linked.link := NEW.link;
  IF OLD.link IS NOT NULL OR NEW.link IS NULL OR NEW IS DISTINCT FROM linked THEN {_REFUSE} END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER events_stay BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION events_stay();
CREATE OR REPLACE FUNCTION events_are_not_emptied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_REFUSE} END $$;
DROP TRIGGER IF EXISTS events_are_not_emptied ON events;
CREATE TRIGGER events_are_not_emptied BEFORE TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION events_are_not_emptied();
""",
    "events_leave_with_their_run": f"""
CREATE FUNCTION events_leave_with_their_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM agentctl.runs WHERE run_id = OLD.run_id) THEN {_REFUSE} END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER events_leave_with_their_run BEFORE DELETE ON events
FOR EACH ROW EXECUTE FUNCTION events_leave_with_their_run();
""",  # noqa: S608  # constants
}


@lru_cache(maxsize=512)
def statement(sql: str) -> bytes:
    """A statement with `?` for values, as psycopg takes it."""
    for found, told in STATEMENT:
        sql = found.sub(told, sql)
    return sql.encode()


def script(sql: str) -> str:
    """A migration. Raises KeyError for a trigger that is not written here."""
    plain = trigger.sub("", sql)
    for found, told in SCRIPT:
        plain = found.sub(told, plain)
    return plain + "".join(TRIGGERS[name] for name in trigger.findall(sql))
