"""One driver per run: a lease with an epoch.

Taking a run raises its epoch; every append names the epoch that it writes under, so that a driver who slept through
its own lease and wakes after a takeover writes nothing. A lease lasts 30 s and is renewed every 10 s and at each
append. A driver on this very machine whose process is gone is known to be dead and need not be waited for.

An owner is written `place:pid:start:random`. The place names host, boot and process namespace: only there does a pid
mean the same process, and the start time tells it from a later process of the same number.

A lease that ends later than LONGEST_S from now was written by a clock that has been set back since, and counts as over:
a driver that lives renews it within seconds, and one that lost its run to this writes nothing under its epoch.
"""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from agentctl.errors import Forbidden, LeaseLost
from agentctl.journal.failpoints import failpoint
from agentctl.journal.runs import DRIVEN, RunRow
from agentctl.journal.tx import Tx

LEASE_S: Final = 30.0
RENEW_S: Final = 10.0
LONGEST_S: Final = 2 * LEASE_S
"""Clocks may differ by the other half."""
ENDED: Final = frozenset({"completed", "cancelled"})
"""Statuses that nothing follows; `failed` too, unless it was for want of a provider."""


def new_owner() -> str:
    """Who we are; another one at every call."""
    return f"{_place()}:{os.getpid()}:{_started(os.getpid())}:{secrets.token_hex(4)}"


def take(tx: Tx, run_id: str, owner: str, now: float) -> int:
    """The new epoch, if nobody alive drives the run; else Forbidden, naming who does."""
    row = tx.execute("SELECT owner, lease_since, lease_until FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise Forbidden(f"there is no run {run_id}", hint="`agentctl runs` lists them.")
    holder, since, until = row
    if holder and holds(until, now) and not gone(holder):
        raise Forbidden(
            f"{run_id} is driven by {describe(holder)} since {_clock(since)}",
            hint=f"Watch it with `agentctl events {run_id} -f`.",
        )
    (epoch,) = tx.execute(
        "UPDATE runs SET epoch = epoch + 1, owner = ?, lease_since = ?, lease_until = ?"
        " WHERE run_id = ? RETURNING epoch",
        (owner, now, now + LEASE_S, run_id),
    ).fetchone()
    failpoint("lease-taken")
    return int(epoch)


def take_open(tx: Tx, run_id: str, owner: str, now: float) -> int:
    """`take` of a run that can go on; Forbidden where it came to its end since somebody looked at it."""
    row = tx.execute("SELECT status, reason FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    status, reason = row or ("", "")
    if status in ENDED or (status == "failed" and reason != "providers"):
        raise Forbidden(f"{run_id} is {status} ({reason}) and can't be resumed", hint=f"agentctl show {run_id}")
    return take(tx, run_id, owner, now)


def renew(tx: Tx, run_id: str, epoch: int, now: float) -> float:
    """The heartbeat: until when the lease holds now."""
    until = now + LEASE_S
    done = tx.execute(
        "UPDATE runs SET lease_until = ? WHERE run_id = ? AND epoch = ? AND owner <> ''",
        (until, run_id, epoch),
    )
    if not done.rowcount:
        raise lost(tx, run_id, epoch)
    return until


def release(tx: Tx, run_id: str, epoch: int) -> None:
    """The driver goes; a lease that is no longer ours is left alone."""
    tx.execute(
        "UPDATE runs SET owner = '', lease_until = 0 WHERE run_id = ? AND epoch = ?",
        (run_id, epoch),
    )


def lost(tx: Tx, run_id: str, epoch: int, seq: int = 0) -> Forbidden:
    """What to tell a driver whose epoch is over; `seq`: of the event that it was about to append."""
    row = tx.execute("SELECT owner, lease_since, epoch, next_seq FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        return Forbidden(f"there is no run {run_id}", hint="`agentctl runs` lists them.")
    owner, since, now_epoch, next_seq = row
    if (now_epoch, next_seq) < (epoch, seq):
        return LeaseLost(
            f"lost the lease of {run_id}: the store is behind what was last written to it"
            " (its server crashed, or a copy was put in its place)",
            hint=f"Nothing more was written here. `agentctl resume {run_id}` goes on from what is there.",
        )
    by = f": {describe(owner)} took it over at {_clock(since)}" if owner else ": it was let go"
    return LeaseLost(
        f"lost the lease of {run_id}{by}",
        hint=f"Nothing more was written here. Watch it with `agentctl events {run_id} -f`.",
    )


def crashed(row: RunRow, now: float) -> bool:
    """Whether a run that says `running`, or is about to, has nobody who runs it."""
    if row.status not in DRIVEN:
        return False
    if row.status == "queued" and not row.owner:  # whoever has just made it takes it within moments
        return not holds(row.created + LEASE_S, now)
    return not row.owner or not holds(row.lease_until, now) or gone(row.owner)


def holds(until: float, now: float) -> bool:
    """Whether a lease is not over, as far as its end can be believed."""
    return now < until and believed(until, now)


def believed(until: float, now: float) -> bool:
    """Whether a lease can have been given to end then: else its clock has been set back since."""
    return until <= now + LONGEST_S


def abandoned(owner: str, until: float, now: float) -> bool:
    """Whether nobody can be driving: no owner, a dead one, or one elsewhere whose lease is over.

    A process of this very machine that lives is never taken for dead, however long it slept.
    """
    return not owner or gone(owner) or (not holds(until, now) and owner.partition(":")[0] != _place())


def describe(owner: str) -> str:
    """`process 4711 on mail3`."""
    place, pid, *_ = [*owner.split(":"), "?"]
    return f"process {pid} on {place.partition('/')[0]}"


def gone(owner: str) -> bool:
    """Whether the owner is certainly dead: a process of this machine and namespace that is no more."""
    parts = owner.split(":")
    if len(parts) != 4 or parts[0] != _place() or not parts[1].isdecimal():
        return False
    pid = int(parts[1])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it exists and is somebody else's
    return _started(pid) != parts[2]


@cache
def _place() -> str:
    node = platform.node().replace(":", "_").replace("/", "_")
    boot = _told(lambda: Path("/proc/sys/kernel/random/boot_id").read_text()[:8])
    namespace = _told(lambda: str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]"))
    return f"{node}/{boot}/{namespace}"


def _told(read: Callable[[], str]) -> str:
    try:
        return read()
    except OSError:
        return "-"


def _started(pid: int) -> str:
    """When the process started, as the system counts; `-` where it does not tell, `dead` for one not yet buried."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "-" if not Path("/proc/self/stat").exists() else "dead"
    return "dead" if fields[0] in "ZX" else fields[19]


def _clock(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
