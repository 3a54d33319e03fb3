"""What each piece of an answer adds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.completion import assemble
from proxy.core.delta import Addition, Kind, Piece, addition, addition_of, content_of, reasoning_of
from proxy.core.lenient import joined
from proxy.core.model import Chunk, Outcome, Response


def event(*choices: dict[str, Any], **fields: Any) -> bytes:
    return b"data: " + json.dumps({"choices": choices, **fields}).encode() + b"\n\n"


def delta(**fields: Any) -> bytes:
    return event({"index": 0, "delta": fields})


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (delta(role="assistant", content=""), ()),
        (delta(content="Hi"), (Piece(0, Kind.CONTENT, "Hi"),)),
        (delta(reasoning_content="Hm"), (Piece(0, Kind.REASONING, "Hm"),)),
        (delta(reasoning="Hm", reasoning_content="Hm"), (Piece(0, Kind.REASONING, "Hm"),)),
        (delta(refusal="No."), (Piece(0, Kind.REFUSAL, "No."),)),
        (delta(audio={"transcript": "Yes"}), (Piece(0, Kind.AUDIO, "Yes"),)),
        (delta(audio={"data": "AAAA"}), ()),
        (
            delta(tool_calls=[{"index": 1, "function": {"name": "f", "arguments": "{"}}]),
            (Piece(0, Kind.CALL, "{", 1, "f"),),
        ),
        (
            delta(tool_calls=[{"type": "custom", "custom": {"name": "sh", "input": "ls"}}]),
            (Piece(0, Kind.CALL, "ls", 0, "sh"),),
        ),
        (delta(function_call={"arguments": "}"}), (Piece(0, Kind.CALL, "}"),)),
        (event({"index": 2, "text": "old"}), (Piece(2, Kind.CONTENT, "old"),)),
        (
            event({"delta": {"content": "a"}}, {"delta": {"content": "b"}}),
            (Piece(0, Kind.CONTENT, "a"), Piece(1, Kind.CONTENT, "b")),
        ),
        (event(error={"message": "overloaded"}), (Piece(0, Kind.ERROR, "overloaded"),)),
        (rb'data: {"choices":[{"delta":{"content":"\ud83d"}}]}' + b"\n\n", (Piece(0, Kind.CONTENT, "\ud83d"),)),
        (b"data: [DONE]\n\n", ()),
        (b": ping\n\n", ()),
        (b"data: {broken\n\n", ()),
        (b"", ()),
    ],
)
def test_an_event_adds_pieces_to_choices(data: bytes, pieces: tuple[Piece, ...]) -> None:
    assert addition(data) == Addition(pieces)


def test_an_event_tells_which_choices_it_ends() -> None:
    ends: list[dict[str, Any]] = [
        {"index": 0, "finish_reason": None},
        {"index": 1, "finish_reason": "stop"},
        {"index": 2},
    ]
    assert addition(event(*ends)).ended == {1}


def test_a_plain_answer_adds_all_of_it() -> None:
    choice = {"message": {"content": "Hi", "reasoning": "Hm"}, "finish_reason": "stop"}
    assert addition_of({"choices": [choice]}) == Addition(
        (Piece(0, Kind.REASONING, "Hm"), Piece(0, Kind.CONTENT, "Hi")), frozenset({0})
    )


def test_content_in_parts_is_text_and_thoughts() -> None:
    """As Mistral's reasoning models answer."""
    thoughts = [{"type": "text", "text": "Let me "}, {"type": "text", "text": "think."}]
    message = {"content": [{"type": "thinking", "thinking": thoughts}, {"type": "text", "text": "42"}]}
    assert (reasoning_of(message), content_of(message)) == ("Let me think.", "42")


_TEXT = st.sampled_from(["", "a", "\ud83d", "\ude42", "é"])
_DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": _TEXT | st.none() | st.integers(),
        "reasoning": _TEXT,
        "refusal": _TEXT,
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {"index": st.integers(0, 1), "function": st.fixed_dictionaries({"arguments": _TEXT})}
            ),
            max_size=2,
        ),
    },
)


@given(st.lists(st.lists(st.tuples(st.integers(0, 2), _DELTA), max_size=2), max_size=5))
def test_the_pieces_of_a_stream_are_what_its_answer_says(deltas: list[list[tuple[int, dict[str, Any]]]]) -> None:
    events = [event(*({"index": index, "delta": fields} for index, fields in choices)) for choices in deltas]
    chunks = tuple(Chunk(0, data) for data in events)
    answer = assemble(Response(200, (("content-type", "text/event-stream"),), chunks, Outcome.COMPLETE, 0, 0))
    pieces = [piece for data in events for piece in addition(data).pieces]

    def said(choice: int, kind: Kind, call: int = 0) -> str:
        return joined(piece.text for piece in pieces if (piece.choice, piece.kind, piece.call) == (choice, kind, call))

    for choice in answer.choices:
        assert said(choice.index, Kind.CONTENT) == choice.content
        assert said(choice.index, Kind.REASONING) == choice.reasoning
        assert said(choice.index, Kind.REFUSAL) == choice.refusal
        calls = {said(choice.index, Kind.CALL, place) for place in (0, 1)} - {""}
        assert calls == {call.arguments for call in choice.tool_calls} - {""}
