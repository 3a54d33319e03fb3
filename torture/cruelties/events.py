"""What a stream says, and what it is called.

Rule: the framing is good, so that only the events decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.running import DONE, delta
from torture.cruelties.case import ANSWER, EVENTS, JSON_TYPE, SSE_TYPE, STREAM, Case, chunked, counted, plays

if TYPE_CHECKING:
    from collections.abc import Iterator


def events() -> Iterator[Case]:
    """Yield what may be odd in a stream."""
    group = "events"
    finished = EVENTS[:3]
    big = delta("x" * 1_000_000)
    for name, does, events in (
        ("no-blank-line", "ends without the last blank line", (*finished, DONE[:-1])),
        ("no-line-end", "ends without the last line end", (*finished, DONE[:-2])),
        ("no-done", "sends no `[DONE]`, but a finish reason", finished),
        ("no-finish", "sends neither `[DONE]` nor a finish reason", EVENTS[:2]),
        ("done-unfinished", "sends `[DONE]` without a finish reason", (*EVENTS[:2], DONE)),
        ("two-done", "sends `[DONE]` twice", (*EVENTS, DONE)),
        ("after-done", "sends events after `[DONE]`", (*EVENTS, delta("more"), b": bye\n\n")),
        ("only-done", "sends `[DONE]` alone", (DONE,)),
        ("garbage-data", "sends data that is no JSON", (delta("a"), b"data: {broken\n\n", *EVENTS[1:])),
        ("garbage-lines", "sends lines that are no fields", (b"what is this\n\n", b":\n\n", b"\n\n\n\n", *EVENTS)),
        ("nul-data", "sends NUL bytes", (b"data: \0\0\n\n\0\0\n\n", *EVENTS)),
        ("no-utf8", "sends bytes that are no UTF-8", (b"data: \xff\xfe\xc3(\n\n", *EVENTS)),
        ("bom", "begins with a byte order mark", (b"\xef\xbb\xbf" + EVENTS[0], *EVENTS[1:])),
        ("cr-lines", "ends lines with CR alone", tuple(event.replace(b"\n", b"\r") for event in EVENTS)),
        ("crlf-lines", "ends lines with CRLF", tuple(event.replace(b"\n", b"\r\n") for event in EVENTS)),
        (
            "crlf-split",
            "splits CRLF over chunks",
            tuple(part for event in EVENTS for part in (event[:-2] + b"\r", b"\n\r", b"\n")),
        ),
        ("mixed-lines", "mixes line ends", (EVENTS[0][:-2] + b"\r\n\n", EVENTS[1][:-2] + b"\n\r", *EVENTS[2:])),
        ("no-space", "writes `data:` without a space", tuple(event.replace(b"data: ", b"data:") for event in EVENTS)),
        ("many-data", "spreads JSON over several `data:` lines", (EVENTS[0].replace(b", ", b",\ndata: "), *EVENTS[1:])),
        ("big-event", "sends an event of 1 MB", (big, *EVENTS)),
        ("blank-retry", "sends a bare `retry:`", (b"retry: \n\n", b"retry:\n\n", *EVENTS)),
        (
            "ids-and-names",
            "sends ids, names and comments",
            (b": hello\n\n", b"id: 1\nevent: delta\n" + EVENTS[0], *EVENTS[1:]),
        ),
        ("error-event", "sends an error as an event", (EVENTS[0], b'data: {"error": {"message": "overloaded"}}\n\n')),
        (
            "error-event-done",
            "sends an error as an event, and `[DONE]`",
            (EVENTS[0], b'data: {"error": {"message": "overloaded"}}\n\n', DONE),
        ),
        (
            "named-error",
            "sends an event named `error`",
            (EVENTS[0], b'event: error\ndata: {"message": "overloaded"}\n\n'),
        ),
        ("html-instead", "sends a page of HTML as an event stream", (b"<html>502 Bad Gateway</html>\n",)),
    ):
        yield Case(group, name, does, plays(chunked(events)), b"".join(events), streams=True)
    yield Case(
        group,
        "json-for-stream",
        "answers with JSON where a stream was asked for",
        plays(counted()),
        ANSWER,
        streams=True,
    )
    yield Case(group, "stream-for-json", "answers with a stream where JSON was asked for", plays(chunked()), STREAM)
    yield Case(group, "broken-json", "answers with JSON that ends too early", plays(counted(ANSWER[:-9])), ANSWER[:-9])
    yield Case(
        group,
        "html-for-json",
        "answers with a page of HTML",
        plays(counted(b"<html></html>", b"Content-Type: text/html\r\n")),
        b"<html></html>",
    )


def types() -> Iterator[Case]:
    """Yield what a stream may be called."""
    group = "types"
    for name, does, fields in (
        ("no-type", "names no content type", b""),
        ("odd-charset", "names a charset that nobody knows", b"Content-Type: text/event-stream; charset=klingon\r\n"),
        ("odd-type", "names a type that is none", b"Content-Type: ;;;\r\n"),
        ("two-types", "names two content types", SSE_TYPE + JSON_TYPE),
        ("upper-type", "writes its type in capitals", SSE_TYPE.upper()),
        ("plain-type", "calls its stream text/plain", b"Content-Type: text/plain\r\n"),
        ("json-type", "calls its stream JSON", JSON_TYPE),
    ):
        yield Case(group, name, does, plays(chunked(fields=fields)), STREAM, streams=True)
