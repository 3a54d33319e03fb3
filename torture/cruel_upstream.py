"""The upstream that does everything wrong: bytes by hand, on real sockets.

Rule: nothing here knows HTTP but what reads a request. A script says what is done on a connection, step by step, from
the moment that it is accepted; after its last step the connection answers well, request after request, until it ends.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from proxy.demo.received import HEAD_LIMIT, read_request
from proxy.demo.script import Abort, Close, Send, UntilClosed

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter, Task

    from proxy.demo.received import ReceivedRequest

_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # linger for no time: RST instead of FIN
_GOOD_BODY: Final = b'{"id":"c0","choices":[{"index":0,"message":{"content":"Good."},"finish_reason":"stop"}]}'

GOOD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_GOOD_BODY) + _GOOD_BODY
)
"""What it answers where no script says otherwise."""


@dataclass(frozen=True, slots=True)
class Read:
    """Wait for a whole request; the connection ends where none comes."""


@dataclass(frozen=True, slots=True)
class ReadHead:
    """Wait for a request's head, and leave its body unread."""


@dataclass(frozen=True, slots=True)
class ReadRest:
    """Wait for the body of a request whose head was read."""


@dataclass(frozen=True, slots=True)
class Endless:
    """Write this again and again, so many seconds apart, until whoever reads it leaves."""

    data: bytes = field(repr=False)
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Turns:
    """Let the others of this event loop have so many turns: what was written is read by then, most of the time."""

    count: int


Step: TypeAlias = Read | ReadHead | ReadRest | Send | Endless | Turns | UntilClosed | Close | Abort
Script: TypeAlias = Sequence[Step]


class CruelUpstream:
    """A server on loopback. `plays` takes the scripts of the next connections, one each; any further one is good."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[ReceivedRequest] = []
        self._scripts: list[Script] = []
        self._open: dict[Task[None], StreamWriter] = {}
        self._server: asyncio.Server

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in tuple(self._open):
            task.cancel()
        await self.close()

    async def open(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more."""
        self._server.close()
        await self.left()
        await self._server.wait_closed()

    def plays(self, *scripts: Script) -> None:
        """Do this on the next connections."""
        self._scripts = [*scripts]

    async def hang_up(self) -> None:
        """End all connections, and wait until the other side has noticed: no later request can meet one of them."""
        for writer in self._open.values():
            with suppress(OSError):
                writer.write_eof()
        await self.left()

    async def left(self) -> None:
        """Wait until no connection is open."""
        while self._open:
            await asyncio.wait(tuple(self._open))

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        script = self._scripts.pop(0) if self._scripts else ()
        task = asyncio.create_task(_Connection(reader, writer, self.requests).serve(script))
        self._open[task] = writer
        task.add_done_callback(self._ended)

    def _ended(self, task: Task[None]) -> None:
        self._open.pop(task).transport.abort()


class _Connection:
    """One connection; `requests` is where those go that came over it."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, requests: list[ReceivedRequest]) -> None:
        self._reader = reader
        self._writer = writer
        self._requests = requests
        self._unread = 0

    async def serve(self, script: Script) -> None:
        # drain() then waits until the kernel has everything: an Abort must not take earlier bytes with it.
        self._writer.transport.set_write_buffer_limits(high=0)
        with suppress(OSError, asyncio.IncompleteReadError):  # whoever called left first
            for step in script:
                await self._do(step)
            while not self._writer.is_closing():
                await self._read()
                await self._send(GOOD)

    async def _do(self, step: Step) -> None:
        match step:
            case Read():
                await self._read()
            case ReadHead():
                length = _LENGTH.search(await self._reader.readuntil(b"\r\n\r\n"))
                self._unread = int(length[1]) if length else 0
            case ReadRest():
                await self._reader.readexactly(self._unread)
            case Send(data):
                await self._send(data)
            case Endless(data, pause_s):
                while True:
                    await self._send(data)
                    await asyncio.sleep(pause_s)
            case Turns(count):
                for _ in range(count):
                    await asyncio.sleep(0)
            case _:
                await self._end(step)

    async def _end(self, step: UntilClosed | Close | Abort) -> None:
        match step:
            case UntilClosed():
                await self._reader.read()
            case Close():
                self._writer.close()
                await self._writer.wait_closed()
            case Abort():
                self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                self._writer.transport.abort()
                await self._writer.wait_closed()

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _read(self) -> None:
        request = await read_request(self._reader, self._writer)
        if request is None:
            raise ConnectionResetError("whoever called has left")
        self._requests.append(request)
