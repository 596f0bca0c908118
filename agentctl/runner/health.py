"""What `doctor` looks at: what this machine has for a run, what it lacks, and the one line that mends it.

Rules. Nothing is sent, nothing is made, no SDK is loaded. Every check answers within seconds, whatever hangs.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from agentctl.config import keys, load, paths
from agentctl.errors import Invalid, StoreMissing
from agentctl.journal import doors, lease, opening, reaper, runs, sealed
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner import outages
from agentctl.tools.sandbox import probe

State = Literal["ok", "warn", "fail"]
LOCK_S = 2.0
ROOM = 200_000_000
"""Bytes that should be free beside the store."""
NO_KEYRINGS = ("keyring.backends.fail.", "keyring.backends.null.")
PROGRAMS = (
    ("git", "tasks that look at repositories"),
    ("npx", "MCP servers that come from npm"),
    ("uvx", "MCP servers that come from PyPI"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    area: str
    name: str
    state: State
    said: str
    fix: str = ""


def checks(store: str | None) -> Iterator[Check]:
    """All of them, in the order of a run's needs."""
    yield from _keys()
    yield _keyring()
    yield from of_store(store)
    yield _sqlite()
    yield from _sandbox()
    yield from _terminal()
    yield _prices()
    yield from _optional()


def _keys() -> Iterator[Check]:
    try:
        providers = load.load_policy("standard").policy.providers
    except Invalid as error:
        yield Check("keys", "standard", "fail", error.message.splitlines()[0], "agentctl policy check standard")
        return
    for provider in providers:
        found = keys.find_key(provider)
        if isinstance(found, keys.Key):
            yield Check("keys", provider.name, "ok", f"{provider.model}: key from {found.source}")
            continue
        variable = provider.key_env or keys.VARIABLES[provider.sdk]
        stored = "" if keys.NO_KEYRING in found.reason else f"agentctl auth set {provider.name}, or "
        fix = f"{stored}set {variable}; a rehearsal needs none"
        yield Check("keys", provider.name, "warn", f"{provider.model}: {found.reason}", fix)
    for name in keys.ambient():
        yield Check("keys", name, "warn", "set and not obeyed", "say it with base_url or headers in the policy")


def _keyring() -> Check:
    name = keys.backend_name()
    if name.startswith(NO_KEYRINGS) or "." not in name:
        return Check("keyring", "backend", "warn", f"none that keeps keys: {name}", keys.BOTH_WAYS)
    return Check("keyring", "backend", "ok", name)


def of_store(flag: str | None) -> Iterator[Check]:
    """Those of the store alone; `file` or `server` is the store itself."""
    url = paths.store_url(flag)
    if doors.is_server(url):
        yield from _server(url)
        return
    try:
        path = opening.path_of(url)
    except Invalid as error:
        yield Check("store", "file", "fail", error.message, error.hint)
        return
    if not path.exists():
        yield _unmade(path, named=paths.is_named(flag))
        return
    try:
        opening.prepared(url, LOCK_S)
        with closing(opening.connect_reader(path, LOCK_S)) as connection:
            count, inside = _inside(connection, time.time())
    except Invalid as error:
        yield Check("store", "file", "fail", error.message, error.hint)
        return
    except sqlite3.Error as error:
        yield Check("store", "file", "fail", f"{path}: {error}", "agentctl --store names another one")
        return
    yield _file(path, count)
    yield from _beside(path)
    yield from inside


def _server(url: str) -> Iterator[Check]:
    """A store on a PostgreSQL server: what it is, and whether runs can use it."""
    try:
        with doors.tables(url, LOCK_S) as tx:
            version, name, standby = tx.execute(
                "SELECT current_setting('server_version'), current_database()::text, pg_is_in_recovery()"
            ).fetchone()
            size = doors.size(url, tx)
            count, inside = _inside(tx, time.time())
    except StoreMissing as error:
        yield Check("store", "server", "ok", f"{error.message.partition(': ')[0]}: made by the first run")
        return
    except Invalid as error:
        yield Check("store", "server", "fail", error.message, error.hint)
        return
    said = f"PostgreSQL {version.partition(' ')[0]}, database {name}: {size / 1e6:,.1f} MB, {count:,} runs"
    if standby:
        yield Check("store", "server", "warn", f"{said}, a standby: it can't be written", "--store names the primary")
    else:
        yield Check("store", "server", "ok", said)
    try:
        sealed.load(None)
    except Invalid as error:
        yield Check("store", "seal key", "warn", error.message, error.hint)
    yield from inside


def _inside(tx: Tx, now: float) -> tuple[int, list[Check]]:
    """How many runs there are, what of the books is odd, and which runs crashed."""
    (count,) = tx.execute("SELECT count(*) FROM runs").fetchone()
    crashed = [_crashed(row) for row in runs.listing(tx, status="crashed") if lease.crashed(row, now)]
    return int(count), [*_shared(tx, now), *crashed]


def _crashed(row: runs.RunRow) -> Check:
    if row.begun:
        return Check("store", row.run_id, "warn", f"{row.task}: crashed", f"agentctl resume {row.run_id}")
    said = f"{row.task}: crashed before it did anything; run it anew"
    return Check("store", row.run_id, "warn", said, f"agentctl cancel {row.run_id}")


def _shared(connection: Tx, now: float) -> Iterator[Check]:
    """What dead drivers still hold, and who is left alone for a while, by the rules of `standard`."""
    held = [each for each in reaper.orphans(connection, now) if not each.rehearsed]
    if held:
        said = f"${sum(each.amount for each in held) / 1e6:,.4f} held by dead processes"
        yield Check("store", "holds", "warn", said, "agentctl budget settles them, as any run does")
    lines = outages.lines(connection, None, now, rehearsed=False)
    names = ", ".join(line.name for line in lines if line.state != "closed")
    if names:
        yield Check("store", "circuits", "warn", f"not closed: {names}", "agentctl circuits")


def _unmade(path: Path, *, named: bool) -> Check:
    above = next(folder for folder in path.parents if folder.exists())
    if named and above != path.parent:
        return Check("store", "file", "fail", f"{path}: there is no folder {path.parent}", f"mkdir -p {path.parent}")
    if os.access(above, os.W_OK):
        return Check("store", "file", "ok", f"{path}: made by the first run")
    return Check("store", "file", "fail", f"{path}: can't be made in {above}", "--store names another")


def _file(path: Path, count: int) -> Check:
    about = path.stat()
    said = f"{path}: {opening.size(path) / 1e6:,.1f} MB, {count:,} runs"
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return Check("store", "file", "warn", f"{said}, read-only", f"chmod u+w {path} {path.parent}, to run with it")
    if about.st_mode & 0o077:
        return Check("store", "file", "warn", f"{said}, others can read it", f"chmod 600 {path}")
    return Check("store", "file", "ok", f"{said}, writable")


def _beside(path: Path) -> Iterator[Check]:
    free = shutil.disk_usage(path.parent).free
    if free < ROOM:
        yield Check("store", "disk", "warn", f"{free / 1e6:,.0f} MB free", "free some, or --store names another place")


def _sqlite() -> Check:
    version = sqlite3.sqlite_version_info
    said = f"SQLite {sqlite3.sqlite_version}"
    # Mended in 3.51.3, and in the last releases of two older lines.
    mended = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    if not mended:
        said += "; up to 3.51.2 a log that is reset at the very moment of another's commit may lose it: very rare"
    return Check("store", "sqlite", "ok", said)


def _sandbox() -> Iterator[Check]:
    found = probe.probe()
    name = "bwrap" if sys.platform.startswith("linux") else "none"
    if found.backend == "none":
        said = f'{found.said}: shell is denied, programs run with a warning, `mode = "required"` refuses to start'
        yield Check("sandbox", name, "warn", said, found.fix)
    else:
        yield Check("sandbox", name, "ok" if found.backend == "bubblewrap" else "warn", found.said, found.fix)
    if name != "none":
        there, said = probe.fallback()
        needed = found.backend != "bubblewrap"
        yield Check("sandbox", "landlock", "warn" if needed and not there else "ok", said)


def _terminal() -> Iterator[Check]:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        fix = "a policy's non_interactive decides; agentctl approve RUN answers from elsewhere"
        yield Check("terminal", "person", "ok", "nobody can be asked here", fix)
    if sys.stdout.isatty():
        size = shutil.get_terminal_size()
        small = size.columns < 80
        said, fix = f"{size.columns}x{size.lines}", "make it 80 columns wide" if small else ""
        yield Check("terminal", "size", "warn" if small else "ok", said, fix)
        plain = next((name for name in ("NO_COLOR",) if os.environ.get(name)), "")
        plain = plain or ("TERM=dumb" if os.environ.get("TERM") == "dumb" else "")
        yield Check("terminal", "colour", "ok", f"off: {plain}" if plain else "on")
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    unicode = encoding.startswith("utf")
    fix = "" if unicode else "export LANG=C.UTF-8"
    yield Check("terminal", "unicode", "ok" if unicode else "warn", encoding, fix)


def _prices() -> Check:
    try:
        return Check("prices", "genai-prices", "ok", f"{metadata.version('genai-prices')}; a policy's price goes first")
    except metadata.PackageNotFoundError:
        return Check("prices", "genai-prices", "fail", "not installed", "pip install genai-prices")


def _optional() -> Iterator[Check]:
    if util.find_spec("re2") is None:
        fix = "pip install 'agentctl[re2]'"
        yield Check("optional", "re2", "warn", "patterns run on Python's engine, slow ones are refused", fix)
    else:
        yield Check("optional", "re2", "ok", "patterns take linear time")
    for program, use in PROGRAMS:
        found = shutil.which(program)
        fix = "" if found else f"install {program}"
        yield Check("optional", program, "ok" if found else "warn", found or f"not found: {use}", fix)
