"""What of an exchange is kept: which answers, which header fields.

Rule: fields are kept by allow-lists, so that what nobody thought of is not stored; an answer is kept unless it
speaks of a moment (a quota, an outage) or of credentials, which are not in the key.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from proxy.core.model import Headers


class Errors(StrEnum):
    """Which error answers are recorded."""

    STABLE = "stable"
    ALL = "all"


_STATUSES = range(100, 1000)
"""What can stand in a status line."""

_PASSING = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_MANY_REQUESTS,
        # These follow from fields of the request that are not in the key: `Range`, `If-Match` and their like.
        HTTPStatus.PARTIAL_CONTENT,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    }
)
_REDIRECTS = range(300, 400)
"""They lead away from the proxy, with a `location` that is not stored; 304 follows from a field of the request."""

_REQUEST_FIELDS = frozenset({"accept", "content-type", "openai-beta"})

_RESPONSE_FIELDS = frozenset(
    {
        "content-encoding",  # only of codings that could not be undone: the body is stored in them
        "content-type",
        "openai-model",
        "openai-processing-ms",
        "openai-version",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
        "x-should-retry",
    }
)
_RATE_LIMITS = "x-ratelimit-"


def is_recorded(status: int, errors: Errors) -> bool:
    """Tell whether an answer with this status is recorded."""
    passing = status in _PASSING or status in _REDIRECTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return errors is Errors.ALL or not passing


def check_status(value: object) -> int:
    """Return the status that somebody says an answer had. Raises ValueError for what is none."""
    if type(value) is not int or value not in _STATUSES:
        raise ValueError("'status' should be an integer from 100 to 999")
    return value


def of_request(headers: Headers) -> Headers:
    """Return the request's header fields that are stored."""
    return tuple((name, value) for name, value in headers if name.lower() in _REQUEST_FIELDS)


def of_response(headers: Headers, more: Collection[str] = ()) -> Headers:
    """Return the response's header fields that are stored; `more` are lower-case names from the config."""
    return tuple((name, value) for name, value in headers if _is_kept(name.lower(), more))


def _is_kept(name: str, more: Collection[str]) -> bool:
    return name in _RESPONSE_FIELDS or name.startswith(_RATE_LIMITS) or name in more
