"""The client's side of the socket: framing for every kind of client, and connections that are kept or cut."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from proxy.core.modes import Mode
from proxy.demo.script import Abort, Close, Hold, Reached, ScriptedUpstream, head, plain, raw, stream
from tests.running import (
    CHAT,
    DONE,
    STOP,
    ask,
    chat,
    connected,
    delta,
    leave,
    read_answer,
    read_chunk,
    read_head,
    recordings,
    request,
    running,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.server import Proxy

EVENTS = (delta("Hi"), STOP, DONE)
STREAM = chat(stream=True)
PLAIN = b'{"choices": []}'


@pytest.fixture
async def cassette(tmp_path: Path) -> Path:
    """A cassette with a plain answer, a stream, an answer to HEAD and one without a body."""
    path = tmp_path / "c.sqlite"
    scripts = (plain(body=PLAIN), stream(EVENTS), raw(head(200, {"content-length": "9"})), raw(head(204, {})))
    async with ScriptedUpstream(*scripts) as upstream, running(Mode.RECORD, path, upstream.url) as proxy:
        await ask(proxy.url + CHAT, chat())
        await ask(proxy.url + CHAT, STREAM)
        await ask(proxy.url + "/models", method="HEAD")
        await ask(proxy.url + "/files/1", method="DELETE")
    return path


@pytest.fixture
async def proxy(cassette: Path) -> AsyncIterator[Proxy]:
    async with running(Mode.REPLAY, cassette) as opened:
        yield opened


# Framing


async def test_a_plain_answer_is_counted_and_a_stream_is_chunked(proxy: Proxy) -> None:
    one, other = await ask(proxy.url + CHAT, chat()), await ask(proxy.url + CHAT, STREAM)
    assert (one.headers["content-length"], "transfer-encoding" in one.headers) == (str(len(PLAIN)), False)
    assert (other.headers["transfer-encoding"], "content-length" in other.headers) == ("chunked", False)


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.RECORD, Mode.PASSTHROUGH])
@pytest.mark.parametrize("body", [chat(), STREAM], ids=["plain", "stream"])
async def test_a_client_of_http_1_0_gets_no_chunks_and_a_connection_that_ends(
    cassette: Path, mode: Mode, body: bytes
) -> None:
    script = stream(EVENTS) if body == STREAM else plain(body=PLAIN)
    async with (
        ScriptedUpstream(script) as upstream,
        running(mode, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, body, version="1.0"))
        _, headers = await read_head(reader)
        assert "transfer-encoding" not in headers
        assert await reader.read() == (b"".join(EVENTS) if body == STREAM else PLAIN)


async def test_a_client_of_http_1_0_may_keep_its_connection_where_the_length_is_told(proxy: Proxy) -> None:
    async with connected(proxy.url) as (reader, writer):
        for _ in range(2):
            writer.write(request(proxy.url + CHAT, chat(), version="1.0", headers={"Connection": "keep-alive"}))
            answer = await read_answer(reader)
            assert (answer.body, answer.headers["connection"]) == (PLAIN, "keep-alive")


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.RECORD, Mode.PASSTHROUGH])
async def test_an_answer_to_head_has_a_head_alone(cassette: Path, mode: Mode) -> None:
    script = raw(head(200, {"content-length": "9"}))
    async with (
        ScriptedUpstream(script) as upstream,
        running(mode, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        for _ in range(2):
            writer.write(request(proxy.url + "/models", method="HEAD"))
            status, _ = await read_head(reader)
            assert status == 200
        # Had a body come, it would be taken for this head.
        writer.write(request(proxy.url + "/nothing", method="HEAD"))
        assert (await read_head(reader))[0] in {200, 424}


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.RECORD, Mode.PASSTHROUGH])
async def test_a_status_without_a_body_has_none_and_keeps_the_connection(cassette: Path, mode: Mode) -> None:
    async with (
        ScriptedUpstream(raw(head(204, {}))) as upstream,
        running(mode, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        for _ in range(3):
            writer.write(request(proxy.url + "/files/1", method="DELETE"))
            answer = await read_answer(reader, bodyless=True)
            assert answer.status == 204
            assert not {"content-length", "transfer-encoding"} & answer.headers.keys()


async def test_a_long_answer_is_the_same_bytes_in_the_same_chunks(tmp_path: Path) -> None:
    """Though it leaves in many writes: events that fit into none, that fill one, and many that share one."""
    cassette = tmp_path / "c.sqlite"
    events = (delta("x" * 200_000), *(delta(f"{number}") for number in range(2000)), delta("y" * 65_536), STOP, DONE)
    async with ScriptedUpstream(stream(events)) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        live = await ask(proxy.url + CHAT, STREAM)
    assert live.body == b"".join(events)
    for pace in ("instant", "1000x"):
        async with running(Mode.REPLAY, cassette, replay={"pace": pace}) as proxy:
            played = await ask(proxy.url + CHAT, STREAM)
        assert (played.chunks, played.ended) == (events, True)


async def test_an_empty_body_is_told_as_empty(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    async with ScriptedUpstream(plain(body=b"")) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        live = await ask(proxy.url + "/x")
    async with running(Mode.REPLAY, cassette) as proxy:
        played = await ask(proxy.url + "/x")
    assert [(one.status, one.headers["content-length"], one.body) for one in (live, played)] == [(200, "0", b"")] * 2


# Connections


async def test_a_connection_serves_one_replay_after_the_other(proxy: Proxy) -> None:
    async with connected(proxy.url) as (reader, writer):
        for body, expected in [(chat(), PLAIN), (STREAM, b"".join(EVENTS)), (chat("No."), None), (chat(), PLAIN)]:
            writer.write(request(proxy.url + CHAT, body))
            answer = await read_answer(reader)
            assert answer.ended
            assert expected is None or answer.body == expected


async def test_requests_sent_ahead_are_answered_in_order(proxy: Proxy) -> None:
    bodies = [STREAM, chat(), STREAM, chat()]
    async with connected(proxy.url) as (reader, writer):
        writer.write(b"".join(request(proxy.url + CHAT, body) for body in bodies))
        answers = [await read_answer(reader) for _ in bodies]
    assert [answer.body for answer in answers] == [b"".join(EVENTS), PLAIN] * 2


async def test_a_client_that_asks_for_it_has_its_connection_closed(proxy: Proxy) -> None:
    async with connected(proxy.url) as (reader, writer):
        writer.write(request(proxy.url + CHAT, STREAM, headers={"Connection": "close"}))
        answer = await read_answer(reader)
        assert answer.ended
        assert await reader.read() == b""


@pytest.mark.parametrize("end", [Abort(), Close()], ids=["RST", "FIN"])
async def test_a_client_of_http_1_0_cannot_take_a_cut_for_the_end(tmp_path: Path, end: Abort | Close) -> None:
    """For it the end of the connection is the end of the body: a reset alone tells."""
    cassette = tmp_path / "c.sqlite"
    gate = asyncio.Event()
    script = (*stream([delta("Hi"), Hold(gate)])[:-1], end)
    asked = request("http://127.0.0.1/v1" + CHAT, STREAM, version="1.0")
    async with (
        ScriptedUpstream(script) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(asked)
        await read_head(reader)
        assert await reader.readexactly(len(delta("Hi"))) == delta("Hi")
        gate.set()
        with pytest.raises(ConnectionError):
            await reader.read()
    async with (
        running(Mode.REPLAY, cassette, replay={"incomplete": "play"}) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(asked)
        with pytest.raises(ConnectionError):
            await reader.read()


async def test_a_cut_ends_the_connection_in_the_middle_of_a_chunk(tmp_path: Path) -> None:
    """So that a client which takes an early end for a clean one sees an error too."""
    gate = asyncio.Event()
    script = stream([delta("Hi"), Hold(gate)], end="close")
    async with (
        ScriptedUpstream(script) as upstream,
        running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, STREAM))
        await read_head(reader)
        assert await read_chunk(reader) == delta("Hi")
        gate.set()
        rest = await reader.read()
    size, _, data = rest.partition(b"\r\n")
    assert int(size, 16) > len(data)


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO, Mode.PASSTHROUGH])
async def test_a_client_that_left_before_an_error_of_ours_is_no_fault_of_the_servers(
    tmp_path: Path, mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    asked, gate = asyncio.Event(), asyncio.Event()
    async with (
        ScriptedUpstream((Reached(asked), Hold(gate), Abort())) as upstream,
        running(mode, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (_, writer),
    ):
        writer.write(request(proxy.url + CHAT, STREAM))
        await asked.wait()
        await leave(writer)
        gate.set()
    assert [record for record in caplog.records if record.exc_info] == []
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


# Requests


async def test_an_upload_in_chunks_is_put_together(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    body = chat("Grüße 🙂")
    async with (
        ScriptedUpstream(plain(body=PLAIN)) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        top = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(top.encode())
        for start in range(0, len(body), 7):
            piece = body[start : start + 7]
            writer.write(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\nX-Trailer: 1\r\n\r\n")
        assert (await read_answer(reader)).body == PLAIN
    (got,) = upstream.requests
    assert (got.body, got.header("content-length"), got.header("transfer-encoding")) == (body, str(len(body)), None)
    assert recordings(cassette)[0].request.body == body
    async with running(Mode.REPLAY, cassette) as proxy:
        assert (await ask(proxy.url + CHAT, body)).body == PLAIN


async def test_a_client_that_waits_for_permission_gets_it(proxy: Proxy) -> None:
    body = chat()
    async with connected(proxy.url) as (reader, writer):
        for _ in range(2):
            fields = {"Expect": "100-continue", "Content-Length": str(len(body))}
            writer.write(request(proxy.url + CHAT, headers=fields))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            writer.write(body)
            assert (await read_answer(reader)).body == PLAIN


async def test_a_compressed_upload_is_the_same_request(proxy: Proxy) -> None:
    answer = await ask(proxy.url + CHAT, gzip.compress(chat()), headers={"Content-Encoding": "gzip"})
    assert answer.body == PLAIN


async def test_a_body_up_to_the_limit_passes_and_one_byte_more_is_a_413(cassette: Path) -> None:
    limit = len(chat())
    async with running(Mode.REPLAY, cassette, server={"body_limit": limit}) as proxy:
        assert (await ask(proxy.url + CHAT, chat())).status == 200
        answer = await ask(proxy.url + CHAT, chat() + b" ")
        assert (answer.status, answer.headers["x-should-retry"]) == (413, "false")
        assert json.loads(answer.body)["error"]["code"] == "body_too_large"
        async with connected(proxy.url) as (reader, writer):
            top = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            writer.write(top.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (limit + 1, b"x" * (limit + 1)))
            assert (await read_answer(reader)).status == 413


@pytest.mark.parametrize("body", [gzip.compress(chat())[:-12], chat()], ids=["cut off", "no gzip"])
async def test_what_is_not_in_its_coding_is_refused_and_the_next_request_is_not(
    proxy: Proxy, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(proxy.url) as (reader, writer):
        writer.write(request(proxy.url + CHAT, body, headers={"Content-Encoding": "gzip"}))
        answer = await read_answer(reader)
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "bad_body")
        writer.write(request(proxy.url + CHAT, chat()))
        assert (await read_answer(reader)).body == PLAIN
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_large_body_passes_both_ways(tmp_path: Path) -> None:
    """Images are larger than the megabyte that aiohttp allows by itself."""
    cassette = tmp_path / "c.sqlite"
    big = json.dumps({"choices": [], "data": "x" * 3_000_000}).encode()
    async with ScriptedUpstream(plain(body=big)) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        live = await ask(proxy.url + CHAT, chat("y" * 3_000_000))
    async with running(Mode.REPLAY, cassette) as proxy:
        played = await ask(proxy.url + CHAT, chat("y" * 3_000_000))
    assert live.body == played.body == big


async def test_a_client_that_leaves_while_it_sends_its_request_is_let_go(
    cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedUpstream() as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        async with connected(proxy.url) as (_, writer):
            writer.write(request(proxy.url + CHAT, headers={"Content-Length": "100"}) + b"half")
            await writer.drain()
        assert (await ask(proxy.url.removesuffix("/v1") + "/_llmtape/health", method="GET")).status == 200
    assert upstream.connections == 0
    assert [record for record in caplog.records if record.exc_info] == []


async def test_chunks_never_stand_beside_an_announced_close_which_node_would_take_for_a_clean_end(
    tmp_path: Path,
) -> None:
    script = stream([DONE])
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, tmp_path / "c", upstream.url) as proxy:
        answer = await ask(proxy.url + CHAT, chat(stream=True), headers={"Connection": "close"})
        models = await ask(
            proxy.url.removesuffix("/v1") + "/_llmtape/health", method="GET", headers={"Connection": "close"}
        )
    assert (answer.headers["transfer-encoding"], "connection" in answer.headers) == ("chunked", False)
    assert models.headers["connection"] == "close"
