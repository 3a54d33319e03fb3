"""Errors in the API's own shape.

One rule: whatever goes wrong, a caller gets `{"error": {"message", "type", "param", "code"}}`, in the words of the
real API where they are known, because clients are written against those words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from "
    "https://platform.openai.com/account/api-keys."
)
_NO_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
)
_SERVER = "The server had an error while processing your request. Sorry about that!"
# Long enough to be seen in a recording, short enough not to be felt in a test.
_RETRY_AFTER_MS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """What an error response says."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Render the one shape that every error has."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


class ApiError(Exception):
    """Ends the handling of a request with a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """400: the request breaks a rule of the API."""
    return ApiError(Fault(400, message, param=param, code=code))


def not_json() -> ApiError:
    """400: the body is not a JSON object."""
    return ApiError(Fault(400, _NO_JSON))


def no_key() -> ApiError:
    """401: there is no credential at all."""
    return ApiError(Fault(401, _NO_KEY))


def wrong_key(key: str) -> ApiError:
    """401: the credential is not accepted; shown masked, as the real API does."""
    masked = f"{key[:8]}{'*' * max(len(key) - 12, 4)}{key[-4:]}"
    message = (
        f"Incorrect API key provided: {masked}. You can find your API key at "
        "https://platform.openai.com/account/api-keys."
    )
    return ApiError(Fault(401, message, code="invalid_api_key"))


def unknown_model(model: str) -> ApiError:
    """404: no such model."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return ApiError(Fault(404, message, code="model_not_found"))


def unknown_url(method: str, path: str) -> ApiError:
    """404: no such endpoint."""
    return ApiError(Fault(404, f"Invalid URL ({method} {path})"))


def wrong_method(method: str, path: str) -> ApiError:
    """405: the endpoint is there, but not for this method."""
    message = f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
    return ApiError(Fault(405, message, code="method_not_supported"))


def rate_limited(model: str) -> ApiError:
    """429: come back a little later."""
    message = (
        f"Rate limit reached for {model} in organization org-demo on requests per min (RPM): Limit 3, Used 3, "
        f"Requested 1. Please try again in {_RETRY_AFTER_MS}ms."
    )
    headers = {"retry-after-ms": str(_RETRY_AFTER_MS), "retry-after": "1"}
    return ApiError(Fault(429, message, kind="requests", code="rate_limit_exceeded", headers=headers))


def server_error() -> ApiError:
    """500: the fault is not the caller's."""
    return ApiError(Fault(500, _SERVER, kind="server_error"))
