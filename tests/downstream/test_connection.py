"""A connection whose client goes wrong: what is no HTTP, what breaks off, what nobody reads."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from aiohttp.http_exceptions import BadHttpMessage, BadStatusLine, InvalidHeader, InvalidURLError, LineTooLong

from proxy.cassette.writer import Run, Writer
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Track
from proxy.core.modes import Mode
from proxy.core.normalize import normalize
from proxy.downstream.connection import told
from tests.running import CHAT, ask, chat, connected, leave, read_answer, read_head, request, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from aiohttp.http_exceptions import HttpProcessingError

    from proxy.server import Proxy

SHORT = b'{"choices": []}'
LONG = b"x" * 8_000_000  # more than the system's buffers hold
ALL = chat("Tell all.")
CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    """A cassette with a short answer to `chat()`, and a long one to `ALL`."""
    path = tmp_path / "c.sqlite"
    writer = Writer(path, Run("2026-11-25T00:00:00Z", "record", "http://127.0.0.1/v1", "0", replaces=True))
    try:
        for body, answer in ((chat(), SHORT), (ALL, LONG)):
            asked = Request("POST", "/v1/chat/completions", body=body)
            canonical = normalize(asked)
            kept = Response(200, (("content-type", "application/json"),), (Chunk(1, answer),), Outcome.COMPLETE, 1, 1)
            track = Track(canonical.key, canonical.variant)
            writer.save(Interaction(track, 1, "2026-11-25T00:00:00.000Z", asked, kept)).result()
    finally:
        writer.close()
    return path


@pytest.fixture
async def proxy(cassette: Path) -> AsyncIterator[Proxy]:
    async with running(Mode.REPLAY, cassette) as opened:
        yield opened


async def until(holds: Callable[[], bool]) -> None:
    """Let the others go on until something holds."""
    while not holds():  # noqa: ASYNC110  the proxy tells nobody
        await asyncio.sleep(0)


@pytest.mark.parametrize("sent", [b"\0garbage\r\n\r\n", b"GET v1 HTTP/1.1\r\n\r\n", b"BREW / HTTP/1.1\r\n\r\n"])
async def test_what_is_no_http_is_refused_as_the_api_would_and_told_in_a_line(
    proxy: Proxy, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(proxy.url) as (reader, writer):
        writer.write(sent)
        answer = await read_answer(reader)
        assert await reader.read() == b""
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"], answer.headers["x-should-retry"]) == (400, "bad_http", "false")
    assert error["message"].startswith("this is no HTTP request: ")
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BadHttpMessage("Invalid header token:\n\n  b'sk-secret'\n    ^"), "Invalid header token"),
        (BadHttpMessage("Duplicate 'Host' header found."), "Duplicate 'Host' header found"),
        (BadStatusLine(error="Bad status line:\n  Expected dot:\n\n  b'sk-secret'"), "Bad status line: Expected dot"),
        (BadStatusLine("sk-secret"), "Bad status"),
        (LineTooLong(b"sk-secret", 10), "Got more than 10 bytes when reading"),
        (InvalidHeader(b"sk-secret"), "Invalid HTTP header"),
        (InvalidHeader("sk-secret"), "Invalid HTTP header"),
        (InvalidURLError("http://sk-secret["), "its target is no URL"),
    ],
)
def test_what_is_told_shows_none_of_the_bytes(error: HttpProcessingError, expected: str) -> None:
    assert told(error) == expected


@pytest.mark.parametrize("cut", range(-6, 4))
@pytest.mark.parametrize("behind", [b"\0garbage\r\n\r\n", CHUNKED + b"zz\r\n"], ids=["garbage", "a broken request"])
async def test_a_request_is_answered_whatever_comes_behind_it_in_the_same_packet(
    proxy: Proxy, behind: bytes, cut: int
) -> None:
    whole = request(proxy.url + CHAT, chat())
    end_of_head = len(whole) - len(chat())
    async with connected(proxy.url) as (reader, writer):
        writer.write(whole[: end_of_head + cut])
        await asyncio.sleep(0)
        writer.write(whole[end_of_head + cut :] + behind)
        answers = [await read_answer(reader) for _ in range(2)]
        assert await reader.read() == b""
    assert [answer.status for answer in answers] == [200, 400]


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("rest", [b"zz\r\n", b"3\r\nabcd\r\n", b"f" * 17, b"3\nabc", b"0\r\n" + b"a: b\r\n" * 500])
async def test_a_body_that_turns_out_to_be_none_is_refused_and_waited_for_no_longer(
    proxy: Proxy, rest: bytes, turns: int
) -> None:
    """Whenever that is: before its request is looked at, while that begins, and while its body is read."""
    async with connected(proxy.url) as (reader, writer):
        writer.write(CHUNKED)
        for _ in range(turns):
            await asyncio.sleep(0)
        writer.write(rest)
        answer = await read_answer(reader)
        assert await reader.read() == b""
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "bad_body")
    assert answer.headers["connection"] == "close"


async def test_a_request_that_is_refused_early_is_not_heard_any_further(proxy: Proxy) -> None:
    async with connected(proxy.url) as (reader, writer):
        top = b"POST /v1 HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 1000\r\n\r\n"
        writer.write(top)
        answer = await read_answer(reader)
        assert (answer.status, answer.headers["connection"]) == (403, "close")
        writer.write(b"x" * 1000 + request(proxy.url + CHAT, chat()))
        writer.write_eof()
        assert await reader.read() == b""


async def test_a_request_whose_body_is_on_its_way_when_the_proxy_stops_is_answered(cassette: Path) -> None:
    whole = request("http://127.0.0.1/v1" + CHAT, chat())
    async with running(Mode.REPLAY, cassette) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(whole[:-10])
        await until(lambda: proxy.running == 1)
        asyncio.get_running_loop().call_soon(writer.write, whole[-10:] + whole)
    answer = await read_answer(reader)
    assert (answer.status, answer.body) == (200, SHORT)
    assert await reader.read() == b""  # but no further request is
    await leave(writer)


@pytest.mark.parametrize("stops", [False, True], ids=["while it runs", "as it stops"])
async def test_who_does_not_read_holds_nobody_up_and_its_answer_ends_when_it_leaves(
    cassette: Path, *, stops: bool
) -> None:
    async with running(Mode.REPLAY, cassette, server={"drain_s": 0.0 if stops else 60.0}) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=1000)
        writer.write(request(proxy.url + CHAT, ALL))
        assert (await read_head(reader))[0] == 200
        assert (await ask(proxy.url + CHAT, chat())).body == SHORT
        assert proxy.running == 1
        if not stops:
            await leave(writer)
            await until(lambda: proxy.running == 0)
    if stops:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(len(LONG))
        await leave(writer)
