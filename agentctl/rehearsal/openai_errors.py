"""How both OpenAI APIs word an error."""

from agentctl.rehearsal.exchange import Json, RefusedError

SERVER_ERRORS = 500

KINDS: dict[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "not_found"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("requests", "rate_limit_exceeded"),
}


def error_body(refused: RefusedError) -> Json:
    """Return the inner object of an error."""
    usual = "server_error" if refused.status >= SERVER_ERRORS else "invalid_request_error"
    kind, code = KINDS.get(refused.status, (usual, None))
    if refused.code == "insufficient_quota":
        kind = "insufficient_quota"
    return {
        "message": refused.message,
        "type": kind,
        "param": refused.param,
        "code": refused.code or code,
    }
