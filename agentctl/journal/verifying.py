"""Whether a bundle is what was exported: which file or event of it was altered, removed, added or moved.

An event is named by its own link and by the one before it, wherever they stand, so that one altered event is named
alone. Nobody knows who made the file: nothing is unpacked to the disk, every size is bounded before it is read, and
whatever the archive is, the answer is a line. A bundle that somebody made anew from the first event on is whole by
itself: only the last link, kept elsewhere, tells (`chain`).
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

from agentctl.core.events import Completed
from agentctl.core.messages import is_object
from agentctl.errors import Invalid, StoreUnusable
from agentctl.journal import chain, codec
from agentctl.journal.bundle import (
    ANSWER,
    DATA,
    EVENTS,
    FILES,
    FORMAT,
    MANIFEST,
    MOST,
    MOST_LINE,
    VERSION,
    head,
    manifest,
)
from agentctl.journal.chain import Place
from agentctl.records import dataclass

MOST_SAID: Final = 50
MOST_MANIFEST: Final = 64 * 1024
MOST_MEMBERS: Final = 64
MOST_DIRECTORY: Final = 64 * 1024
MOST_EVENTS: Final = 1_000_000
MOST_HEAD: Final = 4 * 1024
"""Bytes of a line before its data."""
PIECE: Final = 1 << 16
END: Final = struct.Struct("<4s4H2LH")
HOSTILE: Final = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
                  struct.error, KeyError, OverflowError, MemoryError)  # fmt: skip
"""What reading an archive that was made by anybody may end with."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at a bundle came to."""

    problems: tuple[str, ...]
    run_id: str = ""
    events: int = 0
    chain: str = ""
    """The last link, in hex, as the manifest says."""


@dataclass(frozen=True, slots=True)
class _Manifest:
    run_id: str
    events: int
    chain: str
    files: dict[str, tuple[int, str]]
    """Bytes and SHA-256."""


def verify(path: Path, expected: str = "") -> Verdict:
    """Look at a bundle; `expected` is the last link as somebody kept it, in hex.

    Raises:
        Invalid: the file can't be read, is no bundle at all, or is one of a newer agentctl.
    """
    _openable(path)
    try:
        with path.open("rb") as file:
            if (said := _directory(file)) is not None:
                return Verdict((said,))
            with zipfile.ZipFile(file) as archive:
                return _verify(archive, expected)
    except HOSTILE as error:
        return Verdict((f"the archive was altered: it can't be read ({_said(error)})",))


def _openable(path: Path) -> None:
    try:
        about = os.stat(path)  # noqa: PTH116 -- a path that is no path is an error here, too
        if not stat.S_ISREG(about.st_mode):
            raise Invalid(f"{path}: it is no regular file (a bundle was expected)")
        with path.open("rb") as file:
            begin = file.read(4)
    except (OSError, ValueError) as error:
        raise Invalid(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if begin != b"PK\x03\x04":
        raise Invalid(f"{path}: it is no bundle (a file that `agentctl export` made was expected)")
    if about.st_size > MOST:
        raise Invalid(f"{path}: it has more than {MOST:,} bytes")


def _directory(file: IO[bytes]) -> str | None:
    """What is wrong with the end of the archive, which says how large its directory is: that is read as a whole."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END.size))
    tail = file.read(END.size)
    file.seek(0)
    if len(tail) < END.size or not tail.startswith(b"PK\x05\x06"):
        return "the archive was cut short, or something was added behind it"
    _, _, _, here, members, length, offset, comment = END.unpack(tail)
    plain = here == members <= MOST_MEMBERS and length <= MOST_DIRECTORY and not comment
    if not plain or offset + length + END.size != size:
        return "the archive was altered: its directory is not where it should be"
    return None


def _verify(archive: zipfile.ZipFile, expected: str) -> Verdict:
    names = [info.filename for info in archive.infolist()]
    problems = list(_members(archive, names))
    if MANIFEST not in names:
        return Verdict((*problems, f"{MANIFEST} is missing"))
    try:
        about = _manifest(_whole(archive, MANIFEST, MOST_MANIFEST))
    except HOSTILE as error:
        about = f"{MANIFEST} was altered: {_said(error)}"
    if isinstance(about, str):
        return Verdict((*problems, about))
    for name in FILES:
        if name in about.files:
            problems += _file(archive, names, name, *about.files[name])
        elif name in names:
            problems.append(f"{name} was added")
    if EVENTS in about.files and EVENTS in names:
        wrong = list(islice(_events(archive, about), MOST_SAID))
        problems += wrong or _answer(archive, about)
    if expected and expected.lower() != about.chain:
        problems.append(f"the last link is {about.chain}, and {expected.lower()} was expected")
    return Verdict(tuple(dict.fromkeys(problems))[:MOST_SAID], about.run_id, about.events, about.chain)


def _members(archive: zipfile.ZipFile, names: list[str]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{name[:200]!a} stands in the archive {names.count(name)} times"
        if name not in {*FILES, MANIFEST}:
            yield f"{name[:200]!a} was added"
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in {0, stat.S_IFREG} or info.flag_bits & 1:
            yield f"{info.filename[:200]!a} is no plain file"


def _manifest(raw: bytes) -> _Manifest | str:
    """What it says, or what is wrong with it."""
    try:
        about: Any = json.loads(raw)
        if not is_object(about) or about.get("format") != FORMAT:
            return f"{MANIFEST} was altered: it says of no bundle"
        if _count(about.get("version")) != VERSION:
            return f"{MANIFEST}: a bundle of version {VERSION} was expected, of another agentctl's it is"
        if raw != manifest(about):
            return f"{MANIFEST} was altered: agentctl writes it otherwise"
        files = {name: _expected(entry) for name, entry in cast("dict[str, Any]", about["files"]).items()}
        found = _Manifest(_text(about["run_id"]), _count(about["events"]), _text(about["chain"]), files)
    except (RecursionError, ValueError, KeyError, TypeError, AttributeError):
        return f"{MANIFEST} was altered: it can't be read"
    if EVENTS not in files or not set(files) <= set(FILES):
        return f"{MANIFEST} was altered: it names other files than a bundle has"
    if found.events > MOST_EVENTS or sum(size for size, _ in files.values()) > MOST:
        return f"{MANIFEST}: more than {MOST_EVENTS:,} events or {MOST:,} bytes are not looked at"
    return found


def _expected(entry: dict[str, Any]) -> tuple[int, str]:
    return _count(entry["bytes"]), _text(entry["sha256"])


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MOST_HEAD:
        raise ValueError
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
        raise ValueError
    return value


def _whole(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return raw


def _file(archive: zipfile.ZipFile, names: list[str], name: str, size: int, sha256: str) -> Iterator[str]:
    if name not in names:
        yield f"{name} is missing"
        return
    digest, read = hashlib.sha256(), 0
    try:
        with archive.open(name) as file:
            while read <= size and (piece := file.read(PIECE)):
                read += len(piece)
                digest.update(piece)
    except HOSTILE as error:
        yield f"{name} was altered: it can't be unpacked ({_said(error)})"
        return
    if read != size or digest.hexdigest() != sha256:
        yield f"{name} was altered"


@dataclass(frozen=True, slots=True)
class _Line:
    place: Place
    link: bytes
    data: bytes
    """What the chain takes from the data."""
    text: bytes
    """The data; empty but for an end."""


def _events(archive: zipfile.ZipFile, about: _Manifest) -> Iterator[str]:
    """What is wrong with single events."""
    links: dict[int, bytes] = {0: chain.first(about.run_id)}
    last, unread = 0, 0
    try:
        for found in _lines(archive, about):
            if found is None:
                unread += 1
                continue
            seq = found.place.seq
            if seq in links:
                yield f"event {seq} stands there twice"
            elif not 1 <= seq <= about.events:
                yield f"event {seq} was added"
            elif seq < last:
                yield f"event {seq} was moved: it stands after event {last}"
            if 0 <= seq <= about.events:
                links.setdefault(seq, found.link)
                last = max(last, seq)
        yield from _gaps([seq for seq in range(1, about.events + 1) if seq not in links], unread)
        if about.events in links and links[about.events].hex() != about.chain:
            yield f"event {about.events} was altered, or the last link in {MANIFEST} was"
        yield from _altered(archive, about, links)
    except HOSTILE as error:
        yield f"{EVENTS} was altered: it can't be unpacked ({_said(error)})"


def _answer(archive: zipfile.ZipFile, about: _Manifest) -> Iterator[str]:
    """An answer that is not the events' own: they are linked, and it has but the manifest's word."""
    end: _Line | None = None
    try:
        for found in _lines(archive, about):
            end = found if found is not None and found.place.tag == codec.TAGS[Completed] else end
        last = codec.decode(end.place.tag, end.place.version, end.text.decode()) if end else None
    except (*HOSTILE, StoreUnusable, RecursionError):
        return  # what is wrong with the event itself is said, or a later program wrote it
    said = f"{last.answer}\n".encode("utf-8", "replace") if isinstance(last, Completed) and last.answer else b""
    expected = (len(said), hashlib.sha256(said).hexdigest()) if said else None
    if about.files.get(ANSWER) != expected:
        yield f"{ANSWER} was altered: it is not what {EVENTS} says"


def _gaps(absent: list[int], unread: int) -> Iterator[str]:
    """Runs of missing numbers; lines that can't be read are theirs, or were added."""
    start = 0
    for at, seq in enumerate(absent):
        if at + 1 == len(absent) or absent[at + 1] != seq + 1:
            first = absent[start]
            which = f"event {seq}" if first == seq else f"events {first} to {seq}"
            are = "is" if first == seq else "are"
            altered = "was altered: its line can't be read" if unread >= seq - first + 1 else f"{are} missing"
            yield f"{which} {altered}"
            start = at + 1
    if unread > len(absent):
        yield f"{EVENTS}: {unread - len(absent)} lines were added that are no events"


def _altered(archive: zipfile.ZipFile, about: _Manifest, links: dict[int, bytes]) -> Iterator[str]:
    """The events whose link does not follow from what they say and from the one before them, wherever that stands."""
    again: dict[int, bytes] = {0: links[0]}  # the last link but as it should be: of an event whose link alone is wrong
    for found in _lines(archive, about):
        if found is None:
            continue
        seq = found.place.seq
        befores = [each for each in (links.get(seq - 1), again.get(seq - 1)) if each is not None]
        made = [chain.link(before, found.place, found.data) for before in befores]
        again = {seq: made[0]} if made else {}
        if made and found.link not in made:
            yield f"event {seq} ({found.place.tag[:40]!a}) was altered"


def _lines(archive: zipfile.ZipFile, about: _Manifest) -> Iterator[_Line | None]:
    """Each line; None for one that is no event of this run."""
    left = about.files[EVENTS][0] + 1
    # A ZIP member's own `readline` is slower. A longer line than any event's is taken in pieces.
    with BufferedReader(cast("Any", archive.open(EVENTS)), PIECE) as file:
        while left > 0 and (raw := file.readline(min(left, MOST_LINE))):
            left -= len(raw)
            yield _line(raw, about.run_id)


def _line(raw: bytes, run_id: str) -> _Line | None:
    marked = raw.find(DATA.encode(), 0, MOST_HEAD)
    if marked < 0 or not raw.endswith(b"}\n"):
        return None
    begun = raw[: marked + len(DATA)]
    try:
        fields = json.loads(raw[:marked] + b"}")
        place = Place(
            _integer(fields["seq"]), _integer(fields["epoch"]), float(fields["ts"]), _text(fields["session_id"]),
            _integer(fields["step"]), _text(fields["event_type"]), _integer(fields["v"]),
        )  # fmt: skip
        link = bytes.fromhex(_text(fields["link"]))
        if len(link) != chain.LINK_BYTES or begun != head(run_id, place, link).encode():
            return None
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None
    data = raw[marked + len(DATA) : -2]
    text = data if place.tag == codec.TAGS[Completed] else b""
    return _Line(place, link, hashlib.sha256(data).digest(), text)


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError  # noqa: TRY004 -- one kind of error for one kind of fault: the line can't be read
    return value


def _said(error: BaseException) -> str:
    return ascii(str(error))[1:-1][:200] or type(error).__name__
