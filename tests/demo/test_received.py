"""Requests are read whole, however they come in."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from proxy.demo.received import ReceivedRequest
from proxy.demo.script import ScriptedUpstream, plain

EXPECTED_BODY = b'{"model":"demo"}'

PLAIN = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n" + EXPECTED_BODY
CHUNKED = (
    b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'9;note=1\r\n{"model":\r\n7\r\n"demo"}\r\n0\r\ntrailer: x\r\n\r\n'
)


async def _send(upstream: ScriptedUpstream, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("wire", [PLAIN, CHUNKED])
async def test_body_is_the_same_whole_byte_by_byte_and_before_a_second_request(wire: bytes) -> None:
    async with ScriptedUpstream(plain()) as upstream:
        await _send(upstream, wire)
        await _send(upstream, *(bytes([byte]) for byte in wire))
        await _send(upstream, wire + wire)
    assert [request.body for request in upstream.requests] == [EXPECTED_BODY] * 4
    assert upstream.connections == 3


async def test_names_and_order_of_headers_are_kept() -> None:
    async with ScriptedUpstream(plain()) as upstream:
        await _send(upstream, b"GET /v1/models?x=1 HTTP/1.1\r\nhOST: a\r\nX-B:  2 \r\nX-A: caf\xe9\r\nX-B:\r\n\r\n")
    (request,) = upstream.requests
    assert (request.method, request.target) == ("GET", "/v1/models?x=1")
    assert request.headers == (("hOST", "a"), ("X-B", "2"), ("X-A", "café"), ("X-B", ""))
    assert request.header("x-b") == "2"
    assert request.header("absent") is None


@pytest.mark.parametrize("cut", [1, 20, len(PLAIN) - 1])
async def test_request_cut_off_is_no_request(cut: int) -> None:
    async with ScriptedUpstream(plain()) as upstream:
        assert await _send(upstream, PLAIN[:cut]) == b""
    assert upstream.requests == []


async def test_expect_100_continue_is_granted_before_the_body() -> None:
    async with (
        ScriptedUpstream(plain()) as upstream,
        aiohttp.ClientSession() as session,
        session.post(f"{upstream.url}/x", data=EXPECTED_BODY, expect100=True) as answer,
    ):
        assert answer.status == 200
    assert upstream.requests[0].body == EXPECTED_BODY


@pytest.mark.parametrize("wire", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno field\r\n\r\n"])
async def test_what_is_not_http_fails_the_test_that_sent_it(wire: bytes) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with ScriptedUpstream(plain()) as upstream:
            await _send(upstream, wire)
    assert caught.group_contains(ValueError)


@pytest.mark.parametrize(
    ("version", "connection", "keeps_alive"),
    [
        ("HTTP/1.1", "", True),
        ("HTTP/1.1", "Close", False),
        ("HTTP/1.0", "", False),
        ("HTTP/1.0", "Keep-Alive", True),
    ],
)
def test_keep_alive_follows_the_version(version: str, connection: str, keeps_alive: bool) -> None:  # noqa: FBT001
    request = ReceivedRequest("GET", "/", (("Connection", connection),), b"", version)
    assert request.keeps_alive is keeps_alive
