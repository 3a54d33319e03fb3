"""One root for all that llmtape raises on purpose.

Rule: an error's text says what happened, where, and what to do next; it is shown as it stands, never with a
traceback. Foreign exceptions are translated into these in the room that owns the foreign library.
"""

from __future__ import annotations

from typing import ClassVar


class LlmtapeError(Exception):
    """The root. `exit_status` is the process's where the error ends it (DESIGN, section 7)."""

    exit_status: ClassVar[int] = 1


class ConfigError(LlmtapeError):
    """A setting, flag, environment variable or argument that cannot be used."""

    exit_status = 2


class RuleError(ConfigError):
    """A choice under `[rules]` that cannot be made; `value` is the text that is at fault, as the config spells it."""

    def __init__(self, message: str, value: str) -> None:
        super().__init__(message)
        self.value = value


class NotJsonError(LlmtapeError):
    """The bytes are no JSON document, or one nested too deep; answered by taking them as bytes, never shown."""


class CassetteError(LlmtapeError):
    """A cassette that cannot be opened, read or written."""


class CassetteOutOfReachError(CassetteError):
    """A cassette that cannot be written for now: no room, no right, no folder, or another process holds it."""


class CassetteMissingError(CassetteError):
    """There is no file of that name."""

    exit_status = 2


class KeyNotFoundError(CassetteError):
    """No recording, or more than one, has a key that begins like this."""

    exit_status = 2


class InterchangeError(LlmtapeError):
    """A file of recordings to import, or a line of one, that cannot be taken."""


class GitError(LlmtapeError):
    """Git is not there, or this is no place for it."""

    exit_status = 2


class ServerError(LlmtapeError):
    """The proxy could not listen where it was told to."""


class ReceiptError(LlmtapeError):
    """A receipt that could not be written."""


class ClientGoneError(LlmtapeError):
    """The client closed its connection before the answer's end."""


class AnsweredError(LlmtapeError):
    """An error that a client is answered with, in the API's own error shape.

    `status` is the HTTP status; `kind` and `code` become the `type` and `code` of the API's error object.
    """

    status: ClassVar[int]
    kind: ClassVar[str]
    code: ClassVar[str]


class ForbiddenError(AnsweredError):
    """A request that may come from a web page, or lacks the token."""

    status = 403
    kind = "forbidden"
    code = "forbidden"


class BadAddressError(AnsweredError):
    """A path that names no cassette, or one outside of the folder."""

    status = 400
    kind = "invalid_request_error"
    code = "bad_address"


class BadLaneError(AnsweredError):
    """A lane that was not started, has ended, or cannot be as it is wanted."""

    status = 400
    kind = "invalid_request_error"
    code = "bad_lane"


class BadBodyError(AnsweredError):
    """A request body that is not in the coding that its head tells."""

    status = 400
    kind = "invalid_request_error"
    code = "bad_body"


class FaultError(AnsweredError):
    """A fault to inject that is written wrong: a kind, a parameter or a value that there is not."""

    status = 400
    kind = "invalid_request_error"
    code = "bad_fault"


class BodyTooLargeError(AnsweredError):
    """A request body over `server.body_limit`."""

    status = 413
    kind = "invalid_request_error"
    code = "body_too_large"


class UpstreamUnreachableError(AnsweredError):
    """No answer came: no connection, or one that ended before a status line."""

    status = 502
    kind = "upstream_error"
    code = "upstream_unreachable"


class UpstreamTimeoutError(AnsweredError):
    """Connecting took too long, or the upstream fell silent."""

    status = 504
    kind = "upstream_error"
    code = "upstream_timeout"


class UpstreamBrokeOffError(LlmtapeError):
    """The upstream ended the connection in the middle of a response's body."""
