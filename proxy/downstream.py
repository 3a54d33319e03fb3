"""The client's side of the socket, on aiohttp's server.

Rule: bytes are framed by `core.http1` and written as they stand, so that an answer leaves in the very chunks, and
the number of writes, that was asked for; aiohttp would frame and write each piece by itself.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http import HttpVersion11

from proxy.core import http1
from proxy.core.errors import BadBodyError, BodyTooLargeError, ClientGoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.abc import AbstractStreamWriter

    from proxy.core.model import Headers

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_PART_OF_A_CHUNK = b"1\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger for no time: RST instead of FIN


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
        self.started = False
        self.outlived = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may serve another request."""
        return not self._aborted and bool(self._raw.keep_alive) and (self._chunked or self._counted or self._bodyless)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Do nothing: all was written by the time aiohttp asks for it."""
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing, as above."""

    def start(self, status: int, headers: Headers, *, reason: str | None = None, length: int | None = None) -> None:
        """Set the head."""
        self._bodyless = not http1.allows_body(self._raw.method, status)
        self._counted = length is not None
        modern = self._raw.version >= HttpVersion11
        self._chunked = not self._bodyless and not self._counted and modern
        self._head = http1.head(status, headers + self._framing(length, modern=modern), reason)

    async def write(self, pieces: Sequence[bytes], *, last: bool = False) -> None:  # type: ignore[override]
        """Send the head if it still waits, the pieces, and with `last` the body's end, in one write."""
        out = [self._head]
        self._head = b""
        if self._chunked:
            out += map(http1.chunk, pieces)
            if last:
                out.append(http1.LAST_CHUNK)
        elif not self._bodyless:
            out += pieces
        await self._send(b"".join(out))

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

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        self.started = True
        try:
            await self._raw.writer.write(data)
        except ConnectionError as error:
            raise ClientGoneError("the client closed its connection") from error

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


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Read a request's whole body, of at most `limit` bytes. Raises BodyTooLargeError, ClientGoneError."""
    if request.headers.get("Expect", "").lower() == "100-continue" and not request.content.is_eof():
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # an error may still be answered
    if not request.body_exists:
        return b""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.content.iter_any():
            size += len(part)
            if size > limit:
                raise BodyTooLargeError(
                    f"the request's body is over {limit} bytes: raise server.body_limit to allow it"
                )
            parts.append(part)
    except web.RequestPayloadError as error:
        if request.transport is not None and "Content-Encoding" in request.headers:
            raise BadBodyError(f"the request's body cannot be decoded: {error}") from error
        raise ClientGoneError("the client left before it had sent its request") from error
    except ConnectionError as error:
        raise ClientGoneError("the client left before it had sent its request") from error
    return b"".join(parts)
