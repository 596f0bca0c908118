"""`export`: what goes into the bundle of a run.

The events as they are stored, which is scrubbed; trace and answer as they follow from them. The policy and its prices
only where the files still say what the run was under: the journal holds their digest, not their words. What a header
of a provider says is left out, since that is where keys are.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from agentctl.approvals.printable import printable
from agentctl.config import load, masking, paths, writing
from agentctl.config.load import LoadedPolicy
from agentctl.config.task import load_task
from agentctl.core import timeline, tracepage
from agentctl.core.events import Completed, Stamped
from agentctl.core.messages import JsonObject
from agentctl.errors import AgentctlError, StoreUnusable, Usage
from agentctl.journal import bodies, bundle, chain, codec, runs, walking
from agentctl.journal.bundle import Linked
from agentctl.journal.chain import Place
from agentctl.journal.runs import RunRow
from agentctl.journal.store import PAGE, Store
from agentctl.journal.tx import Tx
from agentctl.journal.walking import Fault
from agentctl.models.prices import find_price
from agentctl.runner import recall, starting
from agentctl.telemetry.page import render

LEFT_OUT = "[REDACTED]"


def export(journal: Store, name: str, target: Path | None, *, over: bool = False) -> tuple[Path, JsonObject]:
    """Write the bundle of a run; where it is, and its manifest. `over`: a file that is there is written over.

    Raises:
        Forbidden: there is no such run.
        Usage: the file is there, or can't be written.
        StoreUnusable: the run is not whole in the store.
    """
    row, fault = journal.look(lambda tx: _found(tx, journal.blobs, name))
    target = target or Path(f"{row.run_id}.zip")
    if target.exists() and not over:
        raise Usage(f"{target} is there already: nothing was written", hint="Name another with --out, or --force.")
    if target.exists() and not target.is_file():  # a device would be replaced, not written to
        raise Usage(f"{target} is no regular file: nothing was written", hint="Name another with --out.")
    if fault is not None:
        raise StoreUnusable(f"{row.run_id} is not whole: {fault.said}", hint="agentctl store check")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        manifest = _write(journal, row, part)
        part.replace(target)
    except OSError as error:
        raise Usage(f"{target}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):  # also where nothing can be written it does not hide what was said
            part.unlink()
    return target, manifest


def _found(tx: Tx, folder: Path | None, name: str) -> tuple[RunRow, Fault | None]:
    """A run, and what is wrong with its events first of all."""
    row = runs.find(tx, name)
    return row, next(walking.faults(tx, folder, row.run_id, row.next_seq), None)


def _write(journal: Store, row: RunRow, part: Path) -> JsonObject:
    last = row.next_seq - 1
    events = journal.events(row.run_id, limit=last)
    loaded = _policy(journal, row, events)
    ended = [stamped.event for stamped in events if isinstance(stamped.event, Completed)]
    head = chain.first(row.run_id)
    for each in linked(journal, row.run_id, last):
        head = each.link
    files: dict[str, Iterable[bytes]] = {
        bundle.EVENTS: (bundle.line(row.run_id, each) for each in linked(journal, row.run_id, last)),
        "trace.txt": [_trace(events).encode("utf-8", "replace")],
        "trace.html": [_html(events, loaded).encode("utf-8", "replace")],
        "prices.json": [_prices(events, loaded)],
    }
    if ended and ended[-1].answer:
        files[bundle.ANSWER] = [f"{ended[-1].answer}\n".encode("utf-8", "replace")]
    if loaded is not None:
        files["policy.toml"] = [_policy_text(loaded).encode("utf-8", "replace")]
    about: JsonObject = {
        "run_id": row.run_id,
        "task": row.task,
        "rehearsed": row.rehearsed,
        "started_at": codec.timestamp(row.created),
        "status": ended[-1].status if ended else "unfinished",
        "events": last,
        "chain": head.hex(),
        "policy_digest": recall.policy_digest(events),
    }
    return bundle.write(part, about, files)


def linked(journal: Store, run_id: str, last: int) -> Iterator[Linked]:
    """The events up to `last` as they are stored; those of before have the links that they would be given."""
    before, after = chain.first(run_id), 0
    while after < last:
        page = journal.read(partial(_page, run_id=run_id, after=after, last=last))
        if not page:
            return
        for *values, form, data, link in page:
            place, text = Place(*values), bodies.unpack(journal.blobs, form, data)
            before = link or chain.link(before, place, chain.body(text))
            after = place.seq
            yield Linked(place, text, before)


def _page(tx: Tx, run_id: str, after: int, last: int) -> list[tuple[Any, ...]]:
    return tx.execute(
        "SELECT seq, epoch, ts, session_id, step, type, v, form, data, link FROM events"
        " WHERE run_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (run_id, after, last, PAGE),
    ).fetchall()


def _trace(events: Sequence[Stamped]) -> str:
    lines = [timeline.header(events), *(text for text, _ in timeline.tree(timeline.rows(events)))]
    return "".join(f"{printable(line, lines=False)}\n" for line in lines)


def _html(events: Sequence[Stamped], loaded: LoadedPolicy | None) -> str:
    return render(tracepage.page(events, loaded.policy if loaded else None), printable)


def _policy(journal: Store, row: RunRow, events: Sequence[Stamped]) -> LoadedPolicy | None:
    """The policy of the run's files, where it is still the one that the run was under last."""
    try:
        spec = json.loads(journal.spec(row.run_id))
        named = starting.placed(recall.policy_named(events)) or spec["policy"]
        loaded = load.policy_of(load_task(Path(spec["task"])), named)
        lowered = load.lower(
            loaded.policy, max_usd=spec.get("max_usd"), auto_approve=spec.get("auto_approve") or ""
        )  # fmt: skip
    except (AgentctlError, OSError, ValueError, KeyError, TypeError):
        return None
    if load.digest(lowered) != recall.policy_digest(events):
        return None
    return dataclasses.replace(loaded, policy=lowered, digest=recall.policy_digest(events))


def _policy_text(loaded: LoadedPolicy) -> str:
    """It says what the run was under, but for headers."""
    providers = tuple(
        dataclasses.replace(each, headers=dict.fromkeys(each.headers, LEFT_OUT)) for each in loaded.policy.providers
    )
    shown = dataclasses.replace(loaded, policy=dataclasses.replace(loaded.policy, providers=providers))
    standard = load.load_policy(paths.shipped_policies() / f"{load.STANDARD}.toml")
    names = masking.mask(loaded.policy.scrub, ())
    secrets = {value for name, value in os.environ.items() if names.sensitive(name)}
    return masking.mask(loaded.policy.scrub, secrets).text(writing.merged(shown, standard, placed=False))


def _prices(events: Sequence[Stamped], loaded: LoadedPolicy | None) -> bytes:
    """USD per million tokens; what each call cost stands in its event."""
    listed: list[JsonObject] = []
    for provider in loaded.policy.providers if loaded else ():
        price = find_price(provider, loaded.policy.budget) if loaded else None
        rates: list[JsonObject] = [
            {
                "above_tokens": rate.above, "input": rate.input, "output": rate.output, "cache_read": rate.cache_read,
                "cache_write": rate.cache_write, "cache_write_1h": rate.cache_write_1h,
            }
            for rate in (price.rates if price else ())
        ]  # fmt: skip
        source = price.source if price else None
        listed.append({"provider": provider.name, "model": provider.model, "source": source, "rates": [*rates]})
    recorded = next((getattr(stamped.event, "price_source", "") for stamped in events), "")
    body: JsonObject = {"recorded_source": recorded, "providers": [*listed]}
    return (json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")
