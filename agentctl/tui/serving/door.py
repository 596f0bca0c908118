"""Who may come in: told from a request's headers alone, before a byte is served.

Three locks, because each has a way around it by itself. A page of another site can send requests to 127.0.0.1 (its
Origin gives it away), can give its own name this address (its Host gives it away), and another user of this machine can
do without a browser (he has no token). The token comes once, in the address that was printed; from then on a cookie
that no script reads and no other site sends stands for it, so that it stays out of history and Referer.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import field
from typing import Final

from agentctl.records import dataclass

HTTP_PORT: Final = 80
"""Which no browser names."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is answered, and nothing else."""

    status: int
    text: str


MISDIRECTED: Final = Refusal(421, "not this host")
FOREIGN: Final = Refusal(403, "not from another site")
UNKNOWN: Final = Refusal(403, "open the address that agentctl monitor printed")


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Door:
    """The locks of one server."""

    port: int
    token: str = field(default_factory=_secret, repr=False)
    badge: str = field(default_factory=_secret, repr=False)
    """The cookie's value: not the token, which would then be known to every server that the cookie is sent to."""

    @property
    def cookie(self) -> str:
        """Its name. Browsers keep the cookies of all ports together."""
        return f"agentctl_{self.port}"

    @property
    def url(self) -> str:
        """With the token."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What this server is called, with its port."""
        names = ("127.0.0.1", "localhost")
        bare = names if self.port == HTTP_PORT else ()
        return (*(f"{name}:{self.port}" for name in names), *bare)

    def elsewhere(self, hosts: Sequence[str], origins: Sequence[str], *, socket: bool) -> Refusal | None:
        """Refuse what was sent to another name, or by another site. `socket`: an Origin has to be there."""
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return MISDIRECTED
        ours = {f"http://{host}" for host in self.hosts}
        if any(origin not in ours for origin in origins) or len(origins) > 1 or (socket and not origins):
            return FOREIGN
        return None

    def knows_token(self, tokens: Sequence[str]) -> bool:
        """Whether the address is the one that was printed."""
        return len(tokens) == 1 and _same(tokens[0], self.token)

    def knows_badge(self, cookie: str | None) -> bool:
        """Whether somebody came in before."""
        return cookie is not None and _same(cookie, self.badge)


def _same(given: str, own: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), own.encode())
