"""Values become columns and come back, and what does not fit is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.cassette import format as layout
from proxy.core.model import Chunk

CHUNKS = st.lists(st.builds(Chunk, st.integers(0, 2**62), st.binary(max_size=12)), max_size=6).map(tuple)


@settings(deadline=None, max_examples=200)
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"")
@example(b"\0")
@example(b"\xed\xa0\xbd")
@example(b"\xef\xbb\xbf{}")
def test_bytes_come_back(data: bytes) -> None:
    assert layout.restored(layout.stored(data)) == data


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", str),
        (b'{"a": 1}', str),
        ("grüße 🎲".encode(), str),
        (b"\r\n\t\x01", str),
        (b"a\0b", bytes),
        (b"\xff", bytes),
        ("ü".encode()[:1], bytes),
        (b"\xed\xa0\xbd", bytes),
    ],
)
def test_what_people_can_read_is_text(data: bytes, kind: type) -> None:
    assert type(layout.stored(data)) is kind


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=4))
@example([(b"x-request-id", b"caf\xe9")])
@example([(b"x-request-id", "café".encode())])
@example([(b"X-Twice", b"1"), (b"x-twice", b"2")])
def test_header_fields_come_back_byte_for_byte(fields: list[tuple[bytes, bytes]]) -> None:
    headers = tuple(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")) for name, value in fields
    )
    text = layout.headers_text(headers)
    assert json.loads(text) is not None
    text.encode()  # SQLite holds no surrogates
    assert layout.headers_of(text) == headers


@settings(deadline=None, max_examples=200)
@given(CHUNKS)
def test_chunks_come_back(chunks: tuple[Chunk, ...]) -> None:
    body = layout.stored(b"".join(chunk.data for chunk in chunks))
    assert layout.chunks_of(layout.framing_text(chunks), body) == chunks


@pytest.mark.parametrize("text", ["", "x", "{}", "null", '["a"]', '[["a"]]', '[["a","b","c"]]', '[["a",1]]', '"ab"'])
def test_what_is_no_list_of_header_fields_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        layout.headers_of(text)


@pytest.mark.parametrize(
    "framing",
    [
        *("", "x", "{}", "null", "[3]", "[[3]]", '[["0",3]]', "[[0,3,0]]", "[[0,3.0]]", "[[0,true],[0,2]]"),
        *("[[-1,3]]", "[[0,4]]", "[[0,2]]", "[]", "[[0,5],[0,-2]]"),
    ],
)
def test_a_framing_that_does_not_fit_its_body_is_refused(framing: str) -> None:
    with pytest.raises(ValueError):
        layout.chunks_of(framing, "abc")


def test_a_body_of_several_bytes_a_character_is_framed_by_bytes() -> None:
    chunks = (Chunk(1, "ü".encode()[:1]), Chunk(2, "ü".encode()[1:]))
    assert layout.chunks_of(layout.framing_text(chunks), "ü") == chunks
