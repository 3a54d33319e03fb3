"""Readers that stall: each asks for a long stream, takes its beginning, and then nothing more.

Rule: memory is that of the proxy's own process, as the system counts it. What is held back must wait where it came
from: in the one copy of a recording, or with the upstream, which is told to stop.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import struct
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from proxy.cassette.writer import Run, Writer
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Track
from proxy.core.normalize import normalize
from proxy.demo.received import read_request
from tests.running import CHAT, DONE, STOP, ask, chat, delta, request
from torture.footprint import Footprint
from torture.item import check
from torture.served import served

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from torture.item import Advance
    from torture.served import Served

MODES: Final = ("replay", "record", "passthrough")
STREAM: Final = 10_000_000
"""Bytes of an answer."""

A_READER_KIB: Final = {"replay": 256, "record": 1024, "passthrough": 512}
"""What a stalled reader may cost the proxy: a slice of its answer, beside a few reads of the upstream's, and what is
recorded of them. A stream is forty times as much, and ten times."""

_BASE_MIB: Final = 64  # what the process may grow by at all: the recording itself, the allocator's arenas
_EVENT: Final = delta("x" * 800)
_EVENTS: Final = (*(_EVENT,) * (STREAM // len(_EVENT)), STOP, DONE)
_LONG: Final = chat("Tell all.", stream=True)
_SHORT: Final = chat("Hello.")
_ANSWER: Final = b'{"choices": []}'
_JSON: Final = (("content-type", "application/json"),)
_SSE: Final = (("content-type", "text/event-stream"),)
_DRAIN_S: Final = 1.0
_TO_END_S: Final = 5.0  # beyond drain_s: to close what is open, on a busy machine
_MOST_LEAVING: Final = 20  # recordings go on without their clients, and each is held until its end
_WINDOW: Final = 4096  # of the clients' sockets: the system, too, shall hold little of what is not read
_BEGINNING: Final = 1024
_PATIENCE_S: Final = 60.0
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Stalled:
    """A proxy, the readers that stalled on it, and its memory in MiB: at first, and with all of them stalled."""

    mode: str
    proxy: Served
    url: str
    before_mib: float
    readers: list[socket.socket] = field(default_factory=list)
    after_mib: float = 0.0

    def told(self) -> str:
        """Write its figures."""
        each_kib = max(0, self.after_mib - self.before_mib) * 1024 / len(self.readers)
        return f"{self.mode} {self.before_mib:.0f} to {self.after_mib:.0f} MiB ({each_kib:.0f} KiB a reader)"


class Flood:
    """An upstream that answers each with the long stream as fast as it is read; `sent` counts its bytes."""

    def __init__(self) -> None:
        self.sent = 0
        self.url = ""
        self._connections: dict[StreamWriter, asyncio.Task[None]] = {}
        self._server: asyncio.Server

    async def __aenter__(self) -> Flood:  # noqa: PYI034  nobody derives from it
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = tuple(self._connections.values())
        for writer in self._connections:
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._connections[writer] = asyncio.ensure_future(self._serve(reader, writer))

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)
        try:
            while asked := await read_request(reader, writer):
                await self._answer(asked.body, writer)
        except ConnectionError:
            pass
        finally:
            self._connections.pop(writer)
            writer.close()

    async def _answer(self, asked: bytes, writer: StreamWriter) -> None:
        if asked != _LONG:
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_ANSWER)
            )
            writer.write(_ANSWER)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for event in _EVENTS:
            data = b"%x\r\n%b\r\n" % (len(event), event)
            writer.write(data)
            await writer.drain()
            self.sent += len(data)
        writer.write(b"0\r\n\r\n")


async def stall(count: int, folder: Path, advance: Advance) -> str:
    """Let `count` readers stall on a proxy of each mode at once; return the figures. Raises BrokenPromiseError."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    record(folder / "replay.sqlite", (_LONG, _EVENTS), (_SHORT, (_ANSWER,)))
    async with Flood() as upstream, AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(_proxy(mode, folder, upstream.url)) for mode in MODES]
        for proxy in proxies:
            stack.callback(_close, proxy.readers)
        for _ in range(count):
            await asyncio.gather(*map(_add_reader, proxies))
            advance()
        held = await _hold(proxies, upstream)
        figures = [proxy.told() for proxy in proxies]
        await asyncio.gather(*map(_let_some_go, proxies))
        ends = await asyncio.gather(*map(_stop, proxies))
        return "; ".join((*figures, held, f"SIGTERM to exit {max(ends):.1f} s"))


async def _hold(proxies: list[Stalled], upstream: Flood) -> str:
    """Wait until nothing moves any more, and look at what each holds."""
    sent = -1
    while sent != upstream.sent:
        sent = upstream.sent
        for proxy in proxies:
            await _ask_short(proxy)
        await asyncio.sleep(0.2)
    for proxy in proxies:
        proxy.after_mib = Footprint.of(proxy.proxy.pid).memory_mib
        allowed = proxy.before_mib + _BASE_MIB + A_READER_KIB[proxy.mode] * len(proxy.readers) / 1024
        check(
            proxy.after_mib <= allowed,
            f"{proxy.told()} with {len(proxy.readers)} readers stalled, and may take {allowed:.0f} MiB",
        )
    streams = sum(len(proxy.readers) for proxy in proxies if proxy.mode != "replay")
    return f"the upstream was held back at {sent / 1e6:,.0f} of {streams * STREAM / 1e6:,.0f} MB"


async def _let_some_go(proxy: Stalled) -> None:
    """Let some readers leave, by FIN or RST; the answers of those that forward must end, and their sockets."""
    leaving = proxy.readers[:_MOST_LEAVING:2]
    open_before = Footprint.of(proxy.proxy.pid).descriptors
    for place, reader in enumerate(leaving):
        if place % 2:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        reader.close()
    del proxy.readers[:_MOST_LEAVING:2]
    async with asyncio.timeout(_PATIENCE_S):
        while Footprint.of(proxy.proxy.pid).descriptors > open_before - len(leaving):  # noqa: ASYNC110  another process tells nobody
            await asyncio.sleep(0.01)
    await _ask_short(proxy)


async def _stop(proxy: Stalled) -> float:
    """Stop it while the other readers are stalled; return how long that took, in seconds."""
    proxy.proxy.signal(signal.SIGTERM)
    end = await proxy.proxy.end()
    check("Traceback" not in end.err, f"{proxy.mode} told in a traceback: {end.err[-2000:]}")
    check(
        end.seconds <= _DRAIN_S + _TO_END_S,
        f"{proxy.mode} took {end.seconds:.1f} s to end with stalled readers, drain_s being {_DRAIN_S:g}",
    )
    return end.seconds


async def _add_reader(proxy: Stalled) -> None:
    loop = asyncio.get_running_loop()
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW)
    reader.setblocking(False)  # noqa: FBT003  its one argument
    proxy.readers.append(reader)
    address = proxy.url.removeprefix("http://").removesuffix("/v1").split(":")
    async with asyncio.timeout(_PATIENCE_S):
        await loop.sock_connect(reader, (address[0], int(address[1])))
        await loop.sock_sendall(reader, request(proxy.url + CHAT, _LONG))
        begun = await loop.sock_recv(reader, _BEGINNING)
    check(begun.startswith(b"HTTP/1.1 200 "), f"{proxy.mode} answered {begun!r}")


async def _ask_short(proxy: Stalled) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        answer = await ask(proxy.url + CHAT, _SHORT)
    check(answer.body == _ANSWER, f"beside stalled readers {proxy.mode} answered {answer}")


@asynccontextmanager
async def _proxy(mode: str, folder: Path, upstream: str) -> AsyncIterator[Stalled]:
    cassette = folder / f"{mode}.sqlite"
    target = () if mode == "replay" else ("--upstream", upstream)
    environment = {"LLMTAPE_SERVER_DRAIN_S": str(_DRAIN_S)}
    async with served(folder, mode, "-c", cassette, "--port", "0", *target, env=environment) as proxy:
        found = Stalled(mode, proxy, await proxy.url(), 0)
        check(found.url, f"{mode} did not start: {proxy.said}")
        await _ask_short(found)
        found.before_mib = Footprint.of(proxy.pid).memory_mib
        yield found


def record(path: Path, *answers: tuple[bytes, Sequence[bytes]]) -> None:
    """Write a cassette with an answer, in these pieces, to each body of a chat request; of several, a stream."""
    writer = Writer(path, Run("2026-11-25T00:00:00Z", "record", "http://127.0.0.1/v1", "0", replaces=True))
    try:
        for body, pieces in answers:
            asked = Request("POST", "/v1/chat/completions", body=body)
            canonical = normalize(asked)
            chunks = tuple(Chunk(1, piece) for piece in pieces)
            kept = Response(200, _SSE if len(pieces) > 1 else _JSON, chunks, Outcome.COMPLETE, 1, 1)
            track = Track(canonical.key, canonical.variant)
            writer.save(Interaction(track, 1, "2026-11-25T00:00:00.000Z", asked, kept)).result()
    finally:
        writer.close()


def _close(readers: list[socket.socket]) -> None:
    for reader in readers:
        reader.close()
