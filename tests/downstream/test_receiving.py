"""Bodies of requests: up to a limit, packed or not, and whole or not at all."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from proxy.core.errors import BadBodyError, BodyTooLargeError, ClientGoneError
from proxy.downstream.connection import Server
from proxy.downstream.receiving import headers_of, read_body
from tests.running import connected, leave, read_answer, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = b'{"a": "\xc3\xa9"}' * 10
LIMIT = 1000


@asynccontextmanager
async def receiver(patience_s: float = 60.0, *, reads: asyncio.Event | None = None) -> AsyncIterator[str]:
    """Run a server that answers with what it received, or why it did not; yield its URL."""

    async def answer(raw: web.BaseRequest) -> web.StreamResponse:
        if reads:
            reads.set()
        try:
            headers, body = await read_body(raw, headers_of(raw), LIMIT, patience_s)
        except (BadBodyError, BodyTooLargeError, ClientGoneError) as error:
            return web.json_response({"error": type(error).__name__, "told": str(error)})
        names = [name.lower() for name, _ in headers]
        return web.json_response({"body": body.decode("latin-1"), "packed": "content-encoding" in names})

    runner = web.ServerRunner(Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def sent(body: bytes, **fields: str) -> dict[str, object]:
    """Send a body with header fields; return what came of it."""
    async with receiver() as url, connected(url) as (reader, writer):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        writer.write(request(url, body, headers=headers))
        told: dict[str, object] = json.loads((await read_answer(reader)).body)
    return told


async def test_a_plain_body_is_read_as_it_is() -> None:
    assert await sent(BODY) == {"body": BODY.decode("latin-1"), "packed": False}


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(BODY), "gzip"),
        (gzip.compress(BODY), "GZip"),
        (zlib.compress(BODY), "deflate"),
        (zlib.compress(gzip.compress(BODY)), "gzip, deflate"),
    ],
    ids=["gzip", "GZip", "deflate", "both"],
)
async def test_a_packed_body_is_unpacked_and_its_field_goes_with_the_coding(body: bytes, coding: str) -> None:
    assert await sent(body, Content_Encoding=coding) == {"body": BODY.decode("latin-1"), "packed": False}


async def test_a_coding_that_nobody_knows_stays_and_says_so() -> None:
    assert await sent(BODY, Content_Encoding="snappy") == {"body": BODY.decode("latin-1"), "packed": True}


@pytest.mark.parametrize(
    "body",
    [gzip.compress(BODY)[:-1], gzip.compress(BODY)[:20], BODY, b"\x1f"],
    ids=["but a byte", "half", "no gzip", "a byte"],
)
async def test_what_is_not_in_its_coding_or_not_whole_is_never_taken_for_a_body(body: bytes) -> None:
    assert (await sent(body, Content_Encoding="gzip"))["error"] == "BadBodyError"


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
async def test_the_limit_holds_for_what_comes_and_for_what_comes_out(size: int) -> None:
    expected = "BodyTooLargeError" if size > LIMIT else None
    assert (await sent(b"x" * size)).get("error") == expected
    assert (await sent(gzip.compress(b"x" * size), Content_Encoding="gzip")).get("error") == expected
    told = await sent(gzip.compress(gzip.compress(b"x" * 10_000_000)), Content_Encoding="gzip, gzip")
    assert told["told"] == f"the request's body is over {LIMIT} bytes: raise server.body_limit to allow it"


async def test_a_body_that_is_told_to_be_too_long_is_not_asked_for() -> None:
    async with receiver() as url, connected(url) as (reader, writer):
        fields = {"Content-Length": str(LIMIT + 1), "Expect": "100-continue"}
        writer.write(request(url, headers=fields))
        answer = await read_answer(reader)  # and no 100 before it
        assert json.loads(answer.body)["error"] == "BodyTooLargeError"


async def test_a_client_that_falls_silent_within_its_request_is_given_up() -> None:
    async with receiver(0.01) as url, connected(url) as (reader, writer):
        writer.write(request(url, b"half", headers={"Content-Length": "100"}))
        told = json.loads((await read_answer(reader)).body)
    assert (told["error"], "was silent for 0.01 s" in told["told"]) == ("ClientGoneError", True)


async def test_a_client_that_sends_slowly_is_not() -> None:
    async with receiver() as url, connected(url) as (reader, writer):
        for byte in request(url, BODY):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert json.loads((await read_answer(reader)).body)["body"] == BODY.decode("latin-1")


async def test_a_client_that_leaves_within_its_request_is_let_go(caplog: pytest.LogCaptureFixture) -> None:
    reads = asyncio.Event()
    async with receiver(reads=reads) as url, connected(url) as (_, writer):
        writer.write(request(url, b"half", headers={"Content-Length": "100"}))
        await reads.wait()
        await leave(writer)
    assert caplog.records == []
