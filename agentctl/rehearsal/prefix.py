"""The exact prefix of a request: what caches are keyed by and thinking is bound to.

A prompt is cut into pieces in the order in which providers render it: tools, system, messages.
Every piece extends one chain of digests, so each digest names everything up to and including its
piece, and one linear pass serves cache and signatures alike. Cache markers are no part of a piece:
moving one changes nothing. Keys of arguments and schemas keep their order: another order is another
prefix.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from hashlib import blake2b
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

from agentctl.records import dataclass

BYTES_PER_TOKEN = 4
"""A rule of thumb that is close enough for a rehearsal."""

Zone: TypeAlias = Literal["head", "messages"]

_START = bytes(16)
_VERSION = b"\x01"


class Seal(NamedTuple):
    """A signed thought in the prompt."""

    token: str
    """Its signature."""

    text: str
    """The thought that was signed."""

    where: str
    """Its place, for the error."""


class Piece(NamedTuple):
    """One tool, system block or content block."""

    data: bytes
    """Its canonical bytes."""

    zone: Zone
    """Head (tools and system) or messages."""

    ttl: str = ""
    """Lifetime of the cache marker on it: "5m", "1h", or none."""

    seal: Seal | None = None
    """The signature to be looked at, for thinking."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request's prompt, measured."""

    pieces: tuple[Piece, ...]
    """What it consists of."""

    digests: tuple[bytes, ...]
    """One more than the pieces: what stands before each, and the whole."""

    ends: tuple[int, ...]
    """Tokens before each piece, and in the whole."""

    @property
    def tokens(self) -> int:
        """Its size."""
        return max(1, self.ends[-1])


def measure(pieces: Iterable[Piece]) -> Prompt:
    """Chain the digests of the pieces and add up their sizes."""
    kept = tuple(pieces)
    digests, ends, size = [_START], [0], 0
    for piece in kept:
        digests.append(blake2b(digests[-1] + piece.data, digest_size=16).digest())
        size += len(piece.data)
        ends.append(size // BYTES_PER_TOKEN)
    return Prompt(kept, tuple(digests), tuple(ends))


def text_tokens(text: str) -> int:
    """Size of a text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


class Sealer:
    """Signs thoughts over the prefix before them, and looks at signatures that come back.

    The key comes from the seed alone, so that a stand-in started again accepts what the one before
    it has signed.
    """

    def __init__(self, seed: int) -> None:
        """Derive the key."""
        self._key = blake2b(str(seed).encode(), digest_size=32).digest()

    def sign(self, model: str, prefix: bytes, text: str) -> str:
        """Bind a thought to its model and prefix."""
        name = _short(model)
        return b64encode(_VERSION + name + prefix + self._mac(name, prefix, text)).decode()

    def broken(self, prompt: Prompt, model: str, *, drop_moved: bool) -> tuple[Seal, Literal["forged", "moved"]] | None:
        """Find the first thought that was altered or whose prefix has changed.

        A thought that another model signed is passed over: providers drop it in silence. With
        `drop_moved` so is one whose prefix has changed.
        """
        for piece, (before, _) in zip(prompt.pieces, pairwise(prompt.digests), strict=True):
            if piece.seal is None:
                continue
            verdict = self._verdict(piece.seal, model, before)
            if verdict == "forged" or (verdict == "moved" and not drop_moved):
                return piece.seal, verdict
        return None

    def _verdict(self, seal: Seal, model: str, before: bytes) -> Literal["forged", "moved"] | None:
        try:
            raw = b64decode(seal.token, validate=True)
        except (Base64Error, ValueError):
            return "forged"
        if not raw.startswith(_VERSION):
            return "forged"
        name, prefix, mac = raw[1:9], raw[9:25], raw[25:]
        if not hmac.compare_digest(mac, self._mac(name, prefix, seal.text)):
            return "forged"
        return "moved" if name == _short(model) and prefix != before else None

    def _mac(self, name: bytes, prefix: bytes, text: str) -> bytes:
        message = name + prefix + text.encode()
        return blake2b(message, key=self._key, digest_size=32).digest()


def _short(model: str) -> bytes:
    return blake2b(model.encode(), digest_size=8).digest()
