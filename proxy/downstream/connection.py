"""One connection of a client: aiohttp's own, put right where a client goes wrong.

Rule: whatever comes, a request that came whole is answered, what is none is refused in the API's shape, and nothing
waits for ever. aiohttp drops a request where what follows it in the same read is no HTTP, waits for the rest of a body
that turns out to be none, keeps a connection open at the end to whoever does not read, and tells in tracebacks.
"""

from __future__ import annotations

import logging
import re
import socket
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.http_exceptions import InvalidURLError

from proxy.core import refusal
from proxy.core.ledger import Fate

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from aiohttp import StreamReader

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

PATIENCE_S: Final = 3600.0
"""After so long a client is given up that is silent within a request, or between two; long, since what a user stopped
in a debugger is silent, too, and a connection costs next to nothing."""

_SEND_BUFFER: Final = 128 * 1024
_LONGEST_FIELD: Final = 256 * 1024
_END_OF_HEAD: Final = b"\r\n\r\n"
_BEFORE_ITS_END: Final = 3  # of the bytes that end a head, so many may have come with the read before
_SHOWN_BYTES: Final = re.compile(r"\n\n|: (?:b|bytearray\(b)?['\"]| line ['\"]")

log = logging.getLogger("llmtape")


class Server(web.Server):
    """Makes a `Connection` of each; `handler` answers a request."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(
            handler,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,  # it takes a compressed body that is cut off for whole, and swells it unasked
            keepalive_timeout=PATIENCE_S,
            logger=log,
            max_line_size=_LONGEST_FIELD,
            max_field_size=_LONGEST_FIELD,
        )

    def __call__(self) -> Connection:
        """Return what speaks HTTP on a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)


class Connection(web.RequestHandler):
    """What aiohttp parses the requests of one connection with."""

    __slots__ = ("_body", "_end", "_is_deaf")

    def __init__(self, manager: Server, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._end = b""
        self._body: StreamReader | None = None
        self._is_deaf = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let what a client does not read wait where it came from, and not in buffers: the event loop's, the system's.

        A recording runs ahead of its client by as much as they hold, and the system would take megabytes.
        """
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Take a head by itself, so that it has arrived whatever comes behind it; then the rest."""
        seen = self._end + data
        end = seen.find(_END_OF_HEAD) + len(_END_OF_HEAD) - len(self._end)
        self._end = seen[-_BEFORE_ITS_END:]
        if 0 < end < len(data) and _END_OF_HEAD in seen:
            self._parse(data[:end])
            data = data[end:]
        self._parse(data)

    def hear_no_more(self) -> None:
        """Take what still comes for a while, so that its sender comes to read the answer; it is thrown away unseen."""
        self._is_deaf = True
        self.close()

    def _parse(self, data: bytes) -> None:
        is_closing, self._close = self._close, self._close and not self._is_owed_a_body
        count = len(self._messages)
        super().data_received(data)
        self._close = self._close or is_closing
        for _, body in islice(self._messages, count, None):
            # Behind a body that has not ended there is no request: it is the refusal of what came instead.
            if self._body is not None and not self._body.is_eof():
                self._body.set_exception(web.RequestPayloadError("it does not go on as its head tells"))
            self._body = body

    @property
    def _is_owed_a_body(self) -> bool:
        """Whether the rest of a request is to come that shall be answered, though no other one will be."""
        return not self._is_deaf and self._body is not None and not self._body.is_eof()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  aiohttp's own signature
        """End the connection; who has not read its answer by now is not waited for."""
        transport = self.transport
        await super().shutdown(timeout)
        if transport is not None:
            transport.abort()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Refuse what is no HTTP; anything else is a fault of ours, and told with its traceback."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        text = f"this is no HTTP request: {told(exc)}. Is the client's base URL this proxy's, with http:// and no https://?"
        log.warning("%s", text)
        answer = web.Response(
            status=400,
            body=refusal.body(text, "invalid_request_error", "bad_http"),
            headers=[*refusal.FINAL, ("x-llmtape", Fate.NOT_RECORDED.value)],
        )
        answer.force_close()
        return answer


def told(error: HttpProcessingError) -> str:
    """Return what an error says in one line, without the bytes that it shows: they may be anything, a secret too."""
    if isinstance(error, InvalidURLError):
        return "its target is no URL"
    return " ".join(_SHOWN_BYTES.split(error.message, maxsplit=1)[0].split()).rstrip(" :.")
