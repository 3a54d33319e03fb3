"""What a client sends: the header fields, and the body.

Rule: a body is read when it is wanted, and never further than its limit, packed or not. One that does not come whole
is never taken for a request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from proxy.core.coding import Decoder, undone
from proxy.core.errors import BadBodyError, BodyTooLargeError, ClientGoneError
from proxy.downstream.connection import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.core.model import Headers

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_CODING: Final = "content-encoding"


def headers_of(raw: web.BaseRequest) -> Headers:
    """Return the header fields as they came; bytes that are no UTF-8 are kept as surrogates."""
    return tuple(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in raw.raw_headers
    )


async def read_body(
    raw: web.BaseRequest, headers: Headers, limit: int, patience_s: float = PATIENCE_S
) -> tuple[Headers, bytes]:
    """Read a request's body, of at most `limit` bytes, and undo its codings; return the fields that are left, and it.

    Raises BodyTooLargeError, before anything of the body is asked for where its length is told; BadBodyError where it
    is not what its head tells; ClientGoneError where the client leaves, or is silent for `patience_s` seconds.
    """
    if (raw.content_length or 0) > limit:
        raise _too_large(limit)
    if raw.headers.get("Expect", "").lower() == "100-continue" and not raw.content.is_eof():
        await raw.writer.write(_CONTINUE)
        raw.writer.output_size = 0  # an error may still be answered
    if not raw.body_exists:
        return headers, b""
    body = await _whole(raw, limit, patience_s)
    codings = undone(value for name, value in headers if name.lower() == _CODING)
    if not codings:
        return headers, body
    return tuple(field for field in headers if field[0].lower() != _CODING), await _decoded(body, codings, limit)


async def _whole(raw: web.BaseRequest, limit: int, patience_s: float) -> bytes:
    content = raw.content
    if not content.is_eof() or content.exception() is not None:
        return await _received(raw, limit, patience_s)
    body = content.read_nowait()  # it is here by now, as most are: nothing is waited for
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def _received(raw: web.BaseRequest, limit: int, patience_s: float) -> bytes:
    loop = asyncio.get_running_loop()
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(patience_s) as patience:
            async for part in raw.content.iter_any():
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                parts.append(part)
                patience.reschedule(loop.time() + patience_s)
    except TimeoutError as error:
        raise ClientGoneError(f"the client was silent for {patience_s:g} s in the middle of its request") from error
    except web.RequestPayloadError as error:
        raw.content.feed_eof()  # nothing more of it will come
        raise BadBodyError(f"the request's body cannot be read: {error}") from error
    except ConnectionError as error:
        raise ClientGoneError("the client left before it had sent its request") from error
    return b"".join(parts)


async def _decoded(body: bytes, codings: Sequence[str], limit: int) -> bytes:
    decoder = Decoder(codings)
    parts: list[bytes] = []
    size = 0
    try:
        for piece in decoder.feed(body):
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            parts.append(piece)
            await asyncio.sleep(0)  # a body that swells a thousandfold does not keep the others waiting
        decoder.end()
    except ValueError as error:
        raise BadBodyError(f"the request's body cannot be decoded: it is {error}") from error
    return b"".join(parts)


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the request's body is over {limit} bytes: raise server.body_limit to allow it")
