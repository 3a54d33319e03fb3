"""Which bytes go on at once, which wait for the commit, and how an answer is cut into chunks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import sse
from proxy.tee import PassingTee, PlainTee, StreamTee, Tee
from tests.running import DONE, STOP, delta

if TYPE_CHECKING:
    from collections.abc import Sequence

HELLO = delta("Grüße, 世界 🙂")
STREAMS = {
    "plain": HELLO + STOP + DONE,
    "crlf": (HELLO + STOP + DONE).replace(b"\n", b"\r\n"),
    "cr": (HELLO + STOP + DONE).replace(b"\n", b"\r"),
    "comments": b": OPENROUTER PROCESSING\n\n" + HELLO + b":\n\n" + STOP + DONE,
    "mark": b"\xef\xbb\xbf" + HELLO + DONE,
    "bare data": b"data:[DONE]\n\n",
    "done with fields": HELLO + b"event: end\nid: 7\ndata: [DONE]\n\n",
    "after done": HELLO + DONE + b": bye\n\n" + b"data: {}",
    "done unended": HELLO + b"data: [DONE]",
    "done half ended": HELLO + b"data: [DONE]\n",
    "done twice": HELLO + DONE + DONE,
    "done quoted": delta("data: [DONE]") + STOP,
    "unended": HELLO + b'data: {"choices"',
    "not utf-8": b"data: \xff\xfe\x00\n\n" + DONE,
    "only breaks": b"\r\n\r\n\n\n\r\r",
    "empty": b"",
}


def splits(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Any way of cutting bytes into reads."""
    marks = st.lists(st.integers(0, len(data)), max_size=24).map(lambda inner: sorted({0, len(data), *inner}))
    return marks.map(lambda all_marks: [data[start:end] for start, end in pairwise(all_marks)])


STREAMED = st.sampled_from(sorted(STREAMS)).flatmap(lambda name: splits(STREAMS[name]))


def feed(tee: Tee, reads: Sequence[bytes], *, commit: bool = True) -> tuple[bytes, list[bytes]]:
    """Do what a capture does; return the bytes that went on, and what stood held back at each commit."""
    passed = b""
    held: list[bytes] = []
    fed = b""
    for at, read in enumerate(reads):
        fed += read
        passed += tee.feed(read, at)
        if tee.is_at_end and commit:
            held.append(fed[len(passed) :])
            passed += tee.release()
    tee.end(len(reads))
    if commit:
        passed += tee.release()
    return passed, held


@given(STREAMED)
@settings(deadline=None, max_examples=300)
def test_a_stream_goes_on_byte_for_byte_and_is_cut_at_its_events_however_it_is_read(reads: list[bytes]) -> None:
    body = b"".join(reads)
    tee = StreamTee()
    passed, _ = feed(tee, reads)
    assert passed == body
    assert [chunk.data for chunk in tee.chunks] == sse.split(body)


@given(st.sampled_from(["plain", "crlf", "comments", "done with fields", "done twice"]), st.data())
@settings(deadline=None, max_examples=300)
def test_nothing_of_done_that_shows_the_end_goes_on_before_the_commit(name: str, data: st.DataObject) -> None:
    body = STREAMS[name]
    reads = data.draw(splits(body))
    passed, _ = feed(StreamTee(), reads, commit=False)
    assert body.startswith(passed)
    assert b"[DONE]" not in passed
    assert len(passed) >= body.index(b"data: [DONE]") - len(b"event: end\nid: 7\n")


@given(st.sampled_from(["done unended", "done half ended", "cr"]), st.data())
@settings(deadline=None, max_examples=100)
def test_done_waits_even_where_its_event_has_not_ended(name: str, data: st.DataObject) -> None:
    reads = data.draw(splits(STREAMS[name]))
    passed, held = feed(StreamTee(), reads, commit=False)
    assert b"[DONE]" not in passed
    assert held == []


@given(STREAMED)
@settings(deadline=None, max_examples=200)
def test_all_but_the_event_that_ends_the_stream_goes_on_with_the_read_it_came_in(reads: list[bytes]) -> None:
    tee = StreamTee()
    fed = passed = b""
    for at, read in enumerate(reads):
        fed += read
        passed += tee.feed(read, at)
        waiting = fed[len(passed) :]
        assert not waiting or b"]" in waiting or tee.is_at_end


def test_an_event_is_stamped_with_the_read_that_ends_it() -> None:
    tee = StreamTee()
    tee.feed(HELLO[:5], 10)
    tee.feed(HELLO[5:] + STOP, 20)
    tee.feed(DONE, 30)
    assert [chunk.at_us for chunk in tee.chunks] == [20, 20, 30]


def test_what_comes_after_done_goes_on_at_once_when_done_did() -> None:
    tee = StreamTee()
    assert tee.feed(HELLO + DONE + b": b", 1) == HELLO
    ends = [tee.is_at_end]
    assert tee.release() == DONE + b": b"
    ends.append(tee.is_at_end)
    assert tee.feed(b"ye\n\n", 2) == b"ye\n\n"
    assert tee.feed(DONE, 3) == DONE
    ends.append(tee.is_at_end)
    assert ends == [True, False, False]


@pytest.mark.parametrize("name", ["done quoted", "empty", "only breaks"])
def test_a_stream_without_done_never_waits(name: str) -> None:
    tee = StreamTee()
    assert tee.feed(STREAMS[name], 1) == STREAMS[name]
    assert not tee.is_at_end


BODY = '{"choices":[{"message":{"content":"世界 🙂"}}]}'.encode()


@given(splits(BODY))
@settings(deadline=None, max_examples=100)
def test_a_counted_body_waits_with_the_read_that_completes_it(reads: list[bytes]) -> None:
    tee = PlainTee(len(BODY))
    passed, _ = feed(tee, reads, commit=False)
    assert BODY.startswith(passed)
    assert len(passed) < len(BODY)
    assert passed == b"".join(reads[:-1])
    assert tee.is_at_end
    assert passed + tee.release() == BODY
    assert [chunk.data for chunk in tee.chunks] == reads


@given(splits(BODY))
@settings(deadline=None, max_examples=50)
def test_a_body_of_unknown_length_waits_for_nothing(reads: list[bytes]) -> None:
    tee = PlainTee(None)
    for at, read in enumerate(reads):
        assert tee.feed(read, at) == read
        assert not tee.is_at_end
    assert [chunk.data for chunk in tee.chunks] == reads
    assert tee.release() == b""


def test_more_than_was_counted_goes_on_too() -> None:
    tee = PlainTee(3)
    assert tee.feed(b"abcd", 1) == b""
    assert tee.release() == b"abcd"
    assert tee.feed(b"ef", 2) == b"ef"
    assert not tee.is_at_end


def test_of_an_answer_that_is_not_kept_any_more_all_goes_on_what_was_held_back_first() -> None:
    tee = PassingTee(b"held ")
    assert [tee.feed(piece, 1) for piece in (b"one ", DONE)] == [b"held one ", DONE]
    tee.end(2)
    assert (tee.chunks, tee.is_at_end, tee.release()) == ([], False, b"")
