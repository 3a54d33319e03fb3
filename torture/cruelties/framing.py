"""Where a body ends: lengths and chunks that are wrong, or odd; and silence before the end.

Rule: the bytes of the body are good, so that only their framing decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.demo.script import Abort, Close, UntilClosed
from torture.cruelties.case import (
    ANSWER,
    CHUNKED,
    EVENTS,
    JSON_TYPE,
    LAST_CHUNK,
    SSE_TYPE,
    STREAM,
    Case,
    chunk,
    chunked,
    counted,
    gzipped,
    plays,
    top,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def framing() -> Iterator[Case]:
    """Yield what may be wrong with lengths and chunks."""
    group = "framing"
    for name, does, fields in (
        ("length-twice", "tells its length twice, the same", b"Content-Length: %d\r\n" * 2 % ((len(ANSWER),) * 2)),
        ("lengths-differ", "tells two lengths", b"Content-Length: %d\r\nContent-Length: 5\r\n" % len(ANSWER)),
        ("length-negative", "tells a negative length", b"Content-Length: -1\r\n"),
        ("length-garbage", "tells a length that is no number", b"Content-Length: many\r\n"),
        ("length-plus", "tells a length with a sign", b"Content-Length: +%d\r\n" % len(ANSWER)),
        ("length-astronomic", "tells a length over 64 bits", b"Content-Length: 99999999999999999999999\r\n"),
        ("length-empty", "tells an empty length", b"Content-Length: \r\n"),
        ("until-close", "tells no length, and closes at the end", b""),
        ("coding-unknown", "uses a transfer coding that nobody knows", b"Transfer-Encoding: chonked\r\n"),
        ("coding-identity", "uses the transfer coding `identity`", b"Transfer-Encoding: identity\r\n"),
    ):
        yield Case(group, name, does, plays(top(JSON_TYPE + fields) + ANSWER, Close()), ANSWER)
    yield Case(
        group, "until-reset", "tells no length, and resets at the end", plays(top(JSON_TYPE) + ANSWER, Abort()), ANSWER
    )
    yield Case(
        group,
        "length-large",
        "promises 9 bytes more than it sends, and closes",
        plays(counted(length=len(ANSWER) + 9), Close()),
        ANSWER,
    )
    yield Case(
        group, "length-small", "promises 9 bytes less than it sends", plays(counted(length=len(ANSWER) - 9)), ANSWER
    )
    yield Case(
        group,
        "length-and-chunks",
        "sends chunks, and tells a length too",
        plays(chunked([ANSWER], JSON_TYPE + b"Content-Length: 5\r\n")),
        ANSWER,
    )
    yield Case(
        group, "stream-counted", "streams with its length told", plays(counted(STREAM, SSE_TYPE)), STREAM, streams=True
    )
    yield Case(
        group,
        "stream-until-close",
        "streams without HTTP chunks, and closes at the end",
        plays(top(SSE_TYPE) + STREAM, Close()),
        STREAM,
        streams=True,
    )
    yield Case(
        group,
        "gzip-transfer",
        "uses the transfer coding `gzip, chunked`",
        plays(top(JSON_TYPE + b"Transfer-Encoding: gzip, chunked\r\n") + chunk(gzipped(ANSWER)) + LAST_CHUNK, Close()),
        ANSWER,
    )
    good = top(SSE_TYPE + CHUNKED)
    for name, does, data in (
        ("chunk-garbage", "sends a chunk size that is no number", good + chunk(EVENTS[0]) + b"zz\r\n" + STREAM),
        ("chunk-negative", "sends a negative chunk size", good + chunk(EVENTS[0]) + b"-5\r\n" + STREAM),
        ("chunk-huge", "sends a chunk size over 64 bits", good + chunk(EVENTS[0]) + b"f" * 20 + b"\r\n" + STREAM),
        ("chunk-short", "sends more than a chunk's size", good + chunk(EVENTS[0]) + b"5\r\n" + STREAM),
        (
            "chunk-extension",
            "uses chunk extensions",
            good + b"".join(b"%x;a=b;c\r\n%b\r\n" % (len(event), event) for event in EVENTS) + LAST_CHUNK,
        ),
        (
            "chunk-extension-long",
            "uses a chunk extension of 100 KB",
            good + b"%x;a=%b\r\n%b\r\n" % (len(STREAM), b"b" * 100_000, STREAM) + LAST_CHUNK,
        ),
        (
            "chunk-zeros",
            "writes chunk sizes with many zeros",
            good + b"%032x\r\n%b\r\n" % (len(STREAM), STREAM) + LAST_CHUNK,
        ),
        ("no-last-chunk", "leaves the last chunk out, and closes", good + b"".join(map(chunk, EVENTS))),
        ("no-last-chunk-unfinished", "closes before `[DONE]`, between chunks", good + b"".join(map(chunk, EVENTS[:2]))),
        ("trailers", "sends trailers", chunked(end=b"0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n")),
        ("trailers-cut", "breaks off within its trailers", chunked(end=b"0\r\nX-Sum: 1\r\nX-Ot")),
        ("byte-chunks", "sends a chunk for each byte", chunked([bytes([byte]) for byte in STREAM])),
        ("one-chunk", "sends all events in one chunk", chunked([STREAM])),
        ("empty-stream", "sends a stream without any event", chunked([])),
    ):
        yield Case(group, name, does, plays(data, Close()), STREAM if name != "empty-stream" else b"", streams=True)
    yield Case(group, "empty-plain", "sends an empty body as JSON", plays(counted(b"")), b"")
    yield Case(
        group,
        "empty-counted-stream",
        "sends an empty body as an event stream, with its length told",
        plays(counted(b"", SSE_TYPE)),
        b"",
        streams=True,
    )


def stalls() -> Iterator[Case]:
    """Yield where an upstream may fall silent."""
    group = "silence"
    stall = UntilClosed()
    for name, does, data, body in (
        ("stall-head", "sends nothing", b"", None),
        ("stall-in-head", "falls silent within the head", chunked()[:30], None),
        ("stall-after-head", "falls silent after the head", top(SSE_TYPE + CHUNKED), STREAM),
        ("stall-between", "falls silent between two events", top(SSE_TYPE + CHUNKED) + chunk(EVENTS[0]), STREAM),
        ("stall-within", "falls silent within an event", top(SSE_TYPE + CHUNKED) + chunk(EVENTS[0][:20]), STREAM),
        ("stall-in-chunk", "falls silent within a chunk", top(SSE_TYPE + CHUNKED) + chunk(EVENTS[0])[:30], STREAM),
        ("stall-before-last", "falls silent after `[DONE]`, without the last chunk", chunked(end=b""), STREAM),
    ):
        yield Case(group, name, does, plays(data, stall), body, streams=True, limit="silence")
    yield Case(
        group,
        "stall-counted",
        "falls silent within a counted body",
        plays(counted()[:-9], stall),
        ANSWER,
        limit="silence",
    )
