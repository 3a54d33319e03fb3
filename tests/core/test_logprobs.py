"""How sure a model was of each token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.core.logprobs import Candidate, Logprob, logprobs
from proxy.core.model import Chunk, Outcome, Response


def response(*documents: Any, stream: bool = True) -> Response:
    kind = "text/event-stream" if stream else "application/json"
    form = b"data: %b\n\n" if stream else b"%b"
    chunks = tuple(Chunk(0, form % json.dumps(document).encode()) for document in documents)
    return Response(200, (("content-type", kind),), chunks, Outcome.COMPLETE, 0, 0)


def choice(index: int, *tokens: Any, field: str = "content") -> dict[str, Any]:
    return {"index": index, "logprobs": {field: list(tokens)}}


HI = {
    "token": "Hi",
    "logprob": -0.5,
    "top_logprobs": [{"token": "Hi", "logprob": -0.5}, {"token": "Ho", "logprob": -9999.0}],
}
READ = Logprob("Hi", -0.5, (Candidate("Hi", -0.5), Candidate("Ho", -9999.0)))


def test_plain_and_streamed_tokens_are_read_alike() -> None:
    plain = response({"choices": [choice(0, HI, {"token": "!", "logprob": 0})]}, stream=False)
    streamed = response({"choices": [choice(0, HI)]}, {"choices": [choice(0, {"token": "!", "logprob": 0})]})
    assert logprobs(plain) == logprobs(streamed) == {0: (READ, Logprob("!", 0.0))}


def test_each_choice_has_its_own_and_refusals_have_them_too() -> None:
    both = response({"choices": [choice(1, HI), choice(0, HI, field="refusal"), {"index": 2, "logprobs": None}]})
    assert logprobs(both) == {0: (READ,), 1: (READ,)}


@pytest.mark.parametrize(
    ("token", "read"),
    [
        ({}, Logprob("", None)),
        ({"token": 7, "logprob": "x", "top_logprobs": [3]}, Logprob("", None)),
        ({"token": "\ud83d", "logprob": float("-inf")}, Logprob("\ufffd", None)),
    ],
)
def test_what_is_no_probability_is_none(token: dict[str, Any], read: Logprob) -> None:
    assert logprobs(response({"choices": [choice(0, token)]})) == {0: (read,)}


def test_an_answer_without_any_has_none() -> None:
    assert logprobs(response({"choices": [{"index": 0, "delta": {"content": "x"}}]})) == {}
    assert logprobs(response([1], stream=False)) == {}
