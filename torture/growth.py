"""What a call leaves behind in the memory of a proxy, to the byte.

Rule: the proxy runs in this process, whose allocations are counted; clients and upstream, which run beside it, keep
nothing. So the figure is what the proxy keeps, and does not depend on time. Each kind of call has a bound of its own:
most may leave nothing at all, some leave what tells of them at the end.
"""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from proxy.core.modes import Mode
from tests.running import CHAT, ask, chat, connected, request, running
from torture.item import check

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

NOTHING: Final = 64
"""Bytes a call may leave where it leaves none."""

NOISE: Final = 32768
"""Bytes that all calls of a kind together may seem to leave: tables grow by leaps."""

_TABLE: Final = 1024 * 1024  # bytes: no table of ours is as large after so few calls
_OWN: Final = tracemalloc.__file__

_CHOICE: Final = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
_EVENTS: Final = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)
_STREAM_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _plain(status: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(_CHOICE))
    return head + _CHOICE


_STREAM: Final = _STREAM_HEAD + b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in _EVENTS) + b"0\r\n\r\n"
_ANSWERS: Final = {
    b"stream": _STREAM,
    b"trouble": _plain(b"500 Internal Server Error"),
    b"cut": _STREAM_HEAD + b"5\r\nda",
    b"": _plain(b"200 OK"),
}
"""What the upstream says to a request that has a word in it."""


@asynccontextmanager
async def forgetful_upstream() -> AsyncIterator[str]:
    """Run an upstream that remembers nothing of what it was asked."""
    connections: set[StreamWriter] = set()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        connections.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length or 0))
                word = next(word for word in _ANSWERS if word in body)
                writer.write(_ANSWERS[word])
                await writer.drain()
                if word == b"cut":
                    break
        connections.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for writer in tuple(connections):
            writer.transport.abort()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls a proxy. `url` is its base URL."""

    url: str

    def at(self, place: str) -> str:
        """Return where completions are asked for, at `/@CASSETTE:LANE` or on the default cassette."""
        return self.url.replace("/v1", f"{place}/v1") + CHAT

    async def control(self, path: str, **values: Any) -> int:
        """Call an endpoint; return the status."""
        root = self.url.removesuffix("/v1")
        return (await ask(f"{root}/_llmtape/{path}", json.dumps(values).encode())).status

    async def leave(self, body: bytes) -> None:
        """Ask, and close the connection before the answer."""
        async with connected(self.url) as (_, writer):
            writer.write(request(self.url + CHAT, body))
            await writer.drain()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call. `make` makes the call of a number; `keeps` is how many bytes it may leave.

    Where the latest calls alone are kept, none leaves anything once `full_after` of them came; None where each does.
    """

    name: str
    mode: Mode
    make: Callable[[Caller, int], Awaitable[object]]
    keeps: int = NOTHING
    full_after: int | None = None

    def bound(self, calls: int, warm_up: int) -> float:
        """Return how many bytes a call may leave, after so many came before."""
        is_full = self.full_after is not None and warm_up >= self.full_after
        return (NOTHING if is_full else self.keeps) + NOISE / calls

    async def measure(self, folder: Path, upstream: str, calls: int, warm_up: int) -> float:
        """Return how many bytes each of the last `calls` calls left."""
        tape = folder / "tape.sqlite"
        async with running(Mode.RECORD, tape, upstream) as proxy:
            caller = Caller(proxy.url)
            await ask(caller.at(""), chat("known"))
            await ask(caller.at("/@known"), chat("known"))
        async with running(self.mode, tape, upstream) as proxy:
            caller = Caller(proxy.url)
            tracemalloc.start()
            try:
                before = await self._held_after(range(warm_up), caller)
                after = await self._held_after(range(warm_up, warm_up + calls), caller)
            finally:
                tracemalloc.stop()
        return sum(map(_size_of, after.compare_to(before, "lineno"))) / calls

    async def _held_after(self, numbers: range, caller: Caller) -> tracemalloc.Snapshot:
        for number in numbers:
            await self.make(caller, number)
        while len(asyncio.all_tasks()) > 6:  # noqa: ASYNC110  of those who left early the answers are still on their way
            await asyncio.sleep(0.01)
        gc.collect()
        return tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(inclusive=False, filename_pattern=_OWN)])


def _size_of(change: tracemalloc.StatisticDiff) -> int:
    """Return how many bytes more a line holds; not a table of the interpreter's own, which has just doubled."""
    is_table = change.count_diff <= 1 and change.size_diff > _TABLE
    return 0 if is_table else change.size_diff


async def _lane(caller: Caller, name: str, *bodies: bytes, **wanted: Any) -> None:
    check(await caller.control("lane/start", lane=name, cassette="known", **wanted) == 200, "no lane was started")
    for body in bodies:
        await ask(caller.at(f"/@known:{name}"), body)
    check(await caller.control("lane/end", lane=name, cassette="known", passed=True) == 200, "no lane was ended")


_SPOILT: Final = {"x-llmtape-fault": "cut"}


def _token(number: int) -> dict[str, str]:
    return {"Authorization": f"Bearer sk-{number:030}"}


_MISSES: Final = 1000  # the latest are kept
_FORMS: Final = 1024  # of credentials, in which they are looked for

KINDS: Final = (
    Kind("played", Mode.REPLAY, lambda it, _: ask(it.at(""), chat("known"))),
    Kind("played in auto", Mode.AUTO, lambda it, _: ask(it.at(""), chat("known"))),
    Kind("played, a new lane each", Mode.REPLAY, lambda it, n: ask(it.at(f"/@known:lane{n}"), chat("known")), 1500),
    Kind("missed", Mode.REPLAY, lambda it, n: ask(it.at(""), chat(f"never asked {n}")), 2000, _MISSES),
    Kind("missed, a new cassette each", Mode.REPLAY, lambda it, n: ask(it.at(f"/@none{n}"), chat()), 2000),
    Kind("recorded", Mode.RECORD, lambda it, n: ask(it.at(""), chat(f"new {n}")), 500),
    Kind("recorded, the same again", Mode.RECORD, lambda it, _: ask(it.at(""), chat("known"))),
    Kind("recorded, a stream", Mode.RECORD, lambda it, n: ask(it.at(""), chat(f"new {n}", stream=True)), 500),
    Kind("forwarded", Mode.PASSTHROUGH, lambda it, n: ask(it.at(""), chat(f"new {n}"))),
    Kind("an upstream's error", Mode.RECORD, lambda it, n: ask(it.at(""), chat(f"trouble {n}"))),
    Kind("an upstream's cut", Mode.RECORD, lambda it, n: ask(it.at(""), chat(f"cut {n}")), 500),
    Kind("a client that leaves", Mode.PASSTHROUGH, lambda it, n: it.leave(chat(f"left {n}"))),
    Kind("a credential", Mode.PASSTHROUGH, lambda it, n: ask(it.at(""), chat(), headers=_token(n)), 2500, _FORMS),
    Kind("refused for its Host", Mode.REPLAY, lambda it, _: ask(it.at(""), chat(), headers={"Host": "evil.example"})),
    Kind("a lane, again and again", Mode.RECORD, lambda it, n: _lane(it, "a-test", chat(f"in lane {n % 3}")), 192),
    Kind("a new lane each", Mode.RECORD, lambda it, n: _lane(it, f"test-{n}", chat("in lane")), 2000),
    Kind("a large miss in a lane", Mode.REPLAY, lambda it, n: _lane(it, "a-test", _large(n)), 8000, _MISSES),
    Kind("a rewind", Mode.REPLAY, lambda it, _: it.control("rewind")),
    Kind("spoilt on purpose", Mode.RECORD, lambda it, n: ask(it.at(""), _new(n), headers=_SPOILT), 1000),
)
"""All of them."""


def _new(number: int) -> bytes:
    return chat(f"new {number}", stream=True)


def _large(number: int) -> bytes:
    return chat(f"{number} " + "x" * 20_000)


def measure(kind: Kind, folder: Path, calls: int, warm_up: int) -> float:
    """Return the bytes that a call of a kind leaves. Raises BrokenPromiseError where it is more than it may."""

    async def run() -> float:
        own = folder / kind.name.replace(" ", "-")
        own.mkdir()
        async with forgetful_upstream() as upstream:
            return await kind.measure(own, upstream, calls, warm_up)

    left = asyncio.run(run())
    most = kind.bound(calls, warm_up)
    check(left <= most, f"{kind.name}: a call leaves {left:,.0f} bytes behind, of {most:,.0f} at most")
    return left
