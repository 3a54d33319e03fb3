"""What never ends, and what swells.

Rule: a step that never ends stands last; whoever reads it has to leave.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import brotli

from torture.cruel_upstream import Endless
from torture.cruelties.case import (
    CHUNKED,
    EVENTS,
    JSON_TYPE,
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

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator


BOMB: Final = 20_000_000


def endless() -> Iterator[Case]:
    """Yield what never ends."""
    group = "endless"
    events = Endless(chunk(EVENTS[0]) * 20)
    top_of_stream = top(SSE_TYPE + CHUNKED)
    zeros = b"\0" * BOMB
    for name, does, data, step in (
        ("endless-events", "never ends its stream", top_of_stream, events),
        ("endless-event", "never ends an event", top_of_stream + chunk(b"data: "), Endless(chunk(b"x" * 10_000))),
        ("endless-chunk", "never ends a chunk", top_of_stream + b"fffffffffff\r\n", Endless(b"x" * 10_000)),
        (
            "endless-counted",
            "promises a petabyte, and sends it",
            top(JSON_TYPE + b"Content-Length: 1125899906842624\r\n"),
            Endless(b" " * 10_000),
        ),
        ("endless-until-close", "never closes, and tells no length", top(JSON_TYPE), Endless(b" " * 10_000)),
        ("endless-500", "never ends its 500", top(JSON_TYPE + CHUNKED, 500), Endless(chunk(b" " * 10_000))),
    ):
        yield Case(group, name, does, plays(data, step), b"", streams=True, limit="answer", listens=400_000)
        yield Case(
            group,
            f"{name}-left",
            f"{does}, and the client leaves early",
            plays(data, step),
            b"",
            streams=True,
            limit="answer",
            listens=100,
        )
    drips = Endless(chunk(b": a\n\n"), pause_s=0.01)
    yield Case(
        group,
        "drips-left",
        "never ends its stream, slowly, and the client leaves",
        plays(top_of_stream, drips),
        b"",
        streams=True,
        limit="linger",
        listens=20,
    )
    for name, does, data, step in (
        ("endless-head", "never ends its head", b"HTTP/1.1 200 OK\r\n", Endless(b"X-More: 1\r\n" * 100)),
        ("endless-field", "never ends a field", b"HTTP/1.1 200 OK\r\nX-More: ", Endless(b"a" * 10_000)),
        ("endless-status", "never ends its status line", b"HTTP/1.1 200 ", Endless(b"a" * 10_000)),
        ("endless-interim", "sends 102 for ever", b"", Endless(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)),
        ("endless-size", "never ends a chunk's size", top_of_stream + chunk(EVENTS[0]), Endless(b"0" * 10_000)),
        (
            "endless-extension",
            "never ends a chunk's extension",
            top_of_stream + chunk(EVENTS[0]) + b"5;",
            Endless(b"a" * 10_000),
        ),
        ("endless-trailers", "never ends its trailers", chunked(end=b"0\r\n"), Endless(b"X-More: 1\r\n" * 100)),
    ):
        yield Case(group, name, does, plays(data, step), STREAM, streams=True)
    for coding, pack in (("gzip", gzipped), ("br", brotli.compress), ("zstd", zstd.compress)):
        fields = JSON_TYPE + b"Content-Encoding: %b\r\n" % coding.encode()
        yield Case(
            group,
            f"bomb-{coding}",
            f"packs {BOMB // 1_000_000} MB into a few KB: {coding}",
            plays(counted(pack(zeros), fields)),
            zeros,
            limit="answer",
        )
    yield Case(
        group,
        "bomb-twice",
        "packs it twice",
        plays(counted(gzipped(gzipped(zeros)), JSON_TYPE + b"Content-Encoding: gzip, gzip\r\n")),
        zeros,
        limit="answer",
    )
