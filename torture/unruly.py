"""A client that misbehaves: sends what a misdeed says in pieces of any size, and may leave at any point.

Rule: it knows HTTP only as what it must get back. What is checked is on the wire: the answers that came, that each is
whole or cut and never mixed with another, and what became of the connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tests.running import CHAT, DONE, STOP, RawAnswer, ask, delta, read_answer
from torture.item import BrokenPromiseError, check
from torture.misdeeds import GOOD, Misdeed, Then, post

if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import AsyncIterator
    from random import Random

ANSWER: Final = b'{"choices": []}'
"""What is recorded as the answer to `GOOD`, and `EVENTS` to `STREAM`."""
EVENTS: Final = (delta("Hi"), STOP, DONE)

_KNOWN: Final = frozenset({ANSWER, b"".join(EVENTS), b'{"status":"ok"}'})
_REFUSED: Final = frozenset({400, 403, 413})
_FATES: Final = {200: "played", 424: "missed"}
_PATIENCE_S: Final = 60.0
_MOST_BYTEWISE: Final = 2000
_RESET: Final = struct.pack("ii", 1, 0)


class Leaving(StrEnum):
    """How a client leaves."""

    FIN = "FIN"
    RST = "RST"
    HALF = "half a close"
    """It sends no more, and reads on."""


@dataclass(frozen=True, slots=True)
class Act:
    """A misdeed, and how it is done. `cuts` are where what is sent falls into pieces.

    Where it is `leaving`, it does so after `sends` bytes; where that is all, after up to `takes` bytes of the answers.
    """

    misdeed: Misdeed
    cuts: tuple[int, ...] = ()
    leaving: Leaving | None = None
    sends: int = 0
    takes: int = 0

    def __str__(self) -> str:
        """Tell it."""
        way = (
            f", leaves by {self.leaving} after {self.sends} bytes and {self.takes} of the answer"
            if self.leaving
            else ""
        )
        return f"{self.misdeed.name}, in pieces cut at {self.cuts[:8]}{way}"


def drawn(misdeed: Misdeed, random: Random) -> Act:
    """Draw a way to do it."""
    size = len(misdeed.sent)
    if size <= _MOST_BYTEWISE and random.random() < 0.1:
        cuts = tuple(range(1, size))
    else:
        cuts = tuple(sorted(random.randrange(size + 1) for _ in range(random.randrange(5))))
    if random.random() < 0.5:
        return Act(misdeed, cuts)
    leaving = random.choice(tuple(Leaving))
    sends = size if leaving is Leaving.HALF or random.random() < 0.5 else random.randrange(size + 1)
    return Act(misdeed, cuts, leaving, sends, random.choice((0, 1, 10, 100, 400, 100_000)))


async def act(what: Act, url: str) -> int:
    """Do it; return how many answers to calls came whole. Raises BrokenPromiseError."""
    try:
        async with asyncio.timeout(_PATIENCE_S), _connected(url) as (reader, line):
            sending = asyncio.ensure_future(_send(line, what))
            try:
                return await _follow(what, reader, line, sending, url)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
    except TimeoutError as error:
        raise BrokenPromiseError(f"{what}: nothing came of it for {_PATIENCE_S:g} s") from error
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"{what}: {error}") from error


async def ask_well(url: str) -> None:
    """Ask what is recorded, on a connection of its own. Raises BrokenPromiseError where the answer is another."""
    async with asyncio.timeout(_PATIENCE_S):
        answer = await ask(url + CHAT, GOOD)
    check((answer.status, answer.body) == (200, ANSWER), f"a good request got {answer}")


async def _follow(what: Act, reader: StreamReader, line: socket.socket, sending: asyncio.Future[None], url: str) -> int:
    if what.leaving is Leaving.HALF:
        await sending
        return await _read_what_comes(what, reader)
    if what.leaving:
        await sending
        with suppress(ConnectionError):
            if what.sends == len(what.misdeed.sent) and what.misdeed.statuses:
                await reader.read(what.takes)
        _leave(line, what.leaving)
        return 0
    return await _see_to_its_end(what.misdeed, reader, line, sending, url)


async def _see_to_its_end(
    misdeed: Misdeed, reader: StreamReader, line: socket.socket, sending: asyncio.Future[None], url: str
) -> int:
    is_over = False
    for status in misdeed.statuses:
        answer = await _next(reader, bodyless=misdeed.headless)
        _hold(answer, status, misdeed)
        # Who is refused before the whole request was there is not heard any further.
        is_over = status in _REFUSED and answer.headers.get("connection") == "close"
    if misdeed.then is Then.STAYS and not is_over:
        await sending
        await asyncio.get_running_loop().sock_sendall(line, post())
        answer = await _next(reader)
        check((answer.status, answer.body) == (200, ANSWER), f"the next request on the connection got {answer}")
        return _calls(misdeed) + 1
    if misdeed.then is Then.WAITS:
        await sending
        await ask_well(url)
    with suppress(OSError):
        line.shutdown(socket.SHUT_WR)
    with suppress(ConnectionError):
        rest = await reader.read()
        check(not rest, f"after all answers came {rest[:200]!r}")
    return _calls(misdeed) + (misdeed.then is Then.WAITS)


async def _next(reader: StreamReader, *, bodyless: bool = False) -> RawAnswer:
    try:
        return await read_answer(reader, bodyless=bodyless)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise BrokenPromiseError(f"instead of an answer came {error!r}") from error


async def _read_what_comes(what: Act, reader: StreamReader) -> int:
    """Who sends no more has left, for us: what comes is a part of the answers, and never anything else."""
    whole = 0
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        for status in what.misdeed.statuses:
            answer = await read_answer(reader, bodyless=what.misdeed.headless)
            if not answer.ended:
                return whole
            _hold(answer, status, what.misdeed)
            whole += what.misdeed.counted and status in _FATES
        rest = await reader.read()
        check(not rest, f"after all answers came {rest[:200]!r}")
    return whole


def _hold(answer: RawAnswer, status: int, misdeed: Misdeed) -> None:
    """Check one answer."""
    check(answer.status == status, f"{answer.status} came, and not {status}: {answer.body[:300]!r}")
    check(answer.ended, f"an answer was cut: {answer}")
    check("set-cookie" not in answer.headers, f"a field came that the client wrote: {answer.headers}")
    if misdeed.counted and (fate := _FATES.get(status)):
        check(answer.headers.get("x-llmtape", "").startswith(f"{fate} "), f"it is marked otherwise: {answer.headers}")
    if status == 200:
        check(answer.body in _KNOWN, f"another answer came: {answer.body[:300]!r}")
    elif not misdeed.headless:
        told = json.loads(answer.body)["error"]
        check(told["message"] and told["type"] and told["code"], f"it is not told as the API does: {answer.body!r}")
        check(answer.headers.get("x-should-retry") == "false", f"it may be sent again: {answer.headers}")


def _calls(misdeed: Misdeed) -> int:
    return sum(status in _FATES for status in misdeed.statuses) if misdeed.counted else 0


async def _send(line: socket.socket, what: Act) -> None:
    loop = asyncio.get_running_loop()
    sent = what.misdeed.sent[: what.sends] if what.leaving else what.misdeed.sent
    with suppress(OSError):  # the proxy may have refused it by now, and ended the connection
        for start, end in zip((0, *what.cuts), (*what.cuts, len(sent)), strict=True):
            await loop.sock_sendall(line, sent[start:end])
            await asyncio.sleep(0)
        if what.leaving is Leaving.HALF:
            line.shutdown(socket.SHUT_WR)


def _leave(line: socket.socket, how: Leaving) -> None:
    if how is Leaving.RST:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[tuple[StreamReader, socket.socket]]:
    """Connect; both directions by themselves, so that what came can be read though what is sent finds nobody."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with socket.socket() as line:
        line.setblocking(False)  # noqa: FBT003  its one argument
        await loop.sock_connect(line, (parts.hostname, parts.port))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        receiving = asyncio.ensure_future(_receive(line, reader))
        try:
            yield reader, line
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)


async def _receive(line: socket.socket, reader: StreamReader) -> None:
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while data := await loop.sock_recv(line, 65536):
            reader.feed_data(data)
    reader.feed_eof()
