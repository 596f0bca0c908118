"""`http_get`: the text at a URL of the public web.

Each address, the first one and where redirects lead, is checked anew; the connection goes to the address that was
checked, while `Host` and TLS keep the name. Nothing of this machine goes along: no cookies, keys, proxies or netrc.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import ssl
import time
from collections.abc import AsyncGenerator
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from agentctl import __version__
from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.core.task import SideEffects
from agentctl.core.tiers import Tier
from agentctl.records import dataclass
from agentctl.tools.builtin import addresses, body
from agentctl.tools.confine import shown
from agentctl.tools.declared import Labels
from agentctl.tools.plain import clean

if TYPE_CHECKING:
    import httpx2

    from agentctl.tools.base import Invocation

LIMIT = 1_000_000
"""Bytes of a body that are read."""
MOST_REDIRECTS = 5
MOST_HEADERS = 64
LONGEST_HEADER = 1_000
REST_S = 60.0
"""What a 429 without `Retry-After` is taken to mean."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"http": 80, "https": 443}
PRIVATE_HEADERS = frozenset({"set-cookie", "set-cookie2", "proxy-authenticate", "www-authenticate"})
CUT = f"The body is larger than {LIMIT:,} bytes; this is its beginning."
WAY_OUT = "Only public servers can be reached, and those that the tool's `hosts` names."


@dataclass(frozen=True, slots=True)
class HttpGet:
    """Fetches what a URL holds, where it is text."""

    DESCRIPTION: ClassVar[str] = "Fetch a URL (http or https) with GET and return its status, headers and text."
    PARAMETERS: ClassVar[JsonObject] = {
        "type": "object",
        "properties": {
            "url": {"type": "string", "minLength": 1, "maxLength": 8_000, "description": "an http or https URL"},
        },
        "required": ["url"],
        "additionalProperties": False,
    }
    BASE_TIER: ClassVar[Tier] = Tier.MEDIUM
    SIDE_EFFECTS: ClassVar[SideEffects] = "none"
    LABELS: ClassVar[Labels] = Labels(untrusted=True, private=False, egress=True)

    contract: Contract
    hosts: tuple[str, ...] = ()
    """Local hosts that may be reached all the same: `host` or `host:port`."""

    async def run(self, call: Invocation) -> Envelope:
        """Fetch it once, redirects and all, within the call's time."""
        import httpx2

        text = call.args.get("url")
        if not isinstance(text, str):
            return envelope.bad_arguments("'url' must be string", "Expected string for 'url'.")
        try:
            async with asyncio.timeout(call.timeout_s):
                return await self._fetch(httpx2.URL(text), call.timeout_s)
        except (TimeoutError, httpx2.TimeoutException):
            return envelope.timed_out(call.timeout_s)
        except (httpx2.InvalidURL, UnicodeError):
            return envelope.bad_arguments("'url' is no URL", "Expected an http or https URL for 'url'.")

    async def _fetch(self, url: httpx2.URL, timeout_s: float) -> Envelope:
        for _ in range(MOST_REDIRECTS + 1):
            chosen = await self._allowed(url)
            if isinstance(chosen, Envelope):
                return chosen
            found = await _get(url, chosen, timeout_s / len(chosen))
            if isinstance(found, Envelope):
                return found
            url = url.join(found)
        return envelope.permanent(f"More than {MOST_REDIRECTS} redirects, the last one to {named(url)}.")

    async def _allowed(self, url: httpx2.URL) -> list[addresses.Address] | Envelope:
        """The addresses to connect to, every one of them checked."""
        if url.scheme not in PORTS or not url.host:
            hint = "Expected an http or https URL for 'url'."
            return envelope.bad_arguments(f"'url' must be http or https, got {named(url)}", hint)
        if url.userinfo:
            return envelope.bad_arguments("'url' must hold no name or password", "Leave out what is before the '@'.")
        port = url.port or PORTS[url.scheme]
        try:
            found = await addresses.resolve(url.raw_host.decode("ascii"), port)
        except (OSError, ValueError, OverflowError):
            return envelope.transient(f"'{shown(url.host)}' could not be resolved.", hint="Check the host's name.")
        if addresses.is_named(url.host, port, self.hosts) or all(map(addresses.is_public, found)):
            return found
        refused = envelope.forbidden(f"'{shown(url.host)}' is not on the public network")
        return envelope.permanent(refused.message, hint=WAY_OUT)


def named(url: httpx2.URL) -> str:
    """The URL in messages: without its query, which may hold what nobody should read."""
    plain = url.copy_with(query=None, fragment=None, userinfo=b"") if url.host else url.copy_with(query=None)
    return shown(str(plain))


async def _get(url: httpx2.URL, chosen: list[addresses.Address], connect_s: float) -> Envelope | str:
    """The answer, or where a redirect leads. An address that does not answer leaves time for the next one."""
    import httpx2

    last: Exception | None = None
    for address in chosen:
        try:
            async with _opened(url, address, connect_s) as response:
                where = response.headers.get("location", "")
                if response.status_code in REDIRECTS and where:
                    return where
                return await _answer(url, response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            last = error
        except httpx2.HTTPError as error:
            return envelope.transient(f"{named(url)}: the connection broke ({type(error).__name__}).")
    if isinstance(last, httpx2.ConnectTimeout):
        raise last
    if _untrusted(last):
        return envelope.permanent(f"'{shown(url.host)}' has no valid certificate.", hint="Nothing was sent.")
    return envelope.transient(f"'{shown(url.host)}' could not be reached.")


@contextlib.asynccontextmanager
async def _opened(url: httpx2.URL, address: addresses.Address, connect_s: float) -> AsyncGenerator[httpx2.Response]:
    """The answer of this very address to a request for that URL."""
    import httpx2

    headers = {
        "host": url.netloc.decode("ascii"),
        "user-agent": f"agentctl/{__version__}",
        "accept": "text/*, application/json, application/xml;q=0.9, */*;q=0.1",
        "accept-encoding": "identity",
        "connection": "close",
    }
    extensions = {"sni_hostname": url.raw_host.decode("ascii").removesuffix(".")}
    # The call's own time covers the rest.
    patience = httpx2.Timeout(None, connect=connect_s)
    async with httpx2.AsyncClient(trust_env=False, verify=_trusted(), timeout=patience) as client:
        request = client.build_request("GET", url.copy_with(host=str(address)), headers=headers, extensions=extensions)
        response = await client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The machine's certificates, and `SSL_CERT_FILE`."""
    import httpx2

    return httpx2.create_ssl_context()


async def _answer(url: httpx2.URL, response: httpx2.Response) -> Envelope:
    status = response.status_code
    if status == 429:
        return envelope.rate_limited(_retry_after(response.headers.get("retry-after", "")))
    if status >= 500:
        return envelope.server_error(status)
    if status >= 400:
        return envelope.not_found(named(url))
    kind = response.headers.get("content-type", "")
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in body.CODINGS:
        return envelope.permanent(f"{named(url)} is packed as {shown(coding)}, which was not asked for.")
    raw, more = await _read(response)
    try:
        data, cut = body.unpacked(raw, coding, LIMIT)
    except ValueError as error:
        return envelope.permanent(f"{named(url)} could not be read: {error}.")
    if not body.is_text(kind, data):
        what = shown(kind.partition(";")[0].strip() or "binary data")
        return envelope.permanent(f"{named(url)} is {what}; only text can be read.")
    found: JsonObject = {"status": status, "headers": _headers(response), "text": clean(body.decoded(data, kind))}
    if more or cut:
        found["note"] = CUT
    return envelope.success(found)


async def _read(response: httpx2.Response) -> tuple[bytes, bool]:
    """The body as it came, up to the limit, and whether there is more."""
    data = bytearray()
    async for piece in response.aiter_raw():
        data += piece
        if len(data) > LIMIT:
            return bytes(data[:LIMIT]), True
    return bytes(data), False


def _headers(response: httpx2.Response) -> JsonObject:
    """The headers, joined by name; none that would let somebody in."""
    kept = {name: value for name, value in response.headers.items() if name not in PRIVATE_HEADERS}
    first = list(kept.items())[:MOST_HEADERS]
    return {clean(name): clean(value)[:LONGEST_HEADER] for name, value in first}


def _retry_after(text: str) -> float:
    """Seconds, from seconds or a date."""
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        return max(0.0, round(email.utils.parsedate_to_datetime(text).timestamp() - time.time()))
    except (ValueError, TypeError, OverflowError):
        return REST_S


def _untrusted(error: BaseException | None) -> bool:
    """Whether a certificate was the reason, somewhere down the chain of causes."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
