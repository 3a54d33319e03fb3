"""The scripted upstream does what it was told, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from proxy.demo.script import (
    Abort,
    Close,
    Hold,
    Reached,
    ReceivedRequest,
    Script,
    ScriptedUpstream,
    UntilClosed,
    Wait,
    head,
    plain,
    raw,
    stream,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def _post(session: aiohttp.ClientSession, upstream: ScriptedUpstream) -> tuple[int, bytes]:
    async with session.post(f"{upstream.url}/chat/completions", json={}) as answer:
        return answer.status, await answer.read()


@asynccontextmanager
async def _posted(script: Script) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        ScriptedUpstream(script) as upstream,
        aiohttp.ClientSession() as session,
        session.post(f"{upstream.url}/x") as answer,
    ):
        yield answer


async def test_scripts_are_used_in_order_and_the_last_is_repeated_on_one_connection() -> None:
    scripts = plain(429, {"retry-after-ms": "1"}, b"slow down"), plain(200, None, b"fine")
    async with ScriptedUpstream(*scripts) as upstream, aiohttp.ClientSession() as session:
        answers = [await _post(session, upstream) for _ in range(3)]
    assert answers == [(429, b"slow down"), (200, b"fine"), (200, b"fine")]
    assert (len(upstream.requests), upstream.connections) == (3, 1)


async def test_function_answers_by_the_request() -> None:
    def echo(request: ReceivedRequest) -> Script:
        return plain(200, {"content-type": "text/plain"}, request.target.encode())

    async with ScriptedUpstream(echo) as upstream, aiohttp.ClientSession() as session:
        assert await _post(session, upstream) == (200, b"/v1/chat/completions")


async def test_each_item_of_a_stream_is_one_http_chunk() -> None:
    events = [b"data: 1\n\n", b"data: \xf0\x9f", b"\x98\x80\n\n", b"data: [DONE]\n\n"]
    async with _posted(stream(events)) as answer:
        ends, data = [], b""
        async for piece, end_of_chunk in answer.content.iter_chunks():
            data += piece
            ends += [len(data)] if end_of_chunk else []
    assert data == b"".join(events)
    assert ends == [9, 17, 21, 35]


@pytest.mark.parametrize("end", ["abort", "close"])
async def test_broken_stream_delivers_what_was_sent_and_then_fails(end: str) -> None:
    script = stream([b"data: 1\n\n"], end="abort" if end == "abort" else "close")
    async with _posted(script) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        with pytest.raises(aiohttp.ClientError):
            await answer.content.readany()


async def test_abort_is_a_reset_and_close_is_not() -> None:
    async with ScriptedUpstream([Abort()], [Close()]) as upstream:
        with pytest.raises(ConnectionResetError):
            await _read_all(upstream)
        assert await _read_all(upstream) == b""


async def test_large_answer_arrives_before_the_abort() -> None:
    body = b"x" * 1_000_000
    async with ScriptedUpstream([*raw(body), UntilClosed(), Abort()]) as upstream:
        assert await _read_all(upstream, len(body)) == body


async def _read_all(upstream: ScriptedUpstream, size: int = -1) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    try:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        return await (reader.read() if size < 0 else reader.readexactly(size))
    finally:
        writer.transport.abort()


async def test_hold_waits_for_the_test_and_reached_tells_it() -> None:
    at_gate, gate = asyncio.Event(), asyncio.Event()
    script = stream([b"data: 1\n\n", Reached(at_gate), Hold(gate), Wait(0), b"data: 2\n\n"])
    async with _posted(script) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        await at_gate.wait()
        gate.set()
        assert await answer.content.read() == b"data: 2\n\n"


async def test_script_sees_the_client_leave() -> None:
    held, left = asyncio.Event(), asyncio.Event()
    script = [*raw(head(200, {"content-length": "9"})), Reached(held), UntilClosed(), Reached(left)]
    async with ScriptedUpstream(script) as upstream, aiohttp.ClientSession() as session:
        answer = await session.post(f"{upstream.url}/x")
        await held.wait()
        answer.close()
        await left.wait()


async def test_closes_down_while_holding() -> None:
    held = asyncio.Event()
    async with ScriptedUpstream([Reached(held), Hold(asyncio.Event())]) as upstream:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await held.wait()
    assert await reader.read() == b""
    writer.transport.abort()
    assert len(asyncio.all_tasks()) == 1


async def test_connection_is_closed_for_a_client_that_asks_for_it() -> None:
    async with ScriptedUpstream(plain(200, None, b"bye")) as upstream:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        writer.write(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\nbye")
        writer.close()
        await writer.wait_closed()


async def test_upstream_without_scripts_answers_nobody() -> None:
    async with ScriptedUpstream() as upstream, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await _post(session, upstream)


async def test_fault_in_a_script_fails_the_test() -> None:
    def faulty(request: ReceivedRequest) -> Script:
        raise LookupError(request.target)

    async def use_it() -> None:
        async with ScriptedUpstream(faulty) as upstream:
            assert await _read_all(upstream) == b""

    with pytest.raises(ExceptionGroup) as caught:
        await use_it()
    assert caught.group_contains(LookupError)


def test_head_has_a_reason_where_there_is_one() -> None:
    assert head(404, {"a": "b"}) == b"HTTP/1.1 404 Not Found\r\na: b\r\n\r\n"
    assert head(599, {}) == b"HTTP/1.1 599 \r\n\r\n"
