"""Answers as they stand on the wire."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import http1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.model import Headers

CHUNK = re.compile(rb"([0-9a-f]+)\r\n")


def unframed(wire: bytes) -> list[bytes]:
    """Read a chunked body to its end."""
    pieces: list[bytes] = []
    while match := CHUNK.match(wire):
        size, start = int(match[1], 16), match.end()
        if size == 0:
            assert wire == http1.last_chunk()
            return pieces
        pieces.append(wire[start : start + size])
        assert wire[start + size : start + size + 2] == b"\r\n"
        wire = wire[start + size + 2 :]
    raise AssertionError(f"no end of the body in {wire!r}")


@pytest.mark.parametrize(
    ("status", "headers", "reason", "version", "expected"),
    [
        (200, (), None, "1.1", b"HTTP/1.1 200 OK\r\n\r\n"),
        (424, (("a", "b"), ("a", "c")), None, "1.1", b"HTTP/1.1 424 Failed Dependency\r\na: b\r\na: c\r\n\r\n"),
        (200, (("X-Spelt", " as It is "),), None, "1.1", b"HTTP/1.1 200 OK\r\nX-Spelt:  as It is \r\n\r\n"),
        (200, (), "Fine By Me", "1.0", b"HTTP/1.0 200 Fine By Me\r\n\r\n"),
        (200, (), "", "1.1", b"HTTP/1.1 200 \r\n\r\n"),
        (599, (), None, "1.1", b"HTTP/1.1 599 \r\n\r\n"),
        (200, (("a", "b\tc"),), None, "1.1", b"HTTP/1.1 200 OK\r\na: b\tc\r\n\r\n"),
        (200, (("a", "caf\u00e9"),), None, "1.1", b"HTTP/1.1 200 OK\r\na: caf\xc3\xa9\r\n\r\n"),
        (200, (("a", "caf\udce9"),), None, "1.1", b"HTTP/1.1 200 OK\r\na: caf\xe9\r\n\r\n"),
        (200, (("a", "x\r\nset-cookie: y"),), None, "1.1", b"HTTP/1.1 200 OK\r\na: x  set-cookie: y\r\n\r\n"),
        (200, (("a\r\n\r\nb", "x"),), None, "1.1", b"HTTP/1.1 200 OK\r\na    b: x\r\n\r\n"),
        (200, (("a", "\0\x0b\x7f"),), "No\r\nWay", "1.1", b"HTTP/1.1 200 No  Way\r\na:    \r\n\r\n"),
    ],
)
def test_a_head_is_written_as_it_was_kept(
    status: int, headers: Headers, reason: str | None, version: str, expected: bytes
) -> None:
    assert http1.head(status, headers, reason, version) == expected


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=10)), max_size=4), st.text(max_size=6))
def test_no_field_ends_the_head_early(headers: list[tuple[str, str]], reason: str) -> None:
    head = http1.head(200, tuple(headers), reason)
    assert head.endswith(b"\r\n\r\n")
    assert len(head.removesuffix(b"\r\n\r\n").split(b"\r\n")) == 1 + len(headers)
    assert head.count(b"\n") == head.count(b"\r") == 2 + len(headers)


@pytest.mark.parametrize("value", [chr(0xD83D), f"a{chr(0xD800)}b", chr(0xDFFF)], ids=ascii)
def test_a_lone_surrogate_from_a_tampered_cassette_does_not_break_the_answer(value: str) -> None:
    assert http1.head(200, (("x-request-id", value),)).endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("data", "framed"),
    [
        (b"a", b"1\r\na\r\n"),
        (b"\r\n", b"2\r\n\r\n\r\n"),
        (b"x" * 16, b"10\r\n" + b"x" * 16 + b"\r\n"),
        (b"x" * 255, b"ff\r\n" + b"x" * 255 + b"\r\n"),
        (b"", b""),
    ],
)
def test_bytes_are_framed_as_one_chunk_and_none_as_none(data: bytes, framed: bytes) -> None:
    assert http1.chunk(data) == framed


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=20), max_size=6))
def test_framed_chunks_are_read_back_each_for_itself(pieces: list[bytes]) -> None:
    wire = b"".join(map(http1.chunk, pieces)) + http1.last_chunk()
    assert unframed(wire) == [piece for piece in pieces if piece]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 16))
def test_writes_are_small_few_and_together_what_was_to_be_written(parts: list[bytes], most: int) -> None:
    written = [bytes(data) for data in http1.slices(parts, most)]
    whole = b"".join(parts)
    assert b"".join(written) == whole
    assert all(0 < len(data) <= most for data in written)
    assert len(written) == 1 or len(whole) > most or not whole
    assert all(len(one) + len(other) > most or len(one) == most for one, other in pairwise(written))


def test_a_long_part_is_not_copied_and_none_is_taken_before_it_is_needed() -> None:
    taken: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(3):
            taken.append(number)
            yield bytes(20)

    slices = http1.slices(parts(), 20)
    assert bytes(next(slices)) == bytes(20)
    assert taken == [0, 1]
    long = bytes(100)
    (first, *_) = http1.slices([long], 30)
    assert isinstance(first, memoryview)
    assert first.obj is long


@pytest.mark.parametrize("size", [0, 1, 100, 100_000])
def test_a_chunk_in_parts_is_the_same_chunk(size: int) -> None:
    data = b"x" * size
    parts = list(http1.chunk_parts(data))
    assert b"".join(parts) == http1.chunk(data)
    assert len(parts) == 1 or any(part is data for part in parts)


@pytest.mark.parametrize(
    ("status", "reason"), [(200, "OK"), (404, "Not Found"), (429, "Too Many Requests"), (299, ""), (0, "")]
)
def test_reason_is_the_standard_one_or_none(status: int, reason: str) -> None:
    assert http1.reason_of(status) == reason


@pytest.mark.parametrize(
    ("method", "status", "allowed"),
    [
        ("GET", 200, True),
        ("POST", 200, True),
        ("POST", 424, True),
        ("POST", 500, True),
        ("HEAD", 200, False),
        ("HEAD", 404, False),
        ("GET", 204, False),
        ("GET", 304, False),
        ("GET", 100, False),
        ("GET", 101, False),
    ],
)
def test_a_body_is_allowed_where_http_allows_one(method: str, status: int, *, allowed: bool) -> None:
    assert http1.allows_body(method, status) is allowed


def test_what_became_known_too_late_for_the_head_follows_the_body() -> None:
    assert http1.last_chunk((("x-late", "a\r\nb"),)) == b"0\r\nx-late: a  b\r\n\r\n"
