"""The load: raw sockets, and the moment at which each event arrives."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as it arrived: when it was asked for, and each event's time of sending and of arrival, in ns."""

    asked_ns: int
    sent_ns: tuple[int, ...]
    arrived_ns: tuple[int, ...]

    @property
    def lags_ms(self) -> list[float]:
        """How long each event was on its way."""
        return [(there - here) / 1e6 for here, there in zip(self.sent_ns, self.arrived_ns, strict=True)]


def body(number: int) -> bytes:
    question = {"role": "user", "content": f"question {number}"}
    return orjson.dumps({"model": "bench", "messages": [question], "stream": True})


async def stream(url: str, number: int) -> Stream:
    """Ask once, on a connection of its own, and read HTTP chunks until the last."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    data = body(number)
    head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(data)}\r\n\r\n"
    asked = time.monotonic_ns()
    writer.write(head.encode() + data)
    await reader.readuntil(b"\r\n\r\n")
    sent: list[int] = []
    arrived: list[int] = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunk = (await reader.readexactly(size + 2))[:-2]
        now = time.monotonic_ns()
        for event in chunk.split(b"\n\n"):
            if event.startswith(b"data: {"):
                sent.append(orjson.loads(event[6:])["sent_ns"])
                arrived.append(now)
    await reader.readexactly(2)
    writer.close()
    return Stream(asked, tuple(sent), tuple(arrived))


async def streams(url: str, count: int, first: int = 0, apart_s: float = 0.0) -> list[Stream]:
    """Ask so many times, all at once or so far apart, and read all of them together."""

    async def ask(number: int) -> Stream:
        await asyncio.sleep(number * apart_s)
        return await stream(url, first + number)

    return list(await asyncio.gather(*map(ask, range(count))))
