"""aiohttp's connection, where an upstream goes wrong: what it would lose, send for again, or wait for without end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from proxy.core.errors import UpstreamBrokeOffError, UpstreamUnreachableError
from proxy.core.model import Request
from proxy.demo.script import Abort, Close, Hold, Script, ScriptedUpstream, Send, UntilClosed, plain
from proxy.upstream import Timeouts, Upstream
from proxy.upstream.connection import LONGEST_HEAD, MOST_BESIDE, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.ports import Answer

LIMITS = Timeouts(connect_s=10.0, silence_s=60.0)
ASKED = Request("POST", "/v1/chat/completions", body=b"{}")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def answered(*scripts: Script, asked: Request = ASKED) -> AsyncIterator[Answer]:
    async with (
        ScriptedUpstream(*scripts) as scripted,
        Upstream(scripted.url, LIMITS) as upstream,
        upstream.send(asked) as answer,
    ):
        yield answer


async def read(answer: Answer) -> tuple[bytes, str]:
    """Return the bytes of a body, and how it broke off."""
    body = b""
    try:
        async for data in answer.body:
            body += data
    except UpstreamBrokeOffError as error:
        return body, str(error)
    return body, ""


# What aiohttp would lose


@pytest.mark.parametrize("behind", [b"behind", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale", b"\r\n\r\n"])
@pytest.mark.parametrize("head", ["HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 200 OK"])
async def test_an_answer_is_not_lost_for_what_stands_behind_it(head: str, behind: bytes) -> None:
    length = b"Content-Length: 2\r\n" if "200" in head else b""
    body = b"{}" if length else b""
    async with answered((Send(head.encode() + b"\r\n" + length + b"\r\n" + body + behind),)) as answer:
        assert str(answer.status) in head
        assert await read(answer) == (body, "")


async def test_the_answer_to_head_is_not_lost_for_a_body() -> None:
    asked = Request("HEAD", "/v1/models")
    async with answered(plain(), asked=asked) as answer:
        assert (answer.status, await read(answer)) == (200, (b"", ""))


async def test_a_head_is_not_lost_for_a_body_that_is_no_http() -> None:
    async with answered((Send(CHUNKED + b"5\r\nhello\r\nzz\r\n"),)) as answer:
        body, error = await read(answer)
    assert body == b"hello"
    assert "chunk size" in error


@pytest.mark.parametrize("end", [Close(), Abort()], ids=["FIN", "RST"])
@pytest.mark.parametrize("framing", [b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_what_came_before_a_cut_is_not_lost_while_nobody_reads(end: Close | Abort, framing: bytes) -> None:
    data = b"5\r\nhello\r\n" if b"chunked" in framing else b"hello"
    async with answered((Send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n" + data), end)) as answer:
        for _ in range(100):  # by now all of it has arrived, the cut as well
            await asyncio.sleep(0)
        body, error = await read(answer)
    assert body == b"hello"
    assert error


# What it would take for an end


async def test_a_reset_is_no_end_where_only_the_connection_tells_one() -> None:
    async with answered((Send(b"HTTP/1.1 200 OK\r\n\r\nhello"), Abort())) as answer:
        body, error = await read(answer)
    assert body == b"hello"
    assert "reset" in error


# What it would wait for without end


@pytest.mark.parametrize("is_apart", [True, False], ids=["in a read of its own", "behind the end of a chunk"])
async def test_a_body_that_turns_out_to_be_no_http_ends(is_apart: bool) -> None:  # noqa: FBT001  a parameter of the test
    gate = asyncio.Event()
    first, second = (b"5\r\nhello\r\n", b"zz\r\n") if is_apart else (b"5\r\nhello", b"\r\nzz\r\n")
    async with answered((Send(CHUNKED + first), Hold(gate), Send(second), UntilClosed())) as answer:
        body = answer.body
        assert await anext(body) == b"hello"
        gate.set()
        async with asyncio.timeout(30):
            with pytest.raises(UpstreamBrokeOffError, match="chunk size"):
                await anext(body)


@pytest.mark.parametrize(
    "unending",
    [
        pytest.param(CHUNKED + b"5;" + b"a" * (2 * MOST_BESIDE), id="a chunk's extension"),
        pytest.param(CHUNKED + b"0" * (2 * MOST_BESIDE), id="a chunk's size"),
        pytest.param(CHUNKED + b"0\r\n" + b"A: 1\r\n" * (MOST_BESIDE // 3), id="trailers"),
    ],
)
async def test_bytes_that_are_none_of_a_body_come_to_an_end(unending: bytes) -> None:
    async with answered((Send(unending), UntilClosed())) as answer:
        body, error = await read(answer)
    assert body == b""
    assert error


@pytest.mark.parametrize(
    "unending",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: 1\r\n" * LONGEST_HEAD, id="fields"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"a" * LONGEST_HEAD, id="a field"),
        pytest.param(b"HTTP/1.1 102 Processing\r\n\r\n" * LONGEST_HEAD, id="interim answers"),
        pytest.param(b"HTTP/1.1 200 " + b"a" * LONGEST_HEAD, id="a status line"),
    ],
)
async def test_a_head_without_end_is_refused(unending: bytes) -> None:
    with pytest.raises(UpstreamUnreachableError, match=r"256 KB|no HTTP"):
        async with answered((Send(unending), UntilClosed())):
            pass


async def test_a_head_just_within_the_limit_is_taken() -> None:
    top, end = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: ", b"\r\n\r\n"
    fill = b"a" * (LONGEST_HEAD - len(top) - len(end))
    async with answered((Send(top + fill + end + b"{}"),)) as answer:
        assert await read(answer) == (b"{}", "")


# What it would send for again


@pytest.mark.parametrize("end", [Close(), Abort()], ids=["FIN", "RST"])
@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_an_answer_that_broke_off_within_its_head_is_not_asked_for_again(
    begun: bytes, end: Close | Abort
) -> None:
    async with (
        ScriptedUpstream(plain(), (Send(begun), end), plain()) as scripted,
        Upstream(scripted.url, LIMITS) as upstream,
    ):
        async with upstream.send(ASKED) as answer:
            await read(answer)
        with pytest.raises(UpstreamUnreachableError, match="within its head"):
            async with upstream.send(ASKED):
                pass
        assert len(scripted.requests) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
async def test_a_head_is_found_however_it_falls_into_reads(size: int) -> None:
    data = b"HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nbehind"
    steps = [Send(data[start : start + size]) for start in range(0, len(data), size)]
    async with answered(steps) as answer:
        assert (answer.status, await read(answer)) == (204, (b"", ""))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("Invalid header token:\n\n  b'secret'\n   ^"), "Invalid header token"),
        (ValueError("Invalid HTTP header: b'secret'"), "Invalid HTTP header"),
        (ValueError("Bad status line:\n  Expected dot:\n\n  b'HTTP/2'"), "Bad status line: Expected dot"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_told_without_the_bytes_that_it_shows(error: Exception, text: str) -> None:
    assert told(error) == text
