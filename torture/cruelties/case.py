"""What a case is, and how an upstream's bytes are written.

Rule: nothing here is wrong by itself; what goes wrong is put together from it.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from proxy.demo.script import Send
from tests.running import DONE, STOP, delta
from torture.cruel_upstream import Read, Script, Step

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that an upstream does wrong, or oddly.

    `group` is the table of the page that it stands in. `scripts` are played on the connections that are made to it, one
    each. `body` is what the answer means: what a client has of it is counted against it.
    """

    group: str
    name: str
    does: str
    scripts: tuple[Script, ...]
    body: bytes | None = field(default=None, repr=False)
    streams: bool = False
    method: str = "POST"
    is_kept: bool = False
    """Whether it happens on a connection on which a request was answered well before."""
    limit: str = ""
    """The one limit of the proxy that it runs into, and that is set low for it."""
    padding: int = 0
    """How many bytes the request has beyond what it asks."""
    listens: int | None = None
    """How many bytes of the answer the client takes before it leaves, where it leaves."""


ANSWER: Final = json.dumps(
    {"id": "c1", "model": "m", "choices": [{"index": 0, "message": {"content": "Hello."}, "finish_reason": "stop"}]}
).encode()
EVENTS: Final = (delta("Hel"), delta("lo."), STOP, DONE)
STREAM: Final = b"".join(EVENTS)
JSON_TYPE: Final = b"Content-Type: application/json\r\n"
SSE_TYPE: Final = b"Content-Type: text/event-stream\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"


def top(fields: bytes = b"", status: int = 200, *, line: bytes = b"") -> bytes:
    """Write a status line and header fields, the blank line included."""
    known = status in HTTPStatus.__members__.values()
    reason = HTTPStatus(status).phrase.encode() if known else b""
    return (line or b"HTTP/1.1 %d %b" % (status, reason)) + b"\r\n" + fields + b"\r\n"


def counted(body: bytes = ANSWER, fields: bytes = JSON_TYPE, status: int = 200, *, length: int | None = None) -> bytes:
    """Write an answer whose length is told, the right one or another."""
    told = len(body) if length is None else length
    return top(fields + b"Content-Length: %d\r\n" % told, status) + body


def chunk(data: bytes) -> bytes:
    """Write an HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunked(
    events: Iterable[bytes] = EVENTS, fields: bytes = SSE_TYPE, status: int = 200, *, end: bytes = LAST_CHUNK
) -> bytes:
    """Write an answer in HTTP chunks, one an event."""
    return top(fields + CHUNKED, status) + b"".join(map(chunk, events)) + end


def plays(data: bytes, *more: Step) -> tuple[Script]:
    """Answer one request with these bytes."""
    return ((Read(), Send(data), *more),)


def gzipped(data: bytes) -> bytes:
    """Pack bytes; the same ones each time."""
    return gzip.compress(data, mtime=0)
