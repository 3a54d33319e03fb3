"""One connection to the upstream: aiohttp's own, put right where an upstream goes wrong.

Rule: whatever comes, an answer that began is never lost, never sent for again, and always comes to an end. aiohttp
drops a head where what follows it in the same read is no HTTP, waits forever for the rest of a body that turns out to
be none, and takes a connection that broke within a head for one on which nothing came.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

if TYPE_CHECKING:
    import asyncio

LONGEST_HEAD: Final = 256 * 1024
"""In bytes: of the head of an answer, with the interim ones before it."""

MOST_BESIDE: Final = 1024 * 1024
"""How many bytes in a row may bring none of a body: chunk sizes and their extensions, trailers."""

_READ: Final = 64 * 1024

MOST_FIELDS: Final = LONGEST_HEAD // len("a:\r\n")
"""More cannot stand in it."""

_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_BEFORE_ITS_END: Final = 2  # of the bytes that end a head, so many may have come with the read before
_INTERIM: Final = re.compile(rb"HTTP/1\.\d 1(?!01)\d\d\b")
_SHOWN_BYTES: Final = re.compile(r"\n\n|: b['\"]")
_STATUS_LINE: Final = len("HTTP/1.1 100 ")


class Connection(ResponseHandler):
    """What aiohttp parses the answers of one connection with."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._awaits_head = False
        self._has_begun = False
        self._size = 0
        self._start = b""
        self._end = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read little at a time: what is read is held until the client takes it, several times while it is recorded."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # asyncio's own; it reads 256 KB
            transport.max_size = _READ

    def set_response_params(self, **params: Any) -> None:
        """Get ready for the next answer."""
        self._awaits_head = True
        self._has_begun = False
        self._size = 0
        self._start = self._end = b""
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take a head by itself, so that it has arrived whatever comes behind it; then the rest."""
        while data and self._awaits_head:
            self._has_begun = True
            end = self._end_of_head(data)
            if self._size > LONGEST_HEAD:
                self._refuse(f"its head is over {LONGEST_HEAD // 1024} KB")
                return
            self._parse(data[:end])
            data = data[end:]
        if data or not self._awaits_head:
            self._parse(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell a connection that broke from one that ended, and one that broke within a head from one without any.

        Only on the last of them may what was asked be asked again.
        """
        if self._awaits_head and self._has_begun:
            self.set_exception(aiohttp.ClientPayloadError("it broke off within its head"))
        body = self._payload
        if exc is not None and body is not None:
            _break_off(body, exc)  # be its end told by nothing but the connection's
        super().connection_lost(exc)
        if body is not None:
            _break_off(body, exc or aiohttp.ServerDisconnectedError())

    def _parse(self, data: bytes) -> None:
        before = self.exception()
        had = self._payload.total_bytes if self._payload else 0
        super().data_received(data)
        body = self._payload
        if body is None or body.is_eof():
            return
        self._size = self._size + len(data) if body.total_bytes == had else 0
        if self._size > MOST_BESIDE:
            self._refuse(f"it sent {MOST_BESIDE // 1024} KB without a byte of its body")
        error = self.exception()
        if error is not None and error is not before:
            _break_off(body, error)

    def _end_of_head(self, data: bytes) -> int:
        """Return how many of the bytes belong to the awaited head, and await no other, but after an interim one."""
        self._start = (self._start + data[:_STATUS_LINE])[:_STATUS_LINE]
        seen = self._end + data
        found = _END_OF_HEAD.search(seen)
        end = found.end() - len(self._end) if found else len(data)
        self._size += end
        self._end = seen[-_BEFORE_ITS_END:]
        if found and self._size <= LONGEST_HEAD:
            self._awaits_head = _INTERIM.match(self._start) is not None
            self._start = self._end = b""
        return end

    def _refuse(self, why: str) -> None:
        if self.transport is not None:
            self.transport.close()
        self.set_exception(HttpProcessingError(message=why))


def connector(*, force_close: bool) -> aiohttp.TCPConnector:
    """Return a connector for any number of such connections."""
    made = aiohttp.TCPConnector(limit=0, force_close=force_close)
    # aiohttp has no other way to name one's own
    made._factory = cast("Any", partial(Connection, made._loop))  # noqa: SLF001
    return made


def _break_off(body: aiohttp.StreamReader, error: BaseException) -> None:
    """End a body that has not ended, with an error; its end wakes a reader that aiohttp would let sleep."""
    if body.is_eof():
        return
    if body.exception() is None:
        body.set_exception(aiohttp.ClientPayloadError(told(error)))
    body.feed_eof()


def unread(content: aiohttp.StreamReader) -> bytes:
    """Return what came before an answer broke off and was not read yet: aiohttp would drop it."""
    return content._read_nowait(-1)  # noqa: SLF001  what reads in public raises the error first


def told(error: BaseException | None) -> str:
    """Return what an error says in one line, without the bytes that it shows: they may be anything, a secret too."""
    text = getattr(error, "message", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    return " ".join(_SHOWN_BYTES.split(text, maxsplit=1)[0].split()).rstrip(" :.")
