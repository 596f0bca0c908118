"""A run as one file that can be given away and verified: a ZIP archive, the same bytes whenever it is made.

    events.jsonl    every event as `agentctl events` prints it, with its moment, epoch, version and link
    trace.txt  trace.html  answer.txt  policy.toml  prices.json
    manifest.json   the run, how many events, the last link, and of each file its size and SHA-256

All of it is what the journal holds, which was scrubbed before it was written; no sealed original is in it. The data of
an event is the text that its link was made from, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agentctl.core.messages import JsonObject
from agentctl.errors import Invalid
from agentctl.journal import codec
from agentctl.journal.chain import Place
from agentctl.records import dataclass

FORMAT: Final = "agentctl bundle"
VERSION: Final = 1
EVENTS: Final = "events.jsonl"
MANIFEST: Final = "manifest.json"
ANSWER: Final = "answer.txt"
FILES: Final = (EVENTS, "trace.txt", "trace.html", ANSWER, "policy.toml", "prices.json")
MOST: Final = 1 << 30
"""Bytes of a file in a bundle, and of a bundle."""
MOST_LINE: Final = 64 << 20
"""Bytes of an event in a bundle."""
DATA: Final = ',"data":'
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP archive can name."""


@dataclass(frozen=True, slots=True)
class Linked:
    """An event as it is stored."""

    place: Place
    text: str
    link: bytes


def line(run_id: str, event: Linked) -> bytes:
    """An event as a line of `events.jsonl`.

    Raises:
        Invalid: it is too long.
    """
    made = f"{head(run_id, event.place, event.link)}{event.text}}}\n".encode()
    if len(made) > MOST_LINE:
        raise Invalid(f"event {event.place.seq} has more than {MOST_LINE:,} bytes: no bundle was made")
    return made


def head(run_id: str, at: Place, link: bytes) -> str:
    """The line of an event up to its data."""
    fields: JsonObject = {
        "run_id": run_id,
        "seq": at.seq,
        "session_id": at.session_id,
        "step": at.step,
        "event_type": at.tag,
        "timestamp": codec.timestamp(at.ts),
        "ts": at.ts,
        "epoch": at.epoch,
        "v": at.version,
        "link": link.hex(),
    }
    return codec.json_text(fields)[:-1] + DATA


def manifest(about: JsonObject) -> bytes:
    """The one way in which a manifest is written."""
    return (json.dumps(about, indent=2, sort_keys=True) + "\n").encode()


def write(path: Path, about: JsonObject, files: dict[str, Iterable[bytes]]) -> JsonObject:
    """Write a bundle to a file that is not there yet; its manifest. `about`: what that says beside the files.

    Raises:
        Invalid: a file of it would be too large.
    """
    held: JsonObject = {}
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # whose eyes it is for is open
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in FILES:
            if name in files:
                held[name] = _member(archive, name, files[name])
        whole: JsonObject = {"format": FORMAT, "version": VERSION, **about, "files": held}
        _member(archive, MANIFEST, [manifest(whole)])
    return whole


def _member(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> JsonObject:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100600 << 16
    size, digest = 0, hashlib.sha256()
    with archive.open(info, "w") as file:
        for piece in pieces:
            size += len(piece)
            if size > MOST:
                raise Invalid(f"{name} would have more than {MOST:,} bytes: no bundle was made")
            digest.update(piece)
            file.write(piece)
    return {"bytes": size, "sha256": digest.hexdigest()}
