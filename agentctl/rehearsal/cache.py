"""The cache model: what of a prompt is read, written, or neither.

Marked (Anthropic): entries exist only where a marker stood. A marker finds an entry at its own
place or up to twenty blocks before it; the longest one found is read, and what lies between it
and the last marker is written, for the lifetime of the next marker. Prefixes below the model's
minimum are neither, in silence. Automatic (OpenAI): every piece ends an entry, from 1,024 tokens
on, read in steps of 128. Breakpoints (OpenAI from gpt-5.6 on): only the last breakpoints and the
prompt's own end do; a read ends exactly at a breakpoint.

Rules
- Entries belong to a provider and a model. Those that reach into the messages also depend on the
  tool choice and the thinking configuration.
- A lifetime counts from the start of the request; reading an entry starts it again.
- What a request writes can be read by others once its reply has begun: `look` and `store` are two.
- Entries are bounded; the oldest go first.
- They are named by keyed digests: what is kept of them tells nothing of the prompts.
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import TypeAlias

from agentctl.records import dataclass
from agentctl.rehearsal.exchange import Figures
from agentctl.rehearsal.prefix import Prompt

Key: TypeAlias = tuple[str, str, str]
"""Provider and model, digest, what else it depends on."""
Entries: TypeAlias = dict[Key, tuple[float, float]]
"""End of life and lifetime, in seconds; the newest last."""

LOOK_BACK = 20
"""Blocks before a marker in which an entry is still found."""

AUTOMATIC_MINIMUM = 1_024
"""Smallest automatic prefix, in tokens."""

STEP = 128
"""Automatic reads are whole multiples of this, in tokens."""

MOST_BREAKPOINTS = 4
"""Breakpoints that one request writes: the last ones."""

LIFETIMES = {"5m": 300.0, "1h": 3600.0}
"""Marked entries, in seconds."""

AUTOMATIC_LIFETIME = 1_800.0
"""Automatic entries, in seconds."""

MOST_ENTRIES = 200_000

# The same figures stand in `models/caching.py`: the stand-in checks that one, so it may not ask it.
MINIMUMS = (
    ("claude-opus-4-8", 1_024),
    ("claude-opus-4-7", 2_048),
    ("claude-opus-4-6", 4_096),
    ("claude-opus-4-5", 4_096),
    ("claude-haiku-4-5", 4_096),
    ("claude-sonnet-5-5", 512),
    ("claude-sonnet", 1_024),
)
"""Smallest marked prefix by the beginning of the model's name, in tokens; else 512."""


def minimum(model: str) -> int:
    """Smallest prefix that the model caches at a marker, in tokens."""
    return next((tokens for start, tokens in MINIMUMS if model.startswith(start)), 512)


@dataclass(frozen=True, slots=True)
class Found:
    """What the cache has to say about one prompt."""

    figures: Figures
    """How the prompt splits; `output` is 0."""

    keep: tuple[tuple[Key, float, float], ...] = ()
    """Entries to be stored: key, end of life, lifetime."""


def _first(prompt: Prompt) -> int:
    """The first piece that ends a prefix large enough to be cached by itself."""
    return next(at for at, end in enumerate(prompt.ends) if end >= AUTOMATIC_MINIMUM)


def _reach(prompt: Prompt, at: int) -> int:
    """How far an entry that ends with this piece reaches, in tokens."""
    exact = at > 0 and bool(prompt.pieces[at - 1].ttl)
    return prompt.ends[at] if exact else prompt.ends[at] // STEP * STEP


class Cache:
    """The entries of one stand-in server."""

    def __init__(self, clock: Callable[[], float], secret: bytes = b"") -> None:
        """Start empty. `clock` gives seconds; `secret`, at most 64 bytes, keys the digests."""
        self._clock = clock
        self._secret = secret
        self.entries: Entries = {}

    def look_marked(self, prompt: Prompt, scope: str, model: str, config: str) -> Found:
        """Split a prompt by its markers."""
        now, least = self._clock(), minimum(model)
        marks = [at for at, piece in enumerate(prompt.pieces, 1) if piece.ttl and prompt.ends[at] >= least]
        hit = max((self._nearest(prompt, at, scope, config, now) for at in marks), default=0)
        writes = {"5m": 0, "1h": 0}
        keep = [self._renewed(self._key(prompt, hit, scope, config), now)] if hit else []
        reached = hit
        for at in marks:
            if at > reached:
                ttl = prompt.pieces[at - 1].ttl
                writes[ttl] += prompt.ends[at] - prompt.ends[reached]
                life = LIFETIMES[ttl]
                keep.append((self._key(prompt, at, scope, config), now + life, life))
                reached = at
        read, written = prompt.ends[hit], writes["5m"] + writes["1h"]
        fresh = prompt.tokens - read - written
        return Found(Figures(fresh, read, writes["5m"], writes["1h"]), tuple(keep))

    def look_automatic(self, prompt: Prompt, scope: str) -> Found:
        """Split a prompt at the longest prefix that was seen before."""
        if prompt.tokens < AUTOMATIC_MINIMUM:
            return Found(Figures(prompt.tokens))
        now = self._clock()
        hit, first = self._longest(prompt, scope, now), _first(prompt)
        read = prompt.ends[hit] // STEP * STEP
        places = range(max(hit, first), len(prompt.pieces) + 1)
        return Found(Figures(prompt.tokens - read, read), self._automatic(prompt, scope, places, now))

    def look_breakpoints(self, prompt: Prompt, scope: str, *, implicit: bool) -> Found:
        """Split a prompt at its breakpoints; `implicit`: its end is one too, and one of the four."""
        if prompt.tokens < AUTOMATIC_MINIMUM:
            return Found(Figures(prompt.tokens))
        now, whole = self._clock(), len(prompt.pieces)
        first = _first(prompt)
        marks = [at for at, piece in enumerate(prompt.pieces, 1) if piece.ttl and at >= first]
        marks = [*marks[-MOST_BREAKPOINTS + 1 :], whole] if implicit else marks[-MOST_BREAKPOINTS:]
        if not marks:
            return Found(Figures(prompt.tokens))
        hit = self._longest(prompt, scope, now)
        read, end = _reach(prompt, hit), max(_reach(prompt, at) for at in marks)
        written = max(0, end - read)
        places = sorted({hit, *marks} - {0})
        return Found(
            Figures(prompt.tokens - read - written, read, written), self._automatic(prompt, scope, places, now)
        )

    def _longest(self, prompt: Prompt, scope: str, now: float) -> int:
        places = range(len(prompt.pieces), _first(prompt) - 1, -1)
        return next((at for at in places if self._alive(self._key(prompt, at, scope, ""), now)), 0)

    def _automatic(
        self, prompt: Prompt, scope: str, places: Iterable[int], now: float
    ) -> tuple[tuple[Key, float, float], ...]:
        end, life = now + AUTOMATIC_LIFETIME, AUTOMATIC_LIFETIME
        return tuple((self._key(prompt, at, scope, ""), end, life) for at in places)

    def store(self, found: Found) -> None:
        """Make the entries of a request readable: its reply begins."""
        for key, end, life in found.keep:
            self.entries.pop(key, None)
            self.entries[key] = end, life
        while len(self.entries) > MOST_ENTRIES:
            del self.entries[next(iter(self.entries))]

    def _nearest(self, prompt: Prompt, at: int, scope: str, config: str, now: float) -> int:
        for place in range(at, max(0, at - LOOK_BACK - 1), -1):
            if self._alive(self._key(prompt, place, scope, config), now):
                return place
        return 0

    def _alive(self, key: Key, now: float) -> bool:
        end, _ = self.entries.get(key, (0.0, 0.0))
        return now < end

    def _renewed(self, key: Key, now: float) -> tuple[Key, float, float]:
        _, life = self.entries[key]
        return key, now + life, life

    def _key(self, prompt: Prompt, at: int, scope: str, config: str) -> Key:
        in_messages = prompt.pieces[at - 1].zone == "messages"
        digest = blake2b(prompt.digests[at], key=self._secret, digest_size=16).hexdigest()
        return scope, digest, config if in_messages else ""
