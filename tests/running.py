"""A proxy and an HTTP client for tests: real sockets, port 0, no mocks."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from proxy.cassette.reader import Reader
from proxy.config import Config
from proxy.demo.script import plain
from proxy.server import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from proxy.core.model import Interaction
    from proxy.core.modes import Mode
    from proxy.demo.script import ReceivedRequest, Script

NOWHERE = "http://127.0.0.1:9/v1"
"""An upstream that is never there (the discard port)."""


@asynccontextmanager
async def running(mode: Mode, cassette: Path, upstream: str = NOWHERE, **settings: Any) -> AsyncIterator[Proxy]:
    """Run a proxy in this event loop. `settings` are sections of the config, such as `replay={"pace": "10x"}`."""
    values: dict[str, Any] = {
        "cassette": str(cassette),
        "cassette_dir": str(cassette.parent),
        "upstream": upstream,
        **settings,
    }
    values["server"] = {"port": 0, "drain_s": 5.0, **values.get("server", {})}
    async with Proxy(msgspec.convert(values, Config), mode) as proxy:
        yield proxy


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it stood on the wire. `chunks` are its HTTP chunks; `ended` tells whether it came to its end."""

    status: int
    headers: dict[str, str]
    chunks: tuple[bytes, ...]
    ended: bool
    trailers: dict[str, str] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """What it says became of the call: in the end, where the head could not know."""
        return self.trailers.get("x-llmtape", self.headers.get("x-llmtape", ""))

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


async def ask(url: str, body: bytes = b"", *, method: str = "POST", headers: dict[str, str] | None = None) -> RawAnswer:
    """Send one request on a connection of its own and read the answer byte for byte; never raises on a cut one."""
    async with connected(url) as (reader, writer):
        writer.write(request(url, body, method=method, headers={"Connection": "close", **(headers or {})}))
        return await read_answer(reader, bodyless=method == "HEAD")


def request(
    url: str, body: bytes = b"", *, method: str = "POST", headers: Mapping[str, str] | None = None, version: str = "1.1"
) -> bytes:
    """Write a request as it stands on the wire."""
    parts = urlsplit(url)
    fields = {"Host": parts.netloc, "Content-Length": str(len(body)), **(headers or {})}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/{version}\r\n{head}\r\n".encode() + body


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection to whoever listens there, for tests that speak HTTP by hand."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def leave(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and wait until it is closed."""
    writer.close()
    await writer.wait_closed()


CHAT = "/chat/completions"
"""To be put behind a proxy's `url`."""


def chat(content: str = "Say hello.", **fields: Any) -> bytes:
    """Write a request body for `CHAT`."""
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **fields}).encode()


def delta(content: str | None = None, **choice: Any) -> bytes:
    """Write an event of a streamed completion."""
    inner = {"index": 0, "delta": {} if content is None else {"content": content}, "finish_reason": None, **choice}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [inner]}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


STOP = delta(finish_reason="stop")
DONE = b"data: [DONE]\n\n"


def recordings(cassette: Path) -> list[Interaction]:
    """Read all interactions of a cassette, on a connection of its own."""
    with Reader(cassette) as reader:
        return [reader.interaction(entry.take) for entry in reader.entries()]


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Read a status line and header fields."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    return int(lines[0].split()[1]), _fields(lines[1:])


def _fields(lines: Iterable[str]) -> dict[str, str]:
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


async def read_chunk(reader: asyncio.StreamReader) -> bytes:
    """Read one HTTP chunk; the last one is empty, and what follows it is left out."""
    return (await _read_chunk(reader))[0]


async def _read_chunk(reader: asyncio.StreamReader) -> tuple[bytes, dict[str, str]]:
    size = int(await reader.readuntil(b"\r\n"), 16)
    if size:
        return (await reader.readexactly(size + 2))[:-2], {}
    lines = []
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        lines.append(line.decode("latin-1"))
    return b"", _fields(lines)


async def read_answer(reader: asyncio.StreamReader, *, bodyless: bool = False) -> RawAnswer:
    """Read one answer from a connection; `bodyless` is one to HEAD, or with a status that has no body."""
    status, headers = await read_head(reader)
    chunks: list[bytes] = []
    trailers: dict[str, str] = {}
    ended = True
    try:
        if bodyless:
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while not (read := await _read_chunk(reader))[1] and read[0]:
                chunks.append(read[0])
            trailers = read[1]
        elif "content-length" in headers:
            chunks.append(await reader.readexactly(int(headers["content-length"])))
        else:
            chunks.append(await reader.read())
    except asyncio.IncompleteReadError as error:
        chunks.append(error.partial)
        ended = False
    except ConnectionError:
        ended = False
    return RawAnswer(status, headers, tuple(chunks), ended, trailers)


def numbered(start: int = 1) -> Callable[[ReceivedRequest], Script]:
    """Answer each request with the next number."""
    numbers = iter(range(start, 1000))
    return lambda _request: plain(body=b'{"n":%d}' % next(numbers))


def n(answer: RawAnswer) -> int | str:
    """Return an answer's number, or the code of a refusal."""
    document = json.loads(answer.body)
    number: int | str = document["error"]["code"] if "error" in document else document["n"]
    return number
