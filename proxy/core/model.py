"""The values that all rooms share.

Rule: frozen, slotted, without behaviour beyond what follows from their fields. Times are microseconds from the
moment the request was sent upstream; bodies are bytes and are never re-encoded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

Headers = tuple[tuple[str, str], ...]
"""Header fields in the order received, names as spelt; a name may occur more than once."""


class Variant(StrEnum):
    """How the answer travels; beside the key, not in it."""

    JSON = "json"
    SSE = "sse"
    SSE_USAGE = "sse+usage"


class Outcome(StrEnum):
    """How a recorded response ended, judged by the protocol and not by the socket."""

    COMPLETE = "complete"
    UNFINISHED = "unfinished"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked. `path` is without mount, folded, still percent-encoded; `query` is raw."""

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """Parse the body; None where it is no JSON."""
        return _parsed(self.body)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a response body, and when the last of them arrived."""

    at_us: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """A whole recorded response. `first_byte_us` is when its head arrived, `duration_us` when it ended."""

    status: int
    headers: Headers
    chunks: tuple[Chunk, ...]
    outcome: Outcome
    first_byte_us: int
    duration_us: int
    was_asked_as_stream: bool = field(default=False, compare=False)
    """Follows from the variant; here because some servers do not label their streams."""

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of events, labelled as such or not."""
        return is_stream(self.status, self.headers, was_asked=self.was_asked_as_stream)

    @property
    def body(self) -> bytes:
        """All bytes of the body."""
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters, empty where none was sent."""
        return content_type(self.headers)

    def json(self) -> Any:
        """Parse the body; None where it is no JSON, as a stream is none."""
        return _parsed(self.body)


@dataclass(frozen=True, slots=True)
class Track:
    """What takes are numbered under: the same question, travelling the same way, for the same lane."""

    key: str
    variant: Variant
    lane: str = ""


Place = tuple[Track, int]
"""A take's track and number, which no other take of a cassette has."""


@dataclass(frozen=True, slots=True)
class Take:
    """Where a recording stands and how it ended: as much of it as choosing needs."""

    id: int
    track: Track
    number: int
    status: int
    outcome: Outcome

    @property
    def place(self) -> Place:
        """What it is in any file; its `id` is that of a row of one file."""
        return self.track, self.number

    @property
    def name(self) -> str:
        """How the command line and the `x-llmtape` header name it, such as `3f2a9c01b2d4:1`."""
        return take_name(self.track.key, self.number)


@dataclass(frozen=True, slots=True)
class Interaction:
    """One request with its whole response. `recorded_at` is UTC, ISO 8601, to the millisecond."""

    track: Track
    number: int
    recorded_at: str
    request: Request
    response: Response
    content: dict[str, Any] | None = field(default=None, compare=False, repr=False)
    """What its key is made of, where that is known already: bringing a request to its one form twice takes time."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The process that recorded an interaction, as a cassette remembers it. `id` is the cassette's number for it."""

    id: int
    started_at: str
    mode: str
    upstream: str
    llmtape_version: str


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def header(headers: Headers, name: str) -> str | None:
    """Return the first field of that name (compared without case), or None."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def content_type(headers: Headers) -> str:
    """Return the media type in lower case without parameters, empty where there is none."""
    return (header(headers, "content-type") or "").partition(";")[0].strip().lower()


SSE_TYPE = "text/event-stream"


def is_stream(status: int, headers: Headers, *, was_asked: bool) -> bool:
    """Tell whether an answer is a stream of events: by its type, or where one was asked for and it is no JSON."""
    kind = content_type(headers)
    return kind == SSE_TYPE or (was_asked and status == HTTPStatus.OK and kind != "application/json")


KEY_DIGITS = 12
"""How many of a key's 64 hexadecimal digits are shown; enough to be unique in any real cassette."""


def take_name(key: str, number: int) -> str:
    """Name a take in the form that commands accept."""
    return f"{key[:KEY_DIGITS]}:{number}"
