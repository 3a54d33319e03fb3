"""What each fault does to a stream and to a plain answer, and that it does nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core import sse
from proxy.core.faults import Framing, parse
from proxy.core.inject import Injected, inject
from proxy.core.model import Chunk, Outcome, Response

SSE = (("content-type", "text/event-stream"), ("x-request-id", "req_1"))
JSON = (("content-type", "application/json"), ("x-request-id", "req_1"))
DONE = b"data: [DONE]\n\n"
EVENTS = [
    f'data: {{"delta": "{word} \u00e9\U0001f642 and more of it"}}\n\n'.encode() for word in ("one", "two", "three")
]
BODY = json.dumps({"choices": [{"message": {"content": "\u00e9\U0001f642" * 20}}]}, ensure_ascii=False).encode()


def stream(*events: bytes) -> Response:
    chunks = tuple(Chunk(1_000 * number, event) for number, event in enumerate(events, 1))
    return Response(200, SSE, chunks, Outcome.COMPLETE, 500, 99_000)


def plain(body: bytes = BODY) -> Response:
    half = len(body) // 2
    chunks = tuple(Chunk(at, data) for at, data in ((1_000, body[:half]), (2_000, body[half:])) if data)
    return Response(200, JSON, chunks, Outcome.COMPLETE, 500, 99_000)


STREAM = stream(*EVENTS, DONE)
UNENDED = stream(*EVENTS)
PLAIN = plain()


def injected(response: Response, text: str) -> Injected:
    return inject(response, parse(text))


def sent(response: Response, text: str) -> list[bytes]:
    return [chunk.data for chunk in injected(response, text).response.chunks]


def error_of(event: bytes) -> object:
    return json.loads(sse.data_of(event) or b"")["error"]["type"]


def is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode())  # a body that is cut is text all the same
    except json.JSONDecodeError:
        return False
    return True


def each_cut_inside(pieces: list[bytes]) -> list[int]:
    """Tell before which pieces a character is cut."""
    return [number for number, piece in enumerate(pieces) if piece[0] & 0xC0 == 0x80]


@pytest.mark.parametrize("response", [STREAM, UNENDED, PLAIN, plain(b""), stream()])
def test_no_fault_changes_nothing(response: Response) -> None:
    assert inject(response, ()) == Injected(response, delay_us=0, stalls=False)


@pytest.mark.parametrize("response", [STREAM, PLAIN])
def test_a_status_leaves_the_recording_alone(response: Response) -> None:
    assert injected(response, "status=429") == Injected(response)


@pytest.mark.parametrize("response", [STREAM, PLAIN])
def test_delays_add_up_and_change_nothing_else(response: Response) -> None:
    assert injected(response, "delay=250ms, delay=2s") == Injected(response, delay_us=2_250_000)


@pytest.mark.parametrize(
    "text",
    [
        *("delay=1s", "stall; after=2", "cut; after=1", "cut; end=clean", "error; at=2", "malformed; at=2"),
        *("framing=split", "framing=glue", "framing=bytes"),
    ],
)
def test_the_head_and_the_times_stay(text: str) -> None:
    response = injected(STREAM, text).response
    kept = ("status", "headers", "first_byte_us", "duration_us", "was_asked_as_stream")
    assert [getattr(response, name) for name in kept] == [getattr(STREAM, name) for name in kept]
    if "error" not in text:
        faulty = injected(PLAIN, text).response
        assert [getattr(faulty, name) for name in kept] == [getattr(PLAIN, name) for name in kept]


@pytest.mark.parametrize(("after", "count"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (5, 3), (999, 3)])
def test_a_stream_stalls_or_is_cut_after_so_many_events_and_before_done(after: int, count: int) -> None:
    for text, outcome in [("cut", Outcome.CUT), ("cut; end=clean", Outcome.UNFINISHED), ("stall", Outcome.UNFINISHED)]:
        result = injected(STREAM, f"{text}; after={after}")
        assert result.response == replace(STREAM, chunks=STREAM.chunks[:count], outcome=outcome)
        assert result.stalls == (text == "stall")


@pytest.mark.parametrize(
    ("text", "count"),
    [("cut; after=3", 3), ("cut; after=9", 3), ("stall; after=9", 3), ("cut; end=clean; after=3", 2)],
)
def test_a_stream_without_done_is_cut_so_that_it_shows(text: str, count: int) -> None:
    assert sent(UNENDED, text) == EVENTS[:count]


def test_a_comment_is_no_event_and_goes_with_the_one_after_it() -> None:
    response = stream(b": processing\n\n", EVENTS[0], b": processing\n\n", EVENTS[1], DONE)
    assert sent(response, "cut") == []
    assert sent(response, "cut; after=1") == [b": processing\n\n", EVENTS[0]]
    assert sent(response, "cut; after=9")[-1] == EVENTS[1]
    assert sent(response, "malformed; at=2")[:3] == [b": processing\n\n", EVENTS[0], b": processing\n\n"]


def test_a_comment_at_the_end_does_not_hide_a_clean_cut() -> None:
    response = stream(*EVENTS, b": bye\n\n")
    assert sent(response, "cut; end=clean; after=9") == EVENTS[:2]


def test_a_stream_is_counted_by_events_however_it_is_in_chunks() -> None:
    whole = b"".join([*EVENTS, DONE])
    response = stream(whole[:10], whole[10:200], whole[200:])
    result = injected(response, "cut; after=1").response
    assert result.chunks == (Chunk(2_000, EVENTS[0]),)


@pytest.mark.parametrize("text", ["cut", "cut; after=7", "cut; seed=3", "cut; end=clean", "stall; after=1"])
def test_a_plain_answer_is_cut_about_its_middle(text: str) -> None:
    result = injected(PLAIN, text)
    body = result.response.body
    assert BODY.startswith(body)
    assert len(BODY) // 4 <= len(body) <= len(BODY) * 3 // 4
    assert result.response.outcome is (
        Outcome.CUT if text.startswith("cut") and "end" not in text else Outcome.UNFINISHED
    )
    assert [chunk.at_us for chunk in result.response.chunks] in ([1_000], [1_000, 2_000])


def test_a_plain_answer_that_stalls_at_once_has_a_head_alone() -> None:
    result = injected(PLAIN, "stall")
    assert result.stalls
    assert result.response.chunks == ()


@pytest.mark.parametrize(
    "response", [plain(b""), plain(b"x"), plain(b"{}"), stream(), stream(DONE), stream(b": x\n\n")]
)
@pytest.mark.parametrize(
    "text",
    [
        *("cut", "cut; end=clean; after=2", "stall", "stall; after=3", "error", "malformed", "malformed; at=4"),
        *("framing=split", "framing=glue", "framing=bytes"),
    ],
)
def test_little_or_nothing_goes_through(response: Response, text: str) -> None:
    pieces = sent(response, text)
    assert all(pieces)
    if text.startswith("framing"):
        assert b"".join(pieces) == response.body
    elif response.body and text.startswith(("cut", "stall")):
        assert len(b"".join(pieces)) < len(response.body)


@pytest.mark.parametrize(("at", "place"), [(1, 0), (2, 1), (3, 2), (4, 2), (99, 2)])
def test_an_error_stands_in_an_events_place_and_ends_the_stream(at: int, place: int) -> None:
    response = injected(STREAM, f"error; at={at}").response
    *before, event = response.chunks
    assert tuple(before) == STREAM.chunks[:place]
    assert error_of(event.data) == "server_error"
    assert event.data.startswith(b'data: {"error":')
    assert event.data.endswith(b"}\n\n")
    assert event.at_us == STREAM.chunks[place].at_us
    assert response.outcome is Outcome.UNFINISHED


@pytest.mark.parametrize("response", [stream(), stream(DONE), stream(b": x\n\n")])
def test_a_stream_without_events_gets_an_error_all_the_same(response: Response) -> None:
    (event,) = sent(response, "error; at=3")
    assert error_of(event) == "server_error"


def test_an_error_makes_of_a_plain_answer_one_with_status_500() -> None:
    response = injected(PLAIN, "error; at=3").response
    assert (response.status, response.outcome) == (500, Outcome.COMPLETE)
    assert response.headers == (("content-type", "application/json"), ("retry-after-ms", "1"))
    assert response.json()["error"]["type"] == "server_error"
    assert not response.is_stream


@pytest.mark.parametrize(("at", "place"), [(1, 0), (2, 1), (3, 2), (4, 2), (99, 2)])
@pytest.mark.parametrize("seed", range(5))
def test_a_malformed_event_is_framed_well_and_the_rest_goes_on(at: int, place: int, seed: int) -> None:
    response = injected(STREAM, f"malformed; at={at}; seed={seed}").response
    broken = response.chunks[place].data
    assert broken.startswith(b'data: {"')
    assert broken.endswith(b"\n\n")
    assert EVENTS[place].startswith(broken[:-2])
    assert not is_json(sse.data_of(broken) or b"")
    rest = [chunk for number, chunk in enumerate(response.chunks) if number != place]
    assert rest == [chunk for number, chunk in enumerate(STREAM.chunks) if number != place]
    assert sse.split(response.body)[place] == broken
    assert response.outcome is STREAM.outcome


@pytest.mark.parametrize(
    "event",
    [
        b'event: x\r\ndata: {"a": "bcd"}\r\nid: 7\r\n\r\n',
        b'data: {\ndata: "a": "bcd"}\n\n',
        b'\xef\xbb\xbfdata:{"a": "bcd"}\r\r',
        b'data: {"a": "bcd"}',
        b'id: {"a": "bcd"}\ndata: {"a": "bcd"}\n\n',
    ],
)
@pytest.mark.parametrize("seed", range(8))
def test_an_event_of_any_spelling_is_broken_in_its_data(event: bytes, seed: int) -> None:
    assert is_json(sse.data_of(event) or b"")
    (broken,) = sent(stream(event), f"malformed; seed={seed}")
    assert not is_json(sse.data_of(broken) or b"")
    assert sse.split(broken + DONE) == [broken, DONE]


@pytest.mark.parametrize("body", [BODY, b"{}" + b"\n" * 100, b'  {"a": 1}\n'])
@pytest.mark.parametrize("seed", range(8))
def test_a_malformed_plain_answer_ends_well_and_is_no_json(body: bytes, seed: int) -> None:
    response = injected(plain(body), f"malformed; seed={seed}").response
    assert body.startswith(response.body)
    assert not is_json(response.body)
    assert response.outcome is Outcome.COMPLETE


def test_glue_makes_one_piece_that_comes_last() -> None:
    assert injected(STREAM, "framing=glue").response.chunks == (Chunk(4_000, STREAM.body),)
    assert injected(PLAIN, "framing=glue").response.chunks == (Chunk(2_000, BODY),)


@pytest.mark.parametrize("response", [STREAM, PLAIN])
def test_each_byte_comes_when_its_chunk_came(response: Response) -> None:
    chunks = injected(response, "framing=bytes").response.chunks
    assert chunks == tuple(Chunk(chunk.at_us, bytes([byte])) for chunk in response.chunks for byte in chunk.data)


@given(
    st.lists(st.text(max_size=12).map(str.encode) | st.binary(max_size=12), max_size=6),
    st.sampled_from(Framing),
    st.integers(0, 999),
)
def test_framing_changes_no_byte_and_makes_no_empty_piece(parts: list[bytes], framing: Framing, seed: int) -> None:
    response = stream(*parts)
    chunks = injected(response, f"framing={framing}; seed={seed}").response.chunks
    assert b"".join(chunk.data for chunk in chunks) == response.body
    assert all(chunk.data for chunk in chunks)
    assert [chunk.at_us for chunk in chunks] == sorted(chunk.at_us for chunk in chunks)
    assert {chunk.at_us for chunk in chunks} <= {chunk.at_us for chunk in response.chunks}


@given(st.text(max_size=80), st.integers(0, 999))
def test_split_cuts_within_a_character_of_several_bytes_and_anywhere_at_least_once(text: str, seed: int) -> None:
    pieces = sent(plain(text.encode()), f"framing=split; seed={seed}")
    assert bool(each_cut_inside(pieces)) != text.isascii()
    assert len(pieces) > 1 or len(text.encode()) <= 1


@given(st.integers(0, 999), st.sampled_from(["malformed; at=2", "framing=split", "cut"]))
def test_the_same_seed_does_the_same(seed: int, text: str) -> None:
    for response in (STREAM, PLAIN):
        assert injected(response, f"{text}; seed={seed}") == injected(response, f"{text}; seed={seed}")


@pytest.mark.parametrize(
    ("response", "text"),
    [(STREAM, "malformed"), (STREAM, "framing=split"), (PLAIN, "malformed"), (PLAIN, "framing=split"), (PLAIN, "cut")],
)
def test_another_seed_does_something_else_as_a_rule(response: Response, text: str) -> None:
    assert len({tuple(sent(response, f"{text}; seed={seed}")) for seed in range(10)}) > 5


def test_a_seed_cuts_in_the_same_places_on_every_machine() -> None:
    assert sent(plain(b"abcdefghijklmnop"), "framing=split; seed=7") == [b"abc", b"d", b"efghijklmnop"]


def test_several_faults_come_in_their_order_and_framing_last() -> None:
    result = injected(STREAM, "framing=bytes, malformed; at=1, cut; after=2, delay=1s")
    assert (result.delay_us, result.stalls, result.response.outcome) == (1_000_000, False, Outcome.CUT)
    assert all(len(chunk.data) == 1 for chunk in result.response.chunks)
    assert result.response.body == b"".join(sent(STREAM, "malformed; at=1, cut; after=2"))
    assert sent(STREAM, "error; at=2, malformed; at=2") != sent(STREAM, "malformed; at=2, error; at=2")
