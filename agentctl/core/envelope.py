"""What every tool answers, whatever it did: one typed object, never a bare string, never a traceback.

The texts are the contract's (section 7); tests compare them to the letter.
"""

from __future__ import annotations

import json
from typing import Literal

from agentctl.core.messages import Json, JsonObject
from agentctl.records import dataclass

ErrorType = Literal["transient", "permanent", "rate_limit"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """`retry_safe` says whether the same call may be tried again as it is; `hint` says what to do instead."""

    status: Literal["success", "error"]
    data: Json = None
    error_type: ErrorType | None = None
    retry_safe: bool = False
    code: str | None = None
    message: str = ""
    hint: str = ""

    @property
    def ok(self) -> bool:
        """Whether the tool did what it was asked."""
        return self.status == "success"

    def as_json(self) -> JsonObject:
        """The object that the model and the journal see; a bad-arguments error says `error: true` too (G10)."""
        body: JsonObject = {
            "status": self.status,
            "data": self.data,
            "error_type": self.error_type,
            "retry_safe": self.retry_safe,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }
        if self.code == "INVALID_ARGS":
            body["error"] = True
        return body

    def text(self) -> str:
        """The JSON that is sent to the model."""
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":"))


def of_json(said: JsonObject) -> Envelope:
    """The envelope that `as_json` wrote."""
    words = {name: str(said.get(name) or "") for name in ("error_type", "code", "message", "hint")}
    kinds: dict[str, ErrorType] = {"transient": "transient", "permanent": "permanent", "rate_limit": "rate_limit"}
    return Envelope(
        "success" if said.get("status") == "success" else "error",
        said.get("data"),
        kinds.get(words["error_type"]),
        retry_safe=said.get("retry_safe") is True,
        code=words["code"] or None,
        message=words["message"],
        hint=words["hint"],
    )


def success(data: Json) -> Envelope:
    """The tool answered."""
    return Envelope("success", data=data)


def transient(message: str, *, hint: str = "") -> Envelope:
    """It failed in a way that may pass."""
    return Envelope("error", error_type="transient", retry_safe=True, message=message, hint=hint)


def permanent(message: str, *, code: str | None = None, hint: str = "") -> Envelope:
    """It failed in a way that trying again will not mend."""
    return Envelope("error", error_type="permanent", code=code, message=message, hint=hint)


def rate_limited(seconds: float) -> Envelope:
    """HTTP 429 from a tool. D31"""
    message = f"Rate limit hit. Retry after {number(seconds)}s."
    return Envelope("error", error_type="rate_limit", retry_safe=True, message=message)


def timed_out(seconds: float) -> Envelope:
    """It took too long. B13"""
    return transient(f"Timeout after {number(seconds)}s")


def server_error(status: int) -> Envelope:
    """HTTP 5xx from a tool. D32"""
    return transient(f"Server error: {status}")


def not_found(what: str) -> Envelope:
    """Any other HTTP 4xx from a tool. D33"""
    return permanent(f"{what} not found or access denied.")


def forbidden(message: str) -> Envelope:
    """The operating system or the server said no. B16, B17"""
    return permanent(f"Permission denied: {message}. Cannot complete this step.")


def bad_arguments(problem: str, hint: str) -> Envelope:
    """The arguments do not fit the schema; the tool did not run. A06-A08, C17, C18"""
    return permanent(f"Bad tool arguments: {problem}", code="INVALID_ARGS", hint=hint)


def redefined(tool: str, how: str) -> Envelope:
    """It is not, or no longer, the tool that the model was shown: it was not called. D90"""
    return permanent(
        f"{tool} {how} its server since it was shown. It was not called.",
        code="DEFINITION_CHANGED",
        hint="Go on without it; a resumed run shows the change to a person.",
    )


def exhausted(attempts: int, last: Envelope) -> Envelope:
    """The last try failed too. B19, G11"""
    message = f"Tool failed after {attempts} attempts: {last.message}. Proceeding without this result."
    return Envelope("error", error_type=last.error_type, message=message, code=last.code)


def number(value: float) -> str:
    """5.0 as `5`, 0.25 as `0.25`."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
