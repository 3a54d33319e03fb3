"""Requests in so few numbers that all of a cassette's are held at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.sketch import Sketch, sketch

if TYPE_CHECKING:
    from proxy.core.canonical import Json

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of Peru?"}]


def of(messages: list[dict[str, Json]], path: str = "/v1/chat/completions", **fields: Any) -> Sketch:
    return of_body({"messages": messages, **fields}, path)


def of_body(body: Json, path: str) -> Sketch:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return sketch(normalize(Request("POST", path, body=data)).content)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (of(ASKED, model="b"), {"endpoint", "talk", "matter", "words"}),
        (of(ASKED, temperature=0.5, tools=[]), {"endpoint", "talk", "matter", "words"}),
        (of([{"role": "system", "content": "Be kind."}, ASKED[1]]), {"endpoint", "matter", "words"}),
        (of([{"role": "developer", "content": "Be brief."}, ASKED[1]]), {"endpoint", "matter", "words"}),
        (of(ASKED[1:]), {"endpoint", "matter", "words"}),
        (of([ASKED[0], {"role": "user", "content": "Who wrote Faust?"}]), {"endpoint"}),
        (of(ASKED, path="/openai/chat/completions"), {"words"}),
    ],
)
def test_settings_and_instructions_are_told_from_what_is_asked(other: Sketch, same: set[str]) -> None:
    mine = of(ASKED, model="a")
    assert {name for name in Sketch.__slots__ if getattr(mine, name) == getattr(other, name)} == same


def test_without_messages_all_but_the_model_is_what_is_asked() -> None:
    one, other, third = (
        of_body(body, "/v1/embeddings")
        for body in ({"model": "a", "input": "x"}, {"model": "b", "input": "x"}, {"model": "a", "input": "y"})
    )
    assert one.talk == other.talk != third.talk


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[1]", b'"text"', b'{"messages":7}', b'{"messages":[null,"x"]}'])
def test_whatever_was_asked_has_a_sketch(body: bytes) -> None:
    assert of_body(body, "/v1/chat/completions") == of_body(body, "/v1/chat/completions")


def test_the_last_messages_tell_the_turns_of_a_conversation_apart() -> None:
    turns = [{"role": "user", "content": f"the turn number{turn}"} for turn in range(9)]
    words = [set(of(turns[: turn + 1]).words) for turn in range(9)]
    assert len(set(map(frozenset, words))) == len(turns)
    assert max(map(len, words)) == len({"user", "the", "turn", "number6", "number7", "number8"})
