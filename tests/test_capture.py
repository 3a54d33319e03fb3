"""Recording while an answer passes: the same bytes for client and cassette, committed before the end is seen."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import aclosing, closing, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.capture import Capture, Keeping, Slot
from proxy.cassette.writer import Run, Writer
from proxy.core import http1, sse
from proxy.core.errors import ClientGoneError, UpstreamBrokeOffError
from proxy.core.ledger import Fate
from proxy.core.model import Chunk, Headers, Interaction, Outcome, Request, Response, Track, Variant
from proxy.core.modes import Mode
from proxy.demo.script import Abort, Close, Hold, Reached, Script, ScriptedUpstream, Send, head, plain, raw, stream
from proxy.ports import Answer
from tests.running import (
    CHAT,
    DONE,
    STOP,
    RawAnswer,
    ask,
    chat,
    connected,
    delta,
    leave,
    read_chunk,
    read_head,
    recordings,
    request,
    running,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

ASKED = chat(stream=True)
PLAIN = json.dumps({"choices": [{"message": {"content": "Hi 🙂"}, "finish_reason": "stop"}]}, indent=1).encode()
EVENTS = [
    b": OPENROUTER PROCESSING\n\n",
    b'data: {"id":"c1","choices":[],"prompt_filter_results":[]}\r\n\r\n',
    delta("Grüße, "),
    delta("世界 🙂", obfuscation="x7Qp"),
    STOP,
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}\n\n',
    DONE,
]


def cut_at(body: bytes) -> st.SearchStrategy[list[bytes]]:
    marks = st.lists(st.integers(0, len(body)), max_size=16).map(lambda inner: sorted({0, len(body), *inner}))
    return marks.map(lambda places: [body[start:end] for start, end in pairwise(places)])


async def record(cassette: Path, *scripts: Script, times: int = 1, body: bytes = ASKED) -> list[RawAnswer]:
    async with ScriptedUpstream(*scripts) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        return [await ask(proxy.url + CHAT, body) for _ in range(times)]


async def replay(cassette: Path, *, body: bytes = ASKED, incomplete: str = "refuse") -> RawAnswer:
    async with running(Mode.REPLAY, cassette, replay={"incomplete": incomplete}) as proxy:
        return await ask(proxy.url + CHAT, body)


# Same bytes


@given(cut_at(b"".join(EVENTS)))
@settings(deadline=None, max_examples=30)
async def test_a_stream_is_the_same_for_client_cassette_and_replay_however_the_upstream_splits_it(
    pieces: list[bytes],
) -> None:
    with TemporaryDirectory() as folder:
        cassette = Path(folder) / "c.sqlite"
        (live,) = await record(cassette, stream(pieces))
        (recorded,) = recordings(cassette)
        played = await replay(cassette)
    assert live.body == recorded.response.body == played.body == b"".join(EVENTS)
    assert [chunk.data for chunk in recorded.response.chunks] == EVENTS
    assert played.chunks == tuple(EVENTS)
    assert live.ended
    assert played.ended
    assert recorded.response.outcome is Outcome.COMPLETE


@given(cut_at(PLAIN), st.sampled_from(["counted", "chunked", "until closed"]))
@settings(deadline=None, max_examples=30)
async def test_a_plain_body_is_the_same_however_the_upstream_splits_and_frames_it(
    pieces: list[bytes], framing: str
) -> None:
    steps: Script
    if framing == "chunked":
        steps = stream([piece for piece in pieces if piece], headers={"content-type": "application/json"})
    else:
        length = {"content-length": str(len(PLAIN))} if framing == "counted" else {}
        top = head(200, {"content-type": "application/json", **length})
        steps = (Send(top), *map(Send, pieces), *(() if length else (Close(),)))
    with TemporaryDirectory() as folder:
        cassette = Path(folder) / "c.sqlite"
        (live,) = await record(cassette, steps, body=chat())
        (recorded,) = recordings(cassette)
        played = await replay(cassette, body=chat())
    assert live.body == recorded.response.body == played.body == PLAIN
    assert (live.ended, played.ended, recorded.response.outcome) == (True, True, Outcome.COMPLETE)
    assert played.headers["content-length"] == str(len(PLAIN))


RUN = Run("2026-11-22T00:00:00Z", "record", "http://127.0.0.1/v1", "0", replaces=True)


class Listener:
    """A client that notes what it is sent, and whether a recording was committed when it saw the end."""

    outlived = False

    def __init__(self, cassette: Path, *, leaves_after: int | None = None) -> None:
        self.body = b""
        self.status = 0
        self.committed_at_done: bool | None = None
        self.ended = False
        self.aborted = False
        self._cassette = cassette
        self._leaves_after = leaves_after

    def start(self, status: int, headers: Headers, *, reason: str | None = None, length: int | None = None) -> None:
        del headers, reason, length
        self.status = status

    async def write(self, pieces: Sequence[bytes], *, last: bool = False, trailers: Headers = ()) -> None:
        del trailers
        self.body += b"".join(pieces)
        if self._leaves_after is not None and len(self.body) >= self._leaves_after:
            raise ClientGoneError("gone")
        if self.committed_at_done is None and (b"[DONE]" in self.body or last):
            self.committed_at_done = len(recordings(self._cassette)) == 1
        self.ended = last

    async def abort(self) -> None:
        self.aborted = True


class Straight:
    """A keeper that goes straight to a writer."""

    trouble = ""

    def __init__(self, writer: Writer) -> None:
        self.save = writer.save

    def mark(self, trouble: str) -> Headers:
        del trouble
        return ()


async def capture(cassette: Path, reads: Sequence[bytes], listener: Listener, *, breaks_off: bool = False) -> None:
    """Run one capture on exactly these reads."""

    async def body() -> AsyncGenerator[bytes]:
        for read in reads:
            yield read
        if breaks_off:
            raise UpstreamBrokeOffError("it broke off")

    writer = Writer(cassette, RUN)
    try:
        asked = Request("POST", "/v1/chat/completions", body=ASKED)
        slot = Slot(Track("0" * 64, Variant.SSE), 1, "2026-11-22T00:00:00.000Z", 0, asked, frozenset())
        async with aclosing(body()) as chunks:
            answer = Answer(200, "OK", (("content-type", "text/event-stream"),), None, chunks)
            await Capture(slot, answer, listener, keeper=Straight(writer), keeping=Keeping(), clock=lambda: 0).run()
    finally:
        writer.close()


@given(cut_at(b"".join(EVENTS) + b": after\n\n"))
@settings(deadline=None, max_examples=40)
async def test_whatever_the_reads_are_done_is_committed_when_the_client_sees_it(reads: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        cassette = Path(folder) / "c.sqlite"
        listener = Listener(cassette)
        await capture(cassette, reads, listener)
        (recorded,) = recordings(cassette)
    assert listener.committed_at_done
    assert listener.ended
    assert listener.body == recorded.response.body == b"".join(reads)
    assert recorded.response.outcome is Outcome.COMPLETE


@given(cut_at(b"".join(EVENTS)), st.integers(0, len(b"".join(EVENTS))))
@settings(deadline=None, max_examples=30)
async def test_a_client_may_leave_at_any_byte_and_the_recording_is_whole(reads: list[bytes], leaves_after: int) -> None:
    with TemporaryDirectory() as folder:
        cassette = Path(folder) / "c.sqlite"
        await capture(cassette, reads, Listener(cassette, leaves_after=leaves_after))
        (recorded,) = recordings(cassette)
    assert [chunk.data for chunk in recorded.response.chunks] == EVENTS
    assert recorded.response.outcome is Outcome.COMPLETE


@given(st.integers(0, len(b"".join(EVENTS))), st.data())
@settings(deadline=None, max_examples=40)
async def test_a_stream_cut_at_any_byte_is_stored_as_cut_unless_done_was_seen(place: int, data: st.DataObject) -> None:
    came = b"".join(EVENTS)[:place]
    reads = data.draw(cut_at(came))
    with TemporaryDirectory() as folder:
        cassette = Path(folder) / "c.sqlite"
        listener = Listener(cassette)
        await capture(cassette, reads, listener, breaks_off=True)
        (recorded,) = recordings(cassette)
    assert listener.body == recorded.response.body == came
    assert listener.aborted
    assert not listener.ended
    whole = any(map(sse.is_done, sse.Framer().feed(came)))
    assert recorded.response.outcome is (Outcome.COMPLETE if whole else Outcome.CUT)


# Live


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO, Mode.PASSTHROUGH])
async def test_each_piece_reaches_the_client_before_the_upstream_sends_the_next(tmp_path: Path, mode: Mode) -> None:
    pieces = [EVENTS[0], EVENTS[2][:9], EVENTS[2][9:], EVENTS[3] + EVENTS[4], b"data: [DO"]
    gates = [asyncio.Event() for _ in range(len(pieces) + 1)]
    steps: list[bytes | Hold] = []
    for gate, piece in zip(gates, pieces, strict=False):
        steps += [Hold(gate), piece]
    script = stream([*steps, Hold(gates[-1]), b"NE]\n\n"])
    async with (
        ScriptedUpstream(script) as upstream,
        running(mode, tmp_path / "c.sqlite", upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, ASKED))
        status, headers = await read_head(reader)  # before the first byte of the body
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        for gate, piece in zip(gates, pieces, strict=False):
            gate.set()
            assert await read_chunk(reader) == piece
        gates[-1].set()
        assert await read_chunk(reader) == b"NE]\n\n"
        assert await read_chunk(reader) == b""


async def test_a_counted_body_passes_as_it_comes_but_for_its_last_piece(tmp_path: Path) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    top = head(200, {"content-type": "application/json", "content-length": "9"})
    script = (Send(top), Hold(gates[0]), Send(b'{"a'), Hold(gates[1]), Send(b'": '), Hold(gates[2]), Send(b"12}"))
    cassette = tmp_path / "c.sqlite"
    async with (
        ScriptedUpstream(script) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, chat()))
        gates[0].set()  # the head goes with the first of its body: by then it may be known whether it is recorded
        assert (await read_head(reader))[1]["content-length"] == "9"
        for gate, piece in zip(gates, (b'{"a', b'": ', b"12}"), strict=True):
            gate.set()
            assert await reader.readexactly(3) == piece
        assert len(recordings(cassette)) == 1


async def test_a_hundred_streams_at_once_stand_side_by_side(tmp_path: Path) -> None:
    count = 100
    gate = asyncio.Event()
    cassette = tmp_path / "c.sqlite"

    def script(asked: object) -> Script:
        text = json.loads(getattr(asked, "body", b""))["messages"][0]["content"]
        return stream([delta(text), Hold(gate), STOP, DONE])

    async def one(url: str, number: int, began: asyncio.Semaphore) -> bytes:
        async with connected(url) as (reader, writer):
            writer.write(request(url + CHAT, chat(f"number {number}", stream=True)))
            await read_head(reader)
            got = [await read_chunk(reader)]
            began.release()
            while chunk := await read_chunk(reader):
                got.append(chunk)
            return b"".join(got)

    began = asyncio.Semaphore(0)
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        tasks = [asyncio.create_task(one(proxy.url, number, began)) for number in range(count)]
        for _ in range(count):  # each has its first event while all of them still run
            await began.acquire()
        gate.set()
        live = await asyncio.gather(*tasks)
    assert live == [delta(f"number {number}") + STOP + DONE for number in range(count)]
    async with running(Mode.REPLAY, cassette) as proxy:
        asked = [ask(proxy.url + CHAT, chat(f"number {number}", stream=True)) for number in range(count)]
        assert [answer.body for answer in await asyncio.gather(*asked)] == live


# What a client saw whole is committed


def committed(cassette: Path) -> list[tuple[str, bytes]]:
    """Ask SQLite itself, on a connection of its own, while the recorder runs."""
    connection = sqlite3.connect(f"file:{cassette}?mode=ro", uri=True)
    try:
        rows = connection.execute("select outcome, cast(response_body as blob) from interactions").fetchall()
    finally:
        connection.close()
    return [(outcome, body) for outcome, body in rows]


@pytest.mark.parametrize(
    "last",
    [
        pytest.param([DONE], id="in one piece"),
        pytest.param([b"data: [DON", b"E]\n\n"], id="split within"),
        pytest.param([b"data: [DONE]", b"\n\n"], id="split before its end"),
        pytest.param([b"data: [DONE]\n", b"\n"], id="split within its blank line"),
        pytest.param([b"data: [DONE]\r\n\r", b"\n"], id="split within a CRLF"),
        pytest.param([STOP + DONE], id="with another event"),
    ],
)
async def test_when_done_is_read_the_recording_is_there_though_the_upstream_goes_on(
    tmp_path: Path, last: list[bytes]
) -> None:
    cassette = tmp_path / "c.sqlite"
    gate = asyncio.Event()
    script = stream([delta("Hi"), STOP, *last, Hold(gate)])
    body = delta("Hi") + STOP + b"".join(last)
    async with (
        ScriptedUpstream(script) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, ASKED))
        await read_head(reader)
        seen = b""
        while b"[DONE]" not in seen:
            seen += await read_chunk(reader)
        assert committed(cassette) == [("complete", body)]
        gate.set()


FINISHED = delta("Hi") + STOP


@pytest.mark.parametrize(
    ("asked", "script"),
    [
        pytest.param(chat(), plain(body=PLAIN), id="counted"),
        pytest.param(chat(), stream([PLAIN], headers={"content-type": "application/json"}), id="chunked"),
        pytest.param(
            chat(), (Send(head(200, {"content-type": "application/json"}) + PLAIN), Close()), id="until closed"
        ),
        pytest.param(ASKED, stream([FINISHED]), id="a stream without done"),
        pytest.param(
            ASKED,
            raw(head(200, {"content-type": "text/event-stream", "content-length": str(len(FINISHED))}) + FINISHED),
            id="a counted stream without done",
        ),
        pytest.param(chat(), raw(head(204, {})), id="no body"),
        pytest.param(chat(), plain(body=b""), id="an empty body"),
    ],
)
async def test_when_the_last_byte_is_read_the_recording_is_there(tmp_path: Path, asked: bytes, script: Script) -> None:
    cassette = tmp_path / "c.sqlite"
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        answer = await ask(proxy.url + CHAT, asked)
        assert answer.ended
        assert [body for _, body in committed(cassette)] == [answer.body]


async def test_a_counted_stream_shows_its_end_only_after_the_commit(tmp_path: Path) -> None:
    """A locked file holds the commit back: by then no client may be able to tell that the answer is whole."""
    cassette = tmp_path / "c.sqlite"
    top = head(200, {"content-type": "text/event-stream", "content-length": str(len(FINISHED))})
    async with (
        ScriptedUpstream(raw(top + FINISHED)) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        lock = sqlite3.connect(cassette, isolation_level=None)
        lock.execute("begin immediate")
        try:
            writer.write(request(proxy.url + CHAT, ASKED))
            _, headers = await read_head(reader)
            # Were it counted, the events below would be the end.
            assert "content-length" not in headers
            assert await read_chunk(reader) == FINISHED
            assert committed(cassette) == []
        finally:
            lock.execute("rollback")
            lock.close()
        assert await read_chunk(reader) == b""
        assert committed(cassette) == [("complete", FINISHED)]


# A client that leaves


async def test_a_client_that_leaves_before_the_first_byte_leaves_a_whole_recording(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    asked, gate = asyncio.Event(), asyncio.Event()
    script = (Reached(asked), Hold(gate), *stream(EVENTS))
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        async with connected(proxy.url) as (_, writer):
            writer.write(request(proxy.url + CHAT, ASKED))
            await asked.wait()
            await leave(writer)
        gate.set()
    (recorded,) = recordings(cassette)
    assert [chunk.data for chunk in recorded.response.chunks] == EVENTS
    assert recorded.response.outcome is Outcome.COMPLETE


@pytest.mark.parametrize("seen", [1, 3, len(EVENTS)])
async def test_a_client_that_leaves_in_a_stream_leaves_a_whole_recording(tmp_path: Path, seen: int) -> None:
    """Also where the proxy is stopped meanwhile: it waits for the upstream's end."""
    cassette = tmp_path / "c.sqlite"
    gate = asyncio.Event()
    script = stream([*EVENTS[:seen], Hold(gate), *EVENTS[seen:], b": bye\n\n"])
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        async with connected(proxy.url) as (reader, writer):
            writer.write(request(proxy.url + CHAT, ASKED))
            await read_head(reader)
            got = b""
            while got != b"".join(EVENTS[:seen]):
                got += await read_chunk(reader)
            await leave(writer)
        gate.set()
    (recorded,) = recordings(cassette)
    assert [chunk.data for chunk in recorded.response.chunks] == [*EVENTS, b": bye\n\n"]
    assert recorded.response.outcome is Outcome.COMPLETE
    assert (await replay(cassette)).body == recorded.response.body


async def test_an_answer_that_outlasts_the_drain_is_not_counted_as_recorded(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    gate = asyncio.Event()
    async with ScriptedUpstream(stream([delta("Hi"), Hold(gate), DONE])) as upstream:
        async with (
            running(Mode.RECORD, cassette, upstream.url, server={"drain_s": 0.05}) as proxy,
            connected(proxy.url) as (reader, writer),
        ):
            writer.write(request(proxy.url + CHAT, ASKED))
            await read_head(reader)
            await read_chunk(reader)
            await leave(writer)
        assert [task for task in asyncio.all_tasks() if "RequestHandler" in repr(task.get_coro())] == []
    stored = recordings(cassette) if cassette.exists() else []
    assert proxy.ledger.total(Fate.RECORDED) == len(stored)


# An upstream that breaks off


COUNTED = head(200, {"content-type": "application/json", "content-length": "400"})


@pytest.mark.parametrize("end", [Abort(), Close()], ids=["RST", "FIN"])
@pytest.mark.parametrize(
    ("asked", "top", "came"),
    [
        pytest.param(ASKED, stream([])[0], b"", id="after the head"),
        pytest.param(ASKED, stream([])[0], delta("Hi"), id="between events"),
        pytest.param(ASKED, stream([])[0], delta("Hi") + b'data: {"cho', id="within an event"),
        pytest.param(ASKED, stream([])[0], delta("Hi") + STOP, id="after the finish reason"),
        pytest.param(chat(), Send(COUNTED), b"", id="a counted body after the head"),
        pytest.param(chat(), Send(COUNTED), b'{"choices": [', id="a counted body"),
        pytest.param(
            chat(), stream([], headers={"content-type": "application/json"})[0], b'{"a":', id="a chunked body"
        ),
    ],
)
async def test_a_cut_answer_is_cut_for_the_client_refused_on_replay_and_played_as_a_cut(
    tmp_path: Path, asked: bytes, top: Send, came: bytes, end: Abort | Close
) -> None:
    cassette = tmp_path / "c.sqlite"
    gate = asyncio.Event()
    chunked = top.data != COUNTED
    sent = (http1.chunk(came) if chunked else came) and [Send(http1.chunk(came) if chunked else came)]
    async with (
        ScriptedUpstream((top, *sent, Hold(gate), end)) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
        connected(proxy.url) as (reader, writer),
    ):
        writer.write(request(proxy.url + CHAT, asked))
        if not (chunked or came):  # a head that its body will follow with its length goes with the first byte of it
            gate.set()
        _, headers = await read_head(reader)
        if came:
            assert (await read_chunk(reader) if chunked else await reader.readexactly(len(came))) == came
        gate.set()
        rest = await reader.read()  # what no client can take for a whole answer
        assert b"0\r\n\r\n" not in rest
        assert chunked or len(came) < int(headers["content-length"])
        (recorded,) = recordings(cassette)
    assert recorded.response.outcome is Outcome.CUT
    assert recorded.response.body == came

    refused = await replay(cassette, body=asked)
    assert refused.status == 424
    assert json.loads(refused.body)["error"]["code"] == "recording_incomplete"
    played = await replay(cassette, body=asked, incomplete="play")
    assert (played.status, played.body[: len(came)], played.ended) == (200, came, False)


async def test_a_cut_after_done_takes_nothing_from_the_recording(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    (live,) = await record(cassette, stream([*EVENTS, b"\n"], end="close"))
    (recorded,) = recordings(cassette)
    assert not live.ended
    assert recorded.response.outcome is Outcome.COMPLETE
    assert (await replay(cassette)).body.startswith(b"".join(EVENTS))


async def test_silence_in_a_stream_is_a_cut(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    script = stream([delta("Hi"), Hold(asyncio.Event())])
    limits = {"connect_s": 5.0, "silence_s": 0.1}
    async with (
        ScriptedUpstream(script) as upstream,
        running(Mode.RECORD, cassette, upstream.url, timeouts=limits) as proxy,
    ):
        answer = await ask(proxy.url + CHAT, ASKED)
    assert not answer.ended
    assert [recorded.response.outcome for recorded in recordings(cassette)] == [Outcome.CUT]


# Outcomes by the protocol


@pytest.mark.parametrize(
    ("asked", "script", "outcome"),
    [
        pytest.param(ASKED, stream([delta("Hi"), STOP]), Outcome.COMPLETE, id="a finish reason, no done"),
        pytest.param(ASKED, stream([delta("Hi"), DONE]), Outcome.COMPLETE, id="done, no finish reason"),
        pytest.param(ASKED, stream([delta("Hi")]), Outcome.UNFINISHED, id="neither"),
        pytest.param(ASKED, stream([delta("Hi"), STOP[:-9]]), Outcome.UNFINISHED, id="within an event"),
        pytest.param(ASKED, stream([]), Outcome.UNFINISHED, id="an empty stream"),
        pytest.param(ASKED, stream([delta("Hi"), STOP, b"data: [DONE]"]), Outcome.COMPLETE, id="done unended"),
        pytest.param(
            ASKED, stream([delta("a"), delta("b", index=1), STOP]), Outcome.UNFINISHED, id="one of two choices"
        ),
        pytest.param(ASKED, stream([*EVENTS, b": bye\n\n", b"tail"]), Outcome.COMPLETE, id="bytes after done"),
        pytest.param(chat(), plain(body=b'{"choices": ['), Outcome.UNFINISHED, id="half a document"),
        pytest.param(chat(), plain(body=b""), Outcome.UNFINISHED, id="no document"),
        pytest.param(chat(), plain(400, body=b"not json"), Outcome.COMPLETE, id="an error that is no document"),
    ],
)
async def test_an_answer_that_ends_cleanly_is_judged_by_the_protocol(
    tmp_path: Path, asked: bytes, script: Script, outcome: Outcome
) -> None:
    cassette = tmp_path / "c.sqlite"
    (live,) = await record(cassette, script, body=asked)
    (recorded,) = recordings(cassette)
    assert live.ended
    assert recorded.response.outcome is outcome
    played = await replay(cassette, body=asked, incomplete="play")
    assert (played.status, played.body, played.ended) == (live.status, live.body, True)
    refused = await replay(cassette, body=asked)
    assert refused.status == (live.status if outcome is Outcome.COMPLETE else 424)


# A cassette that cannot be written


async def test_a_cassette_that_cannot_be_written_is_not_the_clients_trouble(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    async with ScriptedUpstream(stream(EVENTS)) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        other = sqlite3.connect(cassette)
        other.execute("alter table interactions rename to elsewhere")
        other.close()
        answer = await ask(proxy.url + CHAT, ASKED)
        assert answer.body == b"".join(EVENTS)
        assert answer.ended
        assert proxy.ledger.total(Fate.RECORDED) == 0
        assert proxy.ledger.total(Fate.NOT_RECORDED) == 1
        assert proxy.ledger.faults == 1


@pytest.mark.parametrize(
    ("asked", "script", "told_in"),
    [
        pytest.param(chat(), plain(body=PLAIN), "head", id="a plain answer"),
        pytest.param(ASKED, stream(EVENTS), "trailer", id="a stream"),
        pytest.param(
            chat(),
            stream([PLAIN], headers={"content-type": "application/json"}),
            "trailer",
            id="a plain answer of unknown length",
        ),
    ],
)
async def test_the_client_is_told_that_its_answer_was_not_recorded_and_why_and_when_it_is_again(
    tmp_path: Path, asked: bytes, script: Script, told_in: str
) -> None:
    cassette = tmp_path / "c.sqlite"
    async with ScriptedUpstream(*[script] * 4) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        answers = [await ask(proxy.url + CHAT, asked)]
        for statement in (
            "alter table interactions rename to elsewhere",
            "alter table elsewhere rename to interactions",
        ):
            with closing(sqlite3.connect(cassette)) as other:
                other.execute(statement)
            answers.append(await ask(proxy.url + CHAT, asked))
        answers.append(await ask(proxy.url + CHAT, asked))
    first, failed, again, last = answers
    assert first.body == failed.body == again.body == last.body
    assert [answer.mark.split()[0] for answer in answers] == ["recorded", "not-recorded", "recorded", "recorded"]
    assert "no such table" in failed.mark
    assert (failed.trailers == {}) is (told_in == "head")
    assert (again.headers["x-llmtape"], again.trailers) == (
        (again.mark, {}) if told_in == "head" else (failed.mark, {"x-llmtape": again.mark})
    )
    assert (first.trailers, last.trailers) == ({}, {})
    assert proxy.ledger.faults == 1


async def test_a_recorder_whose_file_is_replaced_by_what_is_no_cassette_says_so_until_it_is_one_again(
    tmp_path: Path,
) -> None:
    cassette, aside = tmp_path / "c.sqlite", tmp_path / "aside"
    async with (
        ScriptedUpstream(*[plain(body=PLAIN)] * 3) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
    ):
        marks = []
        for content in (b"no cassette at all", None):
            if content is None:
                cassette.unlink()
            else:
                aside.write_bytes(content)
                aside.replace(cassette)
            marks.append((await ask(proxy.url + CHAT, chat(f"with {content!r}"))).mark)
        assert cassette.stat().st_size
    assert "is not a cassette" in marks[0]
    assert marks[1].startswith("recorded")
    assert len(recordings(cassette)) == 1


# An answer that has no end


async def test_an_answer_over_the_limit_is_passed_on_and_not_kept(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    events = [*[delta("more")] * 50, STOP, DONE]
    async with (
        ScriptedUpstream(stream(events), plain(body=PLAIN)) as upstream,
        running(Mode.RECORD, cassette, upstream.url, record={"answer_limit": 1000}) as proxy,
    ):
        long = await ask(proxy.url + CHAT, ASKED)
        short = await ask(proxy.url + CHAT, chat())
    assert (long.body, long.ended) == (b"".join(events), True)
    assert "over 1000 bytes: raise record.answer_limit" in long.trailers["x-llmtape"]
    assert short.mark.startswith("recorded")
    assert [recorded.response.body for recorded in recordings(cassette)] == [PLAIN]
    assert proxy.ledger.faults == 1


@pytest.mark.parametrize(
    ("settings", "words"), [({"answer_limit": 1000}, "answer_limit"), ({"linger_s": 0}, "linger_s")]
)
async def test_an_upstream_without_end_is_let_go_once_its_client_has_left(
    tmp_path: Path, settings: dict[str, float], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head(200, {"content-type": "text/event-stream"}))
        with suppress(ConnectionError):
            while True:
                writer.write(delta("more"))
                await writer.drain()
                await asyncio.sleep(0)
        let_go.set()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        running(Mode.RECORD, tmp_path / "c.sqlite", f"http://127.0.0.1:{port}/v1", record=settings) as proxy,
    ):
        async with connected(proxy.url) as (reader, writer):
            writer.write(request(proxy.url + CHAT, ASKED))
            await read_head(reader)
            await read_chunk(reader)
            await leave(writer)
        await let_go.wait()
    assert proxy.ledger.total(Fate.NOT_RECORDED) == 1
    assert words in caplog.text


async def test_who_gives_up_waiting_for_a_commit_does_not_stop_the_recorder(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    whole = Response(200, (), (Chunk(1, PLAIN),), Outcome.COMPLETE, 1, 1)
    interactions = [
        Interaction(Track(f"{number:064x}", Variant.JSON), 1, "2026-11-22T00:00:00.000Z", Request("GET", "/v1"), whole)
        for number in range(2)
    ]
    writer = Writer(cassette, RUN)
    lock = sqlite3.connect(cassette, isolation_level=None)
    try:
        lock.execute("begin immediate")
        waiting = asyncio.ensure_future(asyncio.wrap_future(writer.save(interactions[0])))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        lock.execute("rollback")
        writer.save(interactions[1]).result(timeout=60)
    finally:
        lock.close()
        writer.close()
    assert len(recordings(cassette)) == 2


async def test_no_answer_stops_the_recorder(tmp_path: Path) -> None:
    """The count of tokens below is more than SQLite can hold."""
    cassette = tmp_path / "c.sqlite"
    odd = b'{"choices": [], "usage": {"prompt_tokens": 9223372036854775808, "completion_tokens": -1}}'
    async with (
        ScriptedUpstream(plain(body=odd), plain(body=PLAIN)) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
    ):
        assert (await ask(proxy.url + CHAT, chat())).body == odd
        assert (await ask(proxy.url + CHAT, chat("Go on."))).body == PLAIN
    assert PLAIN in [recorded.response.body for recorded in recordings(cassette)]


# What servers get wrong


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream"])
async def test_a_stream_that_is_not_labelled_as_one_is_one_where_one_was_asked_for(tmp_path: Path, kind: str) -> None:
    cassette = tmp_path / "c.sqlite"
    headers = {"Content-Type": kind}
    (live,) = await record(cassette, stream([delta("a"), STOP, DONE], headers=headers))
    played = await replay(cassette)
    assert (live.body, played.chunks) == (delta("a") + STOP + DONE, (delta("a"), STOP, DONE))
    assert played.headers["content-type"] == kind


async def test_a_stump_that_is_not_labelled_as_a_stream_is_none_the_better(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    await record(cassette, stream([delta("a"), delta("b")], headers={"Content-Type": "text/plain"}))
    assert json.loads((await replay(cassette)).body)["error"]["code"] == "recording_incomplete"


async def test_json_for_a_request_that_asked_for_a_stream_is_json(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    await record(cassette, plain(headers={"Content-Type": "application/json"}, body=PLAIN))
    played = await replay(cassette)
    assert (played.status, played.body, played.headers["content-length"]) == (200, PLAIN, str(len(PLAIN)))


@pytest.mark.parametrize(("coding", "coded"), [("br", brotli.compress(PLAIN)), ("zstd", zstd.compress(PLAIN))])
async def test_a_body_that_comes_compressed_is_handed_on_and_stored_decoded(
    tmp_path: Path, coding: str, coded: bytes
) -> None:
    cassette = tmp_path / "c.sqlite"
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    (live,) = await record(cassette, plain(headers=headers, body=coded), body=chat())
    played = await replay(cassette, body=chat())
    assert live.body == played.body == PLAIN
    assert "content-encoding" not in live.headers
