"""Errors of ours, in the API's shape.

Rule: what is refused for good never bears a status that clients retry, and says so to those that ask. Only an
upstream that is out of reach may be tried again.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson

from proxy.core.errors import AnsweredError, LlmtapeError

if TYPE_CHECKING:
    from proxy.core.model import Headers

STATUS: Final = 424
"""Of a miss. No client retries 424, and none has a meaning of its own for it (FINDINGS)."""

JSON_TYPE: Final[Headers] = (("content-type", "application/json"),)
FINAL: Final[Headers] = (*JSON_TYPE, ("x-should-retry", "false"))


def body(message: str, kind: str, code: str, param: str | None = None) -> bytes:
    """Write an error as the API does; what UTF-8 cannot say is replaced."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return orjson.dumps({"error": {name: text and _sendable(text) for name, text in error.items()}})


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def answer(error: LlmtapeError, told: str = "") -> tuple[int, Headers, bytes]:
    """Return the status, header fields and body that an error of ours is answered with.

    `told` is its text where that is redacted: it may quote what a client or an upstream sent.
    """
    text = told or str(error)
    if not isinstance(error, AnsweredError):
        return STATUS, FINAL, body(text, "cassette_error", "cassette_error")
    fields = FINAL if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else JSON_TYPE
    return error.status, fields, body(text, error.kind, error.code)
