"""The scripted upstream: a real server that does exactly what a test wrote down, byte by byte.

One rule: nothing here interprets a response. A script may break HTTP in every way that real servers do; the
helpers that build well-formed answers stand beside it, and are never forced on it.

    async with ScriptedUpstream(plain(429, {"retry-after-ms": "1"}), stream([event, DONE])) as upstream:
        ...  # the first request gets the 429, all later ones the stream
"""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter, Task
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from proxy.demo.received import HEAD_LIMIT, ReceivedRequest, read_request

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "Abort",
    "Close",
    "Hold",
    "Reached",
    "ReceivedRequest",
    "Responder",
    "Script",
    "ScriptedUpstream",
    "Send",
    "Step",
    "UntilClosed",
    "Wait",
    "head",
    "plain",
    "raw",
    "stream",
]

# With a linger time of zero the kernel sends RST where it would send FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes, and go on when the kernel has taken them."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Pause for a while; for tests of recorded timing only."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Stand still until the test sets the event."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class Reached:
    """Tell the test that the script has come this far."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class UntilClosed:
    """Stand still until the client closes its side."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection with FIN, whatever was promised."""


@dataclass(frozen=True, slots=True)
class Abort:
    """End the connection with RST."""


Step: TypeAlias = Send | Wait | Hold | Reached | UntilClosed | Close | Abort
Script: TypeAlias = Sequence[Step]
Responder: TypeAlias = Callable[[ReceivedRequest], Script]


def raw(data: bytes) -> Script:
    """Send these bytes and nothing else."""
    return (Send(data),)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Write a status line and header fields, the blank line included."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {_reason(status)}\r\n{fields}\r\n".encode("latin-1")


def plain(status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b"{}") -> Script:
    """Answer with a body of known length; it is JSON unless the headers say otherwise."""
    fields = {"content-type": "application/json", **(headers or {}), "content-length": str(len(body))}
    return raw(head(status, fields) + body)


def stream(
    chunks: Iterable[bytes | Step],
    *,
    headers: Mapping[str, str] | None = None,
    status: int = 200,
    end: Literal["clean", "abort", "close"] = "clean",
) -> Script:
    """Answer with a chunked event stream: each bytes item is one HTTP chunk, steps stand between them.

    `clean` writes the last chunk and keeps the connection; `abort` and `close` leave it out, and end with RST
    or FIN.
    """
    fields = {
        "content-type": "text/event-stream; charset=utf-8",
        **(headers or {}),
        "transfer-encoding": "chunked",
    }
    ends: dict[str, Step] = {"clean": Send(b"0\r\n\r\n"), "abort": Abort(), "close": Close()}
    return (Send(head(status, fields)), *map(_framed, chunks), ends[end])


def _framed(item: bytes | Step) -> Step:
    return Send(b"%x\r\n%b\r\n" % (len(item), item)) if isinstance(item, bytes) else item


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


class ScriptedUpstream:
    """A TCP server on loopback that plays one script a request, in order of arrival, the last one again.

    Where a script is a function, it is called with the request. Without any script every request is aborted.
    A fault in a script, or a request that is not HTTP, is raised when the context ends, so that it fails the
    test.
    """

    def __init__(self, *scripts: Script | Responder) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[ReceivedRequest] = []
        self._scripts = scripts or ((Abort(),),)
        self._tasks: list[Task[None]] = []
        self._writers: list[StreamWriter] = []
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The base URL for a client; it stays the same after the server is closed."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        faults = await self._shut_down()
        # A test that fails already says more by its own error.
        if faults and error is None:
            raise ExceptionGroup("the scripted upstream failed", faults)

    async def _shut_down(self) -> list[Exception]:
        if self._server is None:
            return []
        self._server.close()
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._free_sockets()
        await self._server.wait_closed()
        return [end for end in ends if isinstance(end, Exception)]

    async def _free_sockets(self) -> None:
        # Not left to the tasks: one that was cancelled before its first step never comes to its own end.
        for writer in self._writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self._tasks.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        # drain() then waits until the kernel has everything: an Abort must not take earlier bytes with it.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            while not writer.is_closing() and (request := await read_request(reader, writer)):
                await self._answer(request, reader, writer)
        except ConnectionError:
            pass  # the client left first, as clients do
        finally:
            writer.close()

    async def _answer(self, request: ReceivedRequest, reader: StreamReader, writer: StreamWriter) -> None:
        script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
        self.requests.append(request)
        for step in script(request) if callable(script) else script:
            await _perform(step, reader, writer)
        if not request.keeps_alive:
            writer.close()


async def _perform(step: Step, reader: StreamReader, writer: StreamWriter) -> None:
    match step:
        case Send(data):
            writer.write(data)
            await writer.drain()
        case Wait(seconds):
            await asyncio.sleep(seconds)
        case Hold(event):
            await event.wait()
        case Reached(event):
            event.set()
        case UntilClosed():
            with suppress(ConnectionError):
                await reader.read()
        case Close():
            writer.close()
        case Abort():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()
