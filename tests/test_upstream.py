"""The upstream's side: what goes up, what comes down, and which of its faults become which answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import zlib
from typing import TYPE_CHECKING

import pytest

from proxy.core.errors import ConfigError, UpstreamBrokeOffError, UpstreamTimeoutError, UpstreamUnreachableError
from proxy.core.model import Request
from proxy.core.modes import Mode
from proxy.demo.script import (
    Abort,
    Close,
    Hold,
    Reached,
    Script,
    ScriptedUpstream,
    Send,
    UntilClosed,
    head,
    plain,
    raw,
    stream,
)
from proxy.upstream import Timeouts, Upstream, parse_url
from tests.running import (
    CHAT,
    DONE,
    NOWHERE,
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
    from pathlib import Path

LIMITS = Timeouts(connect_s=10.0, silence_s=60.0)
GET = Request("GET", "/v1/models")


async def fetch(upstream: Upstream, asked: Request = GET) -> tuple[int, bytes]:
    async with upstream.send(asked) as answer:
        return answer.status, b"".join([data async for data in answer.body])


# Where a request goes


@pytest.mark.parametrize(
    ("url", "path", "query", "target"),
    [
        ("https://api.test/v1", "/v1/chat/completions", "", "https://api.test/v1/chat/completions"),
        ("https://api.test/v1/", "/v1/models", "", "https://api.test/v1/models"),
        ("https://api.test", "/v1/models", "", "https://api.test/models"),
        (
            "https://api.test:8443/proxy/v9",
            "/v1/models",
            "a=1&b=%20",
            "https://api.test:8443/proxy/v9/models?a=1&b=%20",
        ),
        ("https://api.test/v1", "/v1", "", "https://api.test/v1"),
        ("https://api.test/v1", "/v12/models", "", "https://api.test/v12/models"),
        ("https://api.test/v1", "/openai/deployments/m/chat/completions", "api-version=1", None),
        ("https://api.test/v1", "/v1/files/a%2Fb%20c", "", "https://api.test/v1/files/a%2Fb%20c"),
        ("http://[::1]:8000/v1", "/", "", "http://[::1]:8000/"),
    ],
)
def test_the_url_stands_in_for_v1_and_other_paths_go_to_its_origin(
    url: str, path: str, query: str, target: str | None
) -> None:
    asked = Request("GET", path, query)
    expected = target or f"https://api.test{path}?{query}"
    assert str(Upstream(url, LIMITS).target(asked)) == expected


@pytest.mark.parametrize("url", ["", "api.test/v1", "ftp://api.test", "http://", "http://[bad", "demo "])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        parse_url(url)


@pytest.mark.parametrize("url", ["https://user:pass-word@api.test/v1", "https://api.test/v1?key=s3cret"])
def test_a_url_with_credentials_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(ConfigError, match="no credentials") as caught:
        parse_url(url)
    assert "pass-word" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT .evil.test:443",
        "CONNECT 127.0.0.1:443",
        "CONNECT @evil.test:443",
        "OPTIONS *",
    ],
)
async def test_no_target_can_name_another_host(tmp_path: Path, line: str) -> None:
    async with (
        ScriptedUpstream(plain()) as upstream,
        running(Mode.PASSTHROUGH, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await read_answer(reader)
    assert 400 <= answer.status < 500
    assert upstream.connections == 0


# What goes up


async def sent_up(tmp_path: Path, lines: bytes, body: bytes = b"{}") -> dict[str, list[str]]:
    """Send these header lines through a proxy, and return the fields that the upstream got."""
    async with (
        ScriptedUpstream(plain()) as upstream,
        running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        length = b"" if b"chunked" in lines else b"Content-Length: %d\r\n" % len(body)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n" + lines + length + b"\r\n" + body)
        assert (await read_answer(reader)).status == 200
        (got,) = upstream.requests
        assert got.header("host") == upstream.url.split("/")[2]
    fields: dict[str, list[str]] = {}
    for name, value in got.headers:
        fields.setdefault(name.lower(), []).append(value)
    return fields


async def test_credentials_and_unknown_fields_go_up_as_they_are(tmp_path: Path) -> None:
    fields = await sent_up(
        tmp_path,
        b"Authorization: Bearer k\r\napi-key: z\r\nCookie: a=b\r\nOpenAI-Organization: o\r\n"
        b"X-Twice: 1\r\nX-Twice: 2\r\n"
        b"User-Agent: test/1\r\nAccept: */*\r\nContent-Type: application/json\r\nx-stainless-retry-count: 0\r\n",
    )
    assert fields["authorization"] == ["Bearer k"]
    assert fields["api-key"] == ["z"]
    assert fields["cookie"] == ["a=b"]
    assert fields["openai-organization"] == ["o"]
    assert fields["x-twice"] == ["1", "2"]
    assert fields["user-agent"] == ["test/1"]
    assert fields["accept"] == ["*/*"]
    assert fields["content-type"] == ["application/json"]


async def test_nothing_is_added_but_what_frames_the_request(tmp_path: Path) -> None:
    assert (await sent_up(tmp_path, b"")).keys() == {"host", "content-length", "accept-encoding"}


async def test_fields_of_one_connection_do_not_go_up(tmp_path: Path) -> None:
    fields = await sent_up(
        tmp_path,
        b"Connection: keep-alive, X-Hop\r\nConnection: x-second\r\nX-Hop: 1\r\nX-Second: 1\r\nKeep-Alive: timeout=5\r\n"
        b"TE: trailers\r\nProxy-Authorization: Basic abc\r\nProxy-Connection: keep-alive\r\nx-llmtape-lane: a\r\n",
    )
    gone = {"x-hop", "x-second", "keep-alive", "te", "proxy-authorization", "proxy-connection", "x-llmtape-lane"}
    assert not gone & fields.keys()
    assert "x-hop" not in fields.get("connection", [""])[0]


async def test_identity_is_asked_for_whatever_the_client_accepts(tmp_path: Path) -> None:
    assert (await sent_up(tmp_path, b"Accept-Encoding: gzip, br\r\n"))["accept-encoding"] == ["identity"]


async def test_a_field_that_is_no_utf8_reaches_the_upstream(tmp_path: Path) -> None:
    (title,) = (await sent_up(tmp_path, b"X-Title: caf\xe9\r\n"))["x-title"]
    assert title.encode("latin-1") in {b"caf\xe9", "café".encode()}


async def test_a_compressed_request_goes_up_plain_and_says_so(tmp_path: Path) -> None:
    body = gzip.compress(chat())
    fields = await sent_up(tmp_path, b"Content-Encoding: gzip\r\n", body)
    assert "content-encoding" not in fields
    assert fields["content-length"] == [str(len(chat()))]


async def test_a_request_in_an_unknown_coding_goes_up_as_it_is_and_says_so(tmp_path: Path) -> None:
    fields = await sent_up(tmp_path, b"Content-Encoding: x-odd\r\n", b"odd")
    assert fields["content-encoding"] == ["x-odd"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
async def test_any_method_path_and_query_goes_up_as_it_is(tmp_path: Path, method: str) -> None:
    async with (
        ScriptedUpstream(plain()) as upstream,
        running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy,
    ):
        answer = await ask(proxy.url + "/files/a%2Fb?x=%20+y&x=2&flag", b"\x00\xff", method=method)
    assert answer.status == 200
    (got,) = upstream.requests
    assert (got.method, got.target, got.body) == (method, "/v1/files/a%2Fb?x=%20+y&x=2&flag", b"\x00\xff")


# What comes down


async def test_fields_of_one_connection_do_not_come_down(tmp_path: Path) -> None:
    top = (
        b"HTTP/1.1 200 Fine\r\nConnection: X-Hop\r\nConnection: x-second\r\nX-Hop: 1\r\nX-Second: 1\r\n"
        b"Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nTrailer: x-sum\r\nUpgrade: h2c\r\n"
        b"x-llmtape: planted\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Latin: caf\xe9\r\nContent-Length: 2\r\n\r\n{}"
    )
    async with (
        ScriptedUpstream(raw(top)) as upstream,
        running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, chat()))
        got = await reader.readuntil(b"\r\n\r\n")
    lines = got.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 Fine"
    names = {line.partition(b":")[0].lower() for line in lines[1:] if line}
    assert names == {b"set-cookie", b"x-latin", b"x-llmtape", b"content-length"}
    assert b"planted" not in got
    assert b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in got
    assert b"X-Latin: caf\xe9\r\n" in got


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("framing", ["counted", "chunked"])
async def test_a_body_that_comes_compressed_all_the_same_is_passed_on_and_stored_plain(
    tmp_path: Path, coding: str, framing: str
) -> None:
    body = json.dumps({"choices": [], "text": "🙂" * 500}).encode()
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    fields = {"content-type": "application/json", "content-encoding": coding}
    script = plain(headers=fields, body=packed) if framing == "counted" else stream([packed], headers=fields)
    cassette = tmp_path / "c.sqlite"
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        live = await ask(proxy.url + CHAT, chat())
    (recorded,) = recordings(cassette)
    assert (live.body, live.ended) == (body, True)
    assert recorded.response.body == body
    assert "content-encoding" not in live.headers
    assert "content-encoding" not in {name.lower() for name, _ in recorded.response.headers}


async def test_a_compressed_stream_is_passed_on_event_by_event(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    events = [delta("Hi"), STOP, DONE]
    packed = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in events]
    gate = asyncio.Event()
    script = stream([packed[0], Hold(gate), *packed[1:], packer.flush()], headers={"content-encoding": "gzip"})
    async with (
        ScriptedUpstream(script) as upstream,
        running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, chat(stream=True)))
        await read_head(reader)
        assert await read_chunk(reader) == events[0]
        gate.set()
        rest = b""
        while chunk := await read_chunk(reader):
            rest += chunk
    assert rest == STOP + DONE


async def test_a_body_in_an_unknown_coding_is_passed_on_as_it_came_and_says_so(tmp_path: Path) -> None:
    script = plain(headers={"content-encoding": "x-odd"}, body=b"odd")
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy:
        live = await ask(proxy.url + CHAT, chat())
    assert (live.body, live.headers["content-encoding"]) == (b"odd", "x-odd")


async def test_a_redirect_is_passed_on_and_not_followed(tmp_path: Path) -> None:
    script = plain(307, {"location": "https://elsewhere.test/v1"})
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy:
        live = await ask(proxy.url + CHAT, chat())
    assert (live.status, live.headers["location"]) == (307, "https://elsewhere.test/v1")
    assert len(upstream.requests) == 1


async def test_one_clients_cookies_are_none_of_the_next_ones(tmp_path: Path) -> None:
    script = plain(headers={"set-cookie": "session=1; Path=/"})
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy:
        for _ in range(2):
            await ask(proxy.url + CHAT, chat())
    assert [asked.header("cookie") for asked in upstream.requests] == [None, None]


@pytest.mark.parametrize("extra", [b'{"extra": 1}', head(200, {"content-length": "5"}) + b"wrong"])
async def test_bytes_past_the_promised_length_are_never_the_next_answer(tmp_path: Path, extra: bytes) -> None:
    top = head(200, {"content-type": "application/json", "content-length": "2"})
    async with (
        ScriptedUpstream(raw(top + b"{}" + extra), plain(body=b'{"n": 2}')) as upstream,
        running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy,
    ):
        first = await ask(proxy.url + CHAT, chat())
        second = await ask(proxy.url + CHAT, chat())
    assert (first.status, first.body) == (200, b"{}") or first.status == 502
    assert (second.status, second.body) == (200, b'{"n": 2}')


# Faults


async def failing(tmp_path: Path, *scripts: Script, silence_s: float = 60.0) -> tuple[int, dict[str, str]]:
    """Return the status and the error object that a client gets where the upstream fails."""
    cassette = tmp_path / "c.sqlite"
    limits = {"connect_s": 10.0, "silence_s": silence_s}
    async with (
        ScriptedUpstream(*scripts) as upstream,
        running(Mode.RECORD, cassette, upstream.url, timeouts=limits) as proxy,
    ):
        answer = await ask(proxy.url + CHAT, chat(stream=True))
        assert proxy.ledger.faults == 1
        assert len(upstream.requests) == 1
    assert not cassette.exists()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-llmtape"].startswith("not-recorded ")
    error = json.loads(answer.body)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["type"] == "upstream_error"
    return answer.status, error


@pytest.mark.parametrize(
    "script",
    [
        pytest.param((Abort(),), id="RST"),
        pytest.param((Close(),), id="FIN"),
        pytest.param((Send(b"HTTP/1.1 200 OK\r\nContent-"), Close()), id="within the head"),
        pytest.param((Send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), Close()), id="not HTTP"),
    ],
)
async def test_an_upstream_that_breaks_off_before_its_answer_is_a_502(tmp_path: Path, script: Script) -> None:
    status, error = await failing(tmp_path, script)
    assert (status, error["code"]) == (502, "upstream_unreachable")


async def test_an_upstream_that_stays_silent_is_a_504(tmp_path: Path) -> None:
    status, error = await failing(tmp_path, (Hold(asyncio.Event()),), silence_s=0.1)
    assert (status, error["code"]) == (504, "upstream_timeout")
    assert "0.1 s" in error["message"]


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO, Mode.PASSTHROUGH])
async def test_an_upstream_that_is_not_there_is_a_502_in_every_mode(tmp_path: Path, mode: Mode) -> None:
    async with running(mode, tmp_path / "c.sqlite", NOWHERE) as proxy:
        answer = await ask(proxy.url + CHAT, chat())
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (502, "upstream_unreachable")
    assert NOWHERE in error["message"]
    assert "x-llmtape" in answer.headers


async def test_a_long_answer_is_no_silence(tmp_path: Path) -> None:
    """It takes longer than the limit as a whole; no pause in it does."""
    gates = [asyncio.Event() for _ in range(4)]
    steps = [step for gate in gates for step in (Hold(gate), delta("Hi"))]
    limits = {"connect_s": 10.0, "silence_s": 30.0}
    async with (
        ScriptedUpstream(stream([*steps, DONE])) as upstream,
        running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url, timeouts=limits) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, chat(stream=True)))
        await read_head(reader)
        for gate in gates:
            gate.set()
            assert await read_chunk(reader) == delta("Hi")
        assert await read_chunk(reader) == DONE


@pytest.mark.parametrize("drop", [Close(), Abort()], ids=["FIN", "RST"])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_request_dropped_on_a_kept_connection_is_sent_again_once(drop: Close | Abort, method: str) -> None:
    async with (
        ScriptedUpstream(plain(body=b"1"), (drop,), plain(body=b"2")) as scripted,
        Upstream(scripted.url, LIMITS) as upstream,
    ):
        asked = Request(method, "/v1/models", body=b"{}" if method == "POST" else b"")
        assert await fetch(upstream, asked) == (200, b"1")
        assert await fetch(upstream, asked) == (200, b"2")
        assert scripted.connections == 2
        assert [got.body for got in scripted.requests] == [asked.body] * 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_request_that_is_dropped_again_is_not_sent_a_third_time(method: str) -> None:
    asked = Request(method, "/v1/models")
    async with (
        ScriptedUpstream(plain(), (Close(),)) as scripted,
        Upstream(scripted.url, LIMITS) as upstream,
    ):
        await fetch(upstream, asked)
        with pytest.raises(UpstreamUnreachableError):
            await fetch(upstream, asked)
        assert len(scripted.requests) == 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_request_dropped_on_a_fresh_connection_is_not_sent_again(method: str) -> None:
    async with ScriptedUpstream((Close(),)) as scripted, Upstream(scripted.url, LIMITS) as upstream:
        with pytest.raises(UpstreamUnreachableError):
            await fetch(upstream, Request(method, "/v1/models"))
        assert len(scripted.requests) == 1


async def test_a_request_whose_answer_began_is_not_sent_again() -> None:
    script = (Send(head(200, {"content-length": "9"}) + b"abc"), Close())
    async with ScriptedUpstream(plain(), script) as scripted, Upstream(scripted.url, LIMITS) as upstream:
        await fetch(upstream)
        with pytest.raises(UpstreamBrokeOffError):
            await fetch(upstream)
        assert len(scripted.requests) == 2


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with ScriptedUpstream(plain()) as scripted, Upstream(scripted.url, LIMITS) as upstream:
        for asked in (GET, Request("POST", "/v1/models", body=b"{}"), GET):
            await fetch(upstream, asked)
        assert scripted.connections == 1


async def test_silence_before_the_answer_is_a_timeout() -> None:
    limits = Timeouts(connect_s=10.0, silence_s=0.05)
    async with ScriptedUpstream((Hold(asyncio.Event()),)) as scripted, Upstream(scripted.url, limits) as upstream:
        with pytest.raises(UpstreamTimeoutError, match=r"did not answer within 0\.05 s"):
            await fetch(upstream)


async def test_a_connection_that_is_never_made_is_a_timeout() -> None:
    """A listener whose queue is full takes no more connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.settimeout(0)
                filler.connect_ex(address)
            limits = Timeouts(connect_s=0.1, silence_s=60.0)
            async with Upstream(f"http://127.0.0.1:{address[1]}/v1", limits) as upstream:
                with pytest.raises(UpstreamTimeoutError, match=r"did not connect within 0\.1 s"):
                    await fetch(upstream)
        finally:
            for filler in fillers:
                filler.close()


# Letting go


async def test_in_passthrough_a_client_that_leaves_lets_the_upstream_go(tmp_path: Path) -> None:
    gate, gone = asyncio.Event(), asyncio.Event()
    events = [delta("On and on.")] * 64
    script = (*stream([delta("Hi"), Hold(gate), *events])[:-1], UntilClosed(), Reached(gone))
    async with (
        ScriptedUpstream(script) as upstream,
        running(Mode.PASSTHROUGH, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, chat(stream=True)))
        await read_head(reader)
        await read_chunk(reader)
        await leave(writer)
        gate.set()
        await gone.wait()


async def test_in_passthrough_a_silent_upstream_is_let_go_as_well(tmp_path: Path) -> None:
    thinking, gone = asyncio.Event(), asyncio.Event()
    script = (Reached(thinking), UntilClosed(), Reached(gone))
    async with (
        ScriptedUpstream(script) as upstream,
        running(Mode.PASSTHROUGH, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (_, writer),
    ):
        writer.write(request(proxy.url + CHAT, chat(stream=True)))
        await thinking.wait()
        await leave(writer)
        async with asyncio.timeout(30):
            await gone.wait()
