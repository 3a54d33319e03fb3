"""A request as it stood on the wire, read by hand.

One rule: what a client sent is kept as it was sent (names, order and case of headers, every body byte), so
that a test can hold a proxy to it.
"""

from __future__ import annotations

from asyncio import IncompleteReadError, StreamReader, StreamWriter
from dataclasses import dataclass

HEAD_LIMIT = 1 << 20
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One HTTP request with its whole body, chunked framing removed."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    version: str = "HTTP/1.1"

    def header(self, name: str) -> str | None:
        """Return the first value of a header, its name in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def keeps_alive(self) -> bool:
        """Whether the client will use the connection for another request."""
        connection = (self.header("connection") or "").lower()
        return "keep-alive" in connection if self.version == "HTTP/1.0" else "close" not in connection


async def read_request(reader: StreamReader, writer: StreamWriter) -> ReceivedRequest | None:
    """Read one request; None when the client is done, or gone before the request was whole."""
    try:
        head = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        if (head.header("expect") or "").lower() == "100-continue":
            writer.write(_CONTINUE)
            await writer.drain()
        body = await _read_body(head, reader)
    except (IncompleteReadError, ConnectionError):
        return None
    return ReceivedRequest(head.method, head.target, head.headers, body, head.version)


def _parse_head(head: bytes) -> ReceivedRequest:
    request_line, *field_lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, version = request_line.split(" ")
    return ReceivedRequest(method, target, tuple(map(_parse_field, field_lines)), b"", version)


def _parse_field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not (name and colon):
        raise ValueError(f"not a header field: {line!r}")
    return name, value.strip(" \t")


async def _read_body(head: ReceivedRequest, reader: StreamReader) -> bytes:
    if "chunked" in (head.header("transfer-encoding") or "").lower():
        return await _read_chunked(reader)
    return await reader.readexactly(int(head.header("content-length") or 0))


async def _read_chunked(reader: StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(len(b"\r\n"))
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers carry nothing that a test of ours asks for
    return bytes(body)
