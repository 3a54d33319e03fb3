"""Clients of a proxy that speak HTTP by hand, so that the moment in which an answer has ended for them is exact.

Rule: an answer has ended once its client has the last byte of a counted body, or the whole `[DONE]` event, or the last
HTTP chunk; it is told in that very moment, before anything else is read.
"""

from __future__ import annotations

from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.running import CHAT, DONE, connected, read_head, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from torture.answering import Question

GONE: Final = (ConnectionError, IncompleteReadError, TimeoutError)
"""What a client meets whose server is killed."""

MARK: Final = "x-llmtape"


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer that has ended for its client."""

    question: Question
    status: int
    mark: str
    """What `x-llmtape` says of it."""
    chunks: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """All bytes of it."""
        return b"".join(self.chunks)

    @property
    def is_recorded(self) -> bool:
        """Whether the proxy says that it is in the cassette."""
        return self.mark.startswith("recorded ")


See = Callable[[Seen], None]


async def ask(
    reader: StreamReader, writer: StreamWriter, url: str, question: Question, see: See, leaves_after: int | None = None
) -> bool:
    """Ask on a connection, and tell of the answer once it has ended; leave after so many pieces of its body.

    Returns whether the connection can be used again. Raises what is in `GONE`.
    """
    writer.write(request(url + CHAT, question.body, headers={"Content-Type": "application/json"}))
    status, headers = await read_head(reader)
    mark = headers.get(MARK, "")
    chunks: list[bytes] = []
    is_told = False
    async for chunk in _body(reader, headers):
        chunks.append(chunk)
        if leaves_after is not None and len(chunks) > leaves_after:
            writer.transport.abort()
            return False
        if not is_told and _ends_stream(chunks):
            is_told = True
            see(Seen(question, status, mark, tuple(chunks)))
    if not is_told or headers.get(MARK, "") != mark:  # a trailer may say otherwise than the head
        see(Seen(question, status, headers.get(MARK, ""), tuple(chunks)))
    return True


def _ends_stream(chunks: list[bytes]) -> bool:
    """Tell whether the last event is whole; it may be cut into chunks of one byte."""
    end = b""
    for chunk in reversed(chunks):
        end = chunk + end
        if len(end) >= len(DONE):
            break
    return end.endswith(DONE)


async def _body(reader: StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """Yield a body as it comes; a trailer's fields are added to the headers."""
    if "content-length" in headers:
        missing = int(headers["content-length"])
        while missing:
            piece = await reader.read(missing)
            if not piece:
                raise IncompleteReadError(b"", missing)
            missing -= len(piece)
            yield piece
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()


async def keep_asking(url: str, questions: Iterator[tuple[Question, int | None]], see: See) -> None:
    """Ask one question after the other, each with when to leave, until there are none or the server is gone."""
    with suppress(*GONE):
        while True:
            async with connected(url) as (reader, writer):
                for question, leaves_after in questions:
                    if not await ask(reader, writer, url, question, see, leaves_after):
                        break
                else:
                    return


async def answers(url: str, questions: list[Question]) -> list[Seen]:
    """Ask one after the other, and return all answers. Raises what is in `GONE`."""
    seen: list[Seen] = []
    async with connected(url) as (reader, writer):
        for question in questions:
            await ask(reader, writer, url, question, seen.append)
    return seen
