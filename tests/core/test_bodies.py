"""Bodies as JSON members: readable where that loses nothing, and the same bytes again always."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core import bodies
from proxy.core.model import Chunk
from tests.cassette.making import DATA

CHUNKS = st.lists(st.builds(Chunk, st.integers(0, 2**62), DATA), max_size=5).map(tuple)
EVENT = '{"choices":[{"delta":{"content":"Grüße"}}]}'


def events(*texts: str) -> tuple[Chunk, ...]:
    return tuple(Chunk(100 * place, text.encode()) for place, text in enumerate(texts, 1))


def carried(members: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(orjson.dumps(members))
    return value


@pytest.mark.parametrize(
    ("body", "members"),
    [
        (b"", {}),
        (b'{"a":1}', {"json": {"a": 1}}),
        (b'{"a": 1}', {"json": {"a": 1}, "style": "spaced"}),
        (b'{"a":1e5}', {"text": '{"a":1e5}'}),
        ("Grüße".encode(), {"text": "Grüße"}),
        (b"\xff\0", {"base64": "/wA="}),
    ],
)
def test_a_body_is_told_as_readably_as_loses_nothing(body: bytes, members: dict[str, Any]) -> None:
    assert bodies.to_json(body) == members
    assert bodies.from_json(members) == body


def test_a_plain_answer_is_told_whole_with_its_framing_beside_it() -> None:
    first, second = Chunk(5, '{"a":"ü'.encode()[:-1]), Chunk(9, "ü".encode()[1:] + b'"}')
    assert bodies.chunks_to_json((first, second)) == {"chunks": [[5, 7], [9, 3]], "json": {"a": "ü"}}
    assert bodies.chunks_to_json((Chunk(5, b"{}"),)) == {"at_us": 5, "json": {}}
    assert bodies.chunks_to_json((Chunk(5, b""),)) == {"at_us": 5}
    assert bodies.chunks_to_json(()) == {}


def test_a_stream_is_told_event_by_event() -> None:
    stream = events(f"data: {EVENT}\n\n", ": ping\n\n", "data: {}\r\n\r\n", "data: [DONE]\n\n")
    told = bodies.stream_to_json((*stream, Chunk(900, b"\xff")))
    assert told == {
        "events": [
            [100, json.loads(EVENT)],
            [200, ": ping\n\n"],
            [300, "data: {}\r\n\r\n"],
            [400, "data: [DONE]\n\n"],
            [900, "/w==", "base64"],
        ]
    }


def test_the_events_of_a_stream_share_a_style() -> None:
    stream = events('data: {"a": "x"}\n\n', 'data: {"a": "\\u00fc"}\n\n', "data: {}\n\n", 'data: {"a":1}\n\n')
    told = bodies.stream_to_json(stream)
    assert told == {
        "style": "ascii spaced",
        "events": [[100, {"a": "x"}], [200, {"a": "ü"}], [300, {}], [400, 'data: {"a":1}\n\n']],
    }
    assert bodies.chunks_from_json(carried(told)) == stream


@settings(deadline=None, max_examples=300)
@given(CHUNKS)
@example(events('data: {"base64":"x"}\n\n', 'data: ["text","base64"]\n\n', 'data: "text"\n\n', "data: 1\n\n"))
@example(events('data: {"a":1}\n\n', 'data: {"a": "\\ud83d"}\n\n', "data: \n\n", "data: {}\n\n\n"))
def test_chunks_come_back_told_either_way(chunks: tuple[Chunk, ...]) -> None:
    assert bodies.chunks_from_json(carried(bodies.chunks_to_json(chunks))) == chunks
    assert bodies.chunks_from_json(carried(bodies.stream_to_json(chunks))) == chunks


@pytest.mark.parametrize(
    "members",
    [
        {"text": 1},
        {"base64": None},
        {"base64": "!"},
        {"base64": "ü"},
        {"json": {}, "text": ""},
        {"json": {}, "style": 1},
        {"json": {}, "style": "bold"},
        {"at_us": -1, "text": ""},
        {"at_us": True, "text": ""},
        {"at_us": 2**63, "text": ""},
        {"at_us": 1.0, "text": ""},
        {"text": "without times"},
        {"at_us": 1, "chunks": []},
        {"at_us": 1, "events": []},
        {"text": "ab", "chunks": [[0, 1]]},
        {"text": "ab", "chunks": [[0, 3], [0, -1]]},
        {"text": "ab", "chunks": [2]},
        {"text": "ab", "chunks": {}},
        {"text": "ab", "chunks": [[0, 2, 3]]},
        {"events": {}},
        {"events": [[0]]},
        {"events": [["0", "a"]]},
        {"events": [[-1, "a"]]},
        {"events": [[0, 1]]},
        {"events": [[0, "a", "base32"]]},
        {"events": [[True, "a"]]},
        {"events": [], "text": ""},
    ],
)
def test_what_tells_no_body_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        bodies.chunks_from_json(members)
