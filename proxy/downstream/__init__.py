"""The client's side of the socket, on aiohttp's server.

Rule: bytes are framed by `core.http1` and written as they stand, so that an answer leaves in the very chunks that were
asked for; aiohttp would frame and write each piece by itself. What a client does not read waits where it came from:
no more than a slice of an answer is ever laid before the socket.
"""

from __future__ import annotations

import socket
import struct
from itertools import chain
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.http import HttpVersion11

from proxy.core import http1
from proxy.core.errors import ClientGoneError
from proxy.downstream.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiohttp.abc import AbstractStreamWriter

    from proxy.core.model import Headers

SLICE: Final = 64 * 1024
"""How many bytes are written at once, at most."""

_FRAME: Final = 16  # bytes; more than a short chunk's frame has
_PART_OF_A_CHUNK: Final = b"1\r\n"
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # linger for no time: RST instead of FIN


class Downstream(web.StreamResponse):
    """A `Client` on one request of aiohttp's server; also what the server's handler returns for it."""

    def __init__(self, request: web.BaseRequest) -> None:
        super().__init__()
        self._raw = request
        self._head = b""
        self._chunked = False
        self._bodyless = False
        self._aborted = False
        self._counted = False
        self._is_read = False
        self.started = False
        self.outlived = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may serve another request."""
        has_end = self._chunked or self._counted or self._bodyless
        return not self._aborted and bool(self._raw.keep_alive) and self._is_read and has_end

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Do nothing: all was written by the time aiohttp asks for it."""
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing, as above."""

    def start(self, status: int, headers: Headers, *, reason: str | None = None, length: int | None = None) -> None:
        """Set the head. Where the request is not here as a whole by now, the rest of it is not wanted any more."""
        content = self._raw.content
        self._is_read = content.is_eof() and content.exception() is None
        if not self._is_read and isinstance(self._raw.protocol, Connection):
            self._raw.protocol.hear_no_more()
        self._bodyless = not http1.allows_body(self._raw.method, status)
        self._counted = length is not None
        modern = self._raw.version >= HttpVersion11
        self._chunked = not self._bodyless and not self._counted and modern
        self._head = http1.head(status, headers + self._framing(length, modern=modern), reason)

    async def write(  # type: ignore[override]
        self, pieces: Sequence[bytes], *, last: bool = False, trailers: Headers = ()
    ) -> None:
        """Send the head if it still waits, the pieces, and with `last` the body's end.

        What fits into a slice leaves in one write. Returns once the system has taken all of it; raises ClientGoneError.
        """
        writer = self._raw.writer
        parts = self._framed(pieces, last=last, trailers=trailers)
        is_short = sum(map(len, pieces)) + _FRAME * (len(pieces) + 1) + len(self._head) <= SLICE
        try:
            for data in (b"".join(parts),) if is_short else http1.slices(parts, SLICE):
                if not data:
                    return
                self.started = True
                writer.buffer_size = 0  # or aiohttp would wait with the slice in its hand, beside the socket's copy
                await writer.write(data)
                del data
                await writer.drain()
        except ConnectionError as error:
            raise ClientGoneError("the client closed its connection") from error

    async def abort(self) -> None:
        """End the connection in the middle of a chunk: what was sent before still arrives."""
        self._aborted = True
        transport = self._raw.transport
        if transport is None:
            return
        if self._chunked and not self._head:
            transport.write(_PART_OF_A_CHUNK)
        if self._chunked or self._counted:
            transport.close()
        else:  # an HTTP/1.0 client takes a plain end for the body's: only a reset tells it
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()

    def _framed(self, pieces: Sequence[bytes], *, last: bool, trailers: Headers) -> Iterator[bytes]:
        if self._head:
            head, self._head = self._head, b""
            yield head
        if self._chunked:
            yield from chain.from_iterable(map(http1.chunk_parts, pieces))
            if last:
                yield http1.last_chunk(trailers)
        elif not self._bodyless:
            yield from pieces

    def _framing(self, length: int | None, *, modern: bool) -> Headers:
        fields: list[tuple[str, str]] = []
        if self._chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        elif length is not None and not self._bodyless:
            fields.append(("Content-Length", str(length)))
        # Not beside chunks, though RFC 9112 would like it: Node takes what says so for whole, however it ends.
        if modern and not self.keep_alive and not self._chunked:
            fields.append(("Connection", "close"))
        elif not modern and self.keep_alive:
            fields.append(("Connection", "keep-alive"))
        return tuple(fields)
