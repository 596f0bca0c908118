"""Why Anthropic's cache could not reuse the prefix of the request before: what its `diagnostics` answer.

Kept per message is a digest of each piece of its prompt. Pieces are told apart by what they say, so that a moved cache
marker is no change.
"""

from collections.abc import Mapping
from hashlib import blake2b

from agentctl.records import dataclass
from agentctl.rehearsal import anthropic
from agentctl.rehearsal.exchange import Json, as_object
from agentctl.rehearsal.prefix import BYTES_PER_TOKEN

BETA = "cache-diagnosis-2026-04-07"
MOST_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Print:
    """One request, as far as caches look at it."""

    model: str
    tools: tuple[bytes, ...]
    system: tuple[bytes, ...]
    messages: tuple[bytes, ...]
    tokens: int


class Diagnoses:
    """What the server remembers of the requests that asked to be compared."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._kept: dict[str, Print] = {}

    def of(self, body: Json, headers: Mapping[str, str], ident: str) -> Json | None:
        """The `diagnostics` of the reply `ident`; `None`: not asked for, or no divergence."""
        asked = as_object(body.get("diagnostics"))
        if asked is None or BETA not in headers.get("anthropic-beta", ""):
            return None
        now, named = printed(body), asked.get("previous_message_id")
        self._kept[f"msg_01{ident}"] = now
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        if named is None:
            return None
        before = self._kept.get(str(named))
        if before is None:
            return {"cache_miss_reason": {"type": "previous_message_not_found"}}
        kind = changed(before, now)
        return {"cache_miss_reason": {"type": kind, "cache_missed_input_tokens": before.tokens}} if kind else None


def changed(before: Print, now: Print) -> str:
    """The first thing that differs, in the order in which prompts are rendered; messages may only be appended."""
    if before.model != now.model:
        return "model_changed"
    if before.tools != now.tools:
        return "tools_changed"
    if before.system != now.system:
        return "system_changed"
    return "" if now.messages[: len(before.messages)] == before.messages else "messages_changed"


def printed(body: Json) -> Print:
    """The digests of a request."""
    found = {key: list(anthropic.pieces({key: body.get(key)})) for key in ("tools", "system", "messages")}
    size = sum(len(piece.data) for pieces in found.values() for piece in pieces)
    digests = {key: tuple(blake2b(piece.data, digest_size=16).digest() for piece in found[key]) for key in found}
    return Print(str(body.get("model")), **digests, tokens=size // BYTES_PER_TOKEN)
