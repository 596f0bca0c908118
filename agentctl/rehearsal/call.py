"""One request on its way through the server, and what is remembered of it."""

import json
import re
from http import HTTPStatus
from typing import Literal, TypeAlias
from urllib.parse import unquote

from agentctl.records import dataclass
from agentctl.rehearsal import anthropic, chat, responses
from agentctl.rehearsal.exchange import Json, RefusedError, Wire, as_object
from agentctl.rehearsal.script import Fault
from agentctl.rehearsal.wire import Request

Api: TypeAlias = Literal["messages", "count_tokens", "chat", "responses"]

WIRES: dict[Api, Wire] = {
    "messages": anthropic,
    "count_tokens": anthropic,
    "chat": chat,
    "responses": responses,
}
_PATH = re.compile(r"(?:/p/([^/]+))?(?:/r/([^/]+))?(/v1/.+)")

ENDPOINTS: dict[str, Api] = {
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, as the server saw it."""

    provider: str
    """Whom it asked."""

    run: str
    """Which run it came from."""

    api: str
    """messages, count_tokens, chat or responses."""

    status: int
    """HTTP status of the answer; 0: none was given."""

    fault: str
    """Kind of the fault that befell it; empty for none."""

    at: float
    """When it was answered, in seconds, by the server's clock."""

    headers: dict[str, str]
    """Its headers, names in lower case."""

    body: Json | None
    """Its body, where bodies are kept and it was a JSON object."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through."""

    request: Request
    """What was sent."""

    api: Api
    """Which endpoint it was sent to."""

    provider: str
    """Whom it asks."""

    run: str
    """Which run it comes from."""

    ident: str
    """The request id that goes into its answer."""

    fault: Fault | None = None
    """What befalls it."""

    @property
    def wire(self) -> Wire:
        """The wire format that it is written in."""
        return WIRES[self.api]

    @property
    def kind(self) -> str:
        """Kind of the fault that befalls it; empty for none."""
        return "" if self.fault is None else self.fault.kind

    @property
    def streams(self) -> bool:
        """Whether the request asks for a stream, as far as it can be read."""
        try:
            return self.body().get("stream") is True
        except RefusedError:
            return False

    def body(self) -> Json:
        """Parse the body."""
        try:
            body = as_object(json.loads(self.request.body))
        except (ValueError, RecursionError):
            body = None
        if body is None:
            raise RefusedError("The request body is not valid JSON")
        return body


def address(request: Request, ident: str) -> Call | None:
    """Read from the path who is asked, and for whom; `None` where nobody is."""
    match = _PATH.fullmatch(request.path)
    api = ENDPOINTS.get(match[3]) if match else None
    if match is None or api is None:
        return None
    return Call(request, api, unquote(match[1] or ""), unquote(match[2] or ""), ident)


def door(request: Request) -> None:
    """Refuse what no endpoint lets in."""
    if request.method != "POST":
        raise RefusedError("Method Not Allowed", status=HTTPStatus.METHOD_NOT_ALLOWED)
    if request.too_large:
        raise RefusedError("Request exceeds the maximum size", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
    if not (bearer or request.headers.get("x-api-key")):
        raise RefusedError("No API key was given", status=HTTPStatus.UNAUTHORIZED)
