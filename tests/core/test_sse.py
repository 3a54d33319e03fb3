"""Framing changes no byte, and does not depend on how the bytes came in."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core import sse
from proxy.core.sse import Framer

STREAMS: dict[str, tuple[bytes, list[bytes]]] = {
    "LF": (b"data: a\n\ndata: b\n\n", [b"data: a\n\n", b"data: b\n\n"]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"data: a\r\n\r\n", b"data: b\r\n\r\n"]),
    "CR": (b"data: a\r\rdata: b\r\r", [b"data: a\r\r", b"data: b\r\r"]),
    "mixed": (
        b"data: a\r\n\ndata: b\n\r\ndata: c\r\n\rx\n\r",
        [b"data: a\r\n\n", b"data: b\n\r\n", b"data: c\r\n\r", b"x\n\r"],
    ),
    "several lines": (b"event: x\nid: 1\ndata: a\ndata: b\n\n", [b"event: x\nid: 1\ndata: a\ndata: b\n\n"]),
    "comments": (b": OPENROUTER PROCESSING\n\ndata: a\n\n", [b": OPENROUTER PROCESSING\n\n", b"data: a\n\n"]),
    "blank lines first": (b"\n\ndata: a\n\n", [b"\n\n", b"data: a\n\n"]),
    "one blank line first": (b"\ndata: a\n\n", [b"\ndata: a\n\n"]),
    "a third line end": (b"data: a\n\n\ndata: b\n\n", [b"data: a\n\n", b"\ndata: b\n\n"]),
    "trailing data": (b"data: a\n\ndata: [DONE]", [b"data: a\n\n", b"data: [DONE]"]),
    "trailing line": (b"data: a\n\ndata: b\n", [b"data: a\n\n", b"data: b\n"]),
    "trailing CR": (b"data: a\n\ndata: b\r", [b"data: a\n\n", b"data: b\r"]),
    "split character": ("data: \u00e9\U0001f642\n\n".encode(), ["data: \u00e9\U0001f642\n\n".encode()]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [b"\xef\xbb\xbfdata: a\n\n"]),
    "no event at all": (b"{}", [b"{}"]),
    "nothing": (b"", []),
}

PIECES = st.lists(
    st.sampled_from(
        [
            b"\r",
            b"\n",
            b"\r\n",
            b"data:",
            b"data",
            b" ",
            b"x",
            b": c",
            b"[DONE]",
            b"\xef\xbb\xbf",
            b"\xc3",
            b"\xa9",
            b"\0",
        ]
    ),
    max_size=14,
).map(b"".join)
SIZES = st.lists(st.integers(0, 5), max_size=20)


def fed(pieces: list[bytes]) -> list[bytes]:
    framer = Framer()
    events = [event for piece in pieces for event in framer.feed(piece)]
    return events + framer.flush()


def cut(body: bytes, sizes: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    for size in sizes:
        pieces.append(body[:size])
        body = body[size:]
    return [*pieces, body]


def by_hand(body: bytes) -> list[bytes]:
    """Cut a body by walking over it: an event ends at the second of two line ends in a row."""
    events: list[bytes] = []
    start = place = line_ends = 0
    while place < len(body):
        step = 2 if body[place : place + 2] == b"\r\n" else 1
        line_ends = line_ends + 1 if body[place] in b"\r\n" else 0
        place += step
        if line_ends == 2:
            events.append(body[start:place])
            start, line_ends = place, 0
    return [*events, body[start:]] if start < len(body) else events


@pytest.mark.parametrize(("body", "events"), STREAMS.values(), ids=STREAMS.keys())
def test_a_body_is_cut_into_its_events(body: bytes, events: list[bytes]) -> None:
    assert sse.split(body) == events
    assert by_hand(body) == events


@pytest.mark.parametrize(("body", "events"), STREAMS.values(), ids=STREAMS.keys())
def test_byte_by_byte_gives_the_same_events(body: bytes, events: list[bytes]) -> None:
    assert fed([bytes([byte]) for byte in body]) == events


@pytest.mark.parametrize(("body", "events"), STREAMS.values(), ids=STREAMS.keys())
def test_any_cut_in_two_gives_the_same_events(body: bytes, events: list[bytes]) -> None:
    for place in range(len(body) + 1):
        assert fed([body[:place], body[place:]]) == events


@settings(deadline=None, max_examples=400)
@given(PIECES, SIZES)
@example(b"a\r\n\r\nb", [1, 1, 1, 1, 1])
@example(b"xxxx\r\n\r\n\r\n\r\n", [4, 3, 1])
def test_any_split_of_any_bytes_gives_the_same_events_and_loses_none(body: bytes, sizes: list[int]) -> None:
    events = fed(cut(body, sizes))
    assert events == by_hand(body)
    assert b"".join(events) == body
    assert all(events)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60), SIZES)
def test_bytes_that_are_no_events_come_back_too(body: bytes, sizes: list[int]) -> None:
    assert b"".join(fed(cut(body, sizes))) == body


@settings(deadline=None, max_examples=150)
@given(PIECES, SIZES)
def test_what_was_fed_is_at_all_times_either_an_event_or_pending(body: bytes, sizes: list[int]) -> None:
    framer, seen, came_out = Framer(), b"", b""
    for piece in cut(body, sizes):
        seen += piece
        came_out += b"".join(framer.feed(piece))
        assert came_out + framer.pending == seen


@pytest.mark.parametrize("blank_line", [b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\n\n", b"\r\r\n"])
def test_an_event_comes_out_at_the_last_byte_of_its_blank_line(blank_line: bytes) -> None:
    framer = Framer()
    assert framer.feed(b"data: a" + blank_line[:-1]) == []
    assert framer.feed(blank_line[-1:]) == [b"data: a" + blank_line]
    assert framer.pending == b""


def test_a_cr_waits_for_the_lf_that_may_belong_to_it() -> None:
    framer = Framer()
    assert framer.feed(b"data: a\r\r") == []
    assert framer.feed(b"\ndata: b") == [b"data: a\r\r\n"]
    assert framer.pending == b"data: b"


def test_a_framer_can_be_used_again_after_its_end() -> None:
    framer = Framer()
    framer.feed(b"data: a")
    assert framer.flush() == [b"data: a"]
    assert framer.flush() == []
    assert framer.feed(b"data: b\n\n") == [b"data: b\n\n"]


def test_a_long_event_in_small_reads_takes_time_in_proportion() -> None:
    framer = Framer()
    body = b"data: " + b"x" * 500_000
    for start in range(0, len(body), 100):
        assert framer.feed(body[start : start + 100]) == []
    assert framer.feed(b"\n\n") == [body + b"\n\n"]


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data:  a \r\n\r\n", b" a "),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b"event: x\nid: 3\nretry: 10\ndata: a\n: c\ndata: b\n\n", b"a\nb"),
        (b"data\n\n", b""),
        (b"data:\n\n", b""),
        (b"data:\ndata:\n\n", b"\n"),
        (b"data: a:b: c\n\n", b"a:b: c"),
        (b"data: a", b"a"),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
        ("data: \u00e9\n\n".encode(), "\u00e9".encode()),
        (b": comment\n\n", None),
        (b"id: 1\n\n", None),
        (b"event: ping\n\n", None),
        (b"database: x\n\n", None),
        (b"dat: x\n\n", None),
        (b" data: x\n\n", None),
        (b"Data: x\n\n", None),
        (b"event: data: x\n\n", None),
        (b"\n\n", None),
        (b"", None),
    ],
)
def test_data_is_what_the_data_lines_say(event: bytes, data: bytes | None) -> None:
    assert sse.data_of(event) == data


@pytest.mark.parametrize(
    ("event", "done"),
    [
        (b"data: [DONE]\n\n", True),
        (b"data:[DONE]\r\n\r\n", True),
        (b"data: [DONE] \n\n", True),
        (b"data: [DONE]", True),
        (b"event: done\ndata: [DONE]\n\n", True),
        (b'data: {"content":"[DONE]"}\n\n', False),
        (b'data: "[DONE]"\n\n', False),
        (b": [DONE]\n\n", False),
        (b"event: [DONE]\n\n", False),
        (b"data: [DONE]\ndata: more\n\n", False),
        (b"data: [done]\n\n", False),
        (b"data: [DON", False),
        (b"", False),
    ],
)
def test_only_the_event_that_says_done_ends_a_stream(event: bytes, *, done: bool) -> None:
    assert sse.is_done(event) is done
