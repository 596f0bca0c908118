"""The originals of what was scrubbed, under lock: only a resumed run opens them, and they go when it can't be resumed.

AES-256-GCM with a random nonce; run and digest are bound to the text, so that no body can stand in for another. The
digest is keyed: who has the journal but not the key can't try guesses against it. Three subkeys come from one key,
which is in `AGENTCTL_SEAL_KEY` (base64 of 32 bytes) or in `seal.key`, mode 0600, made at the first need and never
sent anywhere.

`call_key` gives equal calls equal names for the loop guard, and tells nothing else about them.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentctl import ownkeys
from agentctl.errors import StoreUnusable
from agentctl.journal.bodies import make_folder, sync_folder
from agentctl.journal.failpoints import failpoint
from agentctl.journal.faults import unusable
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VARIABLE: Final = "AGENTCTL_SEAL_KEY"
KEY_BYTES: Final = 32
_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Sealed:
    """An original under lock, and the name that its event gives it."""

    digest: str
    body: bytes


class Seal:
    """One store's key, at work. Safe to use from several threads."""

    def __init__(self, key: bytes, source: str) -> None:
        self._source = source
        self._encrypting, self._naming, self._calling = (
            hmac.digest(key, purpose, "sha256")
            for purpose in (b"agentctl seal encrypt", b"agentctl seal digest", b"agentctl call key")
        )

    def seal(self, run_id: str, plaintext: bytes) -> Sealed:
        """Lock an original up. Equal originals of one run have equal digests."""
        digest = hmac.digest(self._naming, run_id.encode() + b"\0" + plaintext, "sha256").hex()[:32]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        locked = self._cipher.encrypt(nonce, plaintext, _FORMAT + _bound(run_id, digest))
        return Sealed(digest, _FORMAT + nonce + locked)

    def unseal(self, run_id: str, digest: str, body: bytes) -> bytes:
        """The original again; StoreUnusable under another key or when a bit was changed."""
        from cryptography.exceptions import InvalidTag  # 20 ms that most commands never need

        nonce, locked = body[1 : 1 + _NONCE_BYTES], body[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, locked, body[:1] + _bound(run_id, digest))
        except (InvalidTag, ValueError) as error:
            raise StoreUnusable(
                f"the sealed original {digest} of {run_id} can't be opened with the key of"
                f" {self._source}: it was sealed with another key, or changed since",
                hint=f"Put the key back that was there when the run started ({VARIABLE} or seal.key).",
            ) from error

    def call_key(self, name: str, canonical_args: bytes) -> str:
        """32 hex digits that are equal for equal calls."""
        return hmac.digest(self._calling, name.encode() + b"\0" + canonical_args, hashlib.sha256)[:16].hex()

    @cached_property
    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import (  # 20 ms that most commands never need
            AESGCM,
        )

        return AESGCM(self._encrypting)


def load(folder: Path | None) -> Seal:
    """The key from the environment, else from the folder, where one is made if there is none.

    Without a folder it can only be given: several machines share the store.
    """
    if given := ownkeys.get(VARIABLE):
        ownkeys.withhold((VARIABLE,))
        return Seal(_decoded(given), VARIABLE)
    if folder is None:
        raise StoreUnusable(
            f"{VARIABLE} is not set: on a PostgreSQL store the key that seals originals is given, never made",
            hint=f"export {VARIABLE}=$(openssl rand -base64 32), the same on every machine, and keep a copy.",
        )
    path = folder / "seal.key"
    try:
        return Seal(_read(path), str(path))
    except FileNotFoundError:
        try:
            _make(path)
            return Seal(_read(path), str(path))
        except OSError as error:
            raise unusable(error, path) from error
    except OSError as error:
        raise unusable(error, path) from error


def put(tx: Tx, run_id: str, sealed: Sealed) -> None:
    """Keep it, in the transaction of the event that names it."""
    tx.execute(
        "INSERT INTO sealed(run_id, digest, body) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
        (run_id, sealed.digest, sealed.body),
    )


def get(tx: Tx, run_id: str, digest: str) -> bytes:
    """The body as it was kept."""
    row = tx.execute("SELECT body FROM sealed WHERE run_id = ? AND digest = ?", (run_id, digest)).fetchone()
    if row is None:
        raise StoreUnusable(
            f"the sealed original {digest} of {run_id} is gone",
            hint="Originals are destroyed when a run ends: fork it, which shows placeholders.",
        )
    return bytes(row[0])


def destroy(tx: Tx, run_id: str) -> int:
    """Remove all originals of a run; how many there were. Their bytes are overwritten (`secure_delete`)."""
    return tx.execute("DELETE FROM sealed WHERE run_id = ?", (run_id,)).rowcount


def _bound(run_id: str, digest: str) -> bytes:
    return f"{run_id}\0{digest}".encode()


def _decoded(given: str) -> bytes:
    with contextlib.suppress(binascii.Error, ValueError):
        key = base64.b64decode(given, validate=True)
        if len(key) == KEY_BYTES:
            return key
    raise StoreUnusable(
        f"{VARIABLE} is not base64 of {KEY_BYTES} bytes",
        hint="Make one with `head -c 32 /dev/urandom | base64`, and keep it: runs resume only with it.",
    )


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        mode = os.fstat(fd).st_mode & 0o777
        key = os.read(fd, KEY_BYTES + 1)
    finally:
        os.close(fd)
    if len(key) != KEY_BYTES:
        raise StoreUnusable(
            f"{path} does not hold a key of {KEY_BYTES} bytes",
            hint="Restore it from a copy, or remove it: what it sealed can't be resumed then.",
        )
    if mode & 0o077:
        raise StoreUnusable(
            f"{path} can be read by others (mode {mode:04o}, expected 0600)",
            hint=f"Run `chmod 600 {path}` if nobody else should have seen it.",
        )
    return key


def _make(path: Path) -> None:
    make_folder(path.parent)
    part = path.with_name(f".seal.key.{secrets.token_hex(4)}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, secrets.token_bytes(KEY_BYTES))
        os.fsync(fd)
        failpoint("seal-before-link")
        with contextlib.suppress(FileExistsError):  # somebody was faster: theirs is the key
            os.link(part, path)
        failpoint("seal-after-link")
        sync_folder(path.parent)  # lost, it would take everything sealed with it
    finally:
        os.close(fd)
        part.unlink()
