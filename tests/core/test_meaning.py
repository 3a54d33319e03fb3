"""What counts when two answers are compared, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from proxy.core.meaning import meaning, said
from proxy.core.model import Chunk, Outcome, Response
from tests.core.test_completion import delta, message, plain, stream

if TYPE_CHECKING:
    from proxy.core.canonical import Json

CALLED: Final = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a": 1, "b": 2}'}}
CALLED_AGAIN: Final = {"id": "b", "function": {"name": "f", "arguments": '{"b":2,"a":1}'}}
CITED: Final = {"type": "url_citation", "url_citation": {"title": "A page", "url": "http://127.0.0.1/a"}}

SAME: Final[dict[str, tuple[Response, Response]]] = {
    "id, time and fingerprint": (
        plain(message(content="x")),
        plain(message(content="x") | {"id": "c2", "created": 5, "system_fingerprint": "f", "usage": {"total": 1}}),
    ),
    "plain and streamed": (plain(message(content="x")), stream(delta(content="x"), delta(finish="stop"))),
    "framing": (
        stream(delta(content="x y"), delta(finish="stop")),
        stream(delta(content="x"), delta(content=" y", finish="stop")),
    ),
    "obfuscation": (
        stream(delta(content="x"), delta(finish="stop")),
        stream(delta(content="x") | {"obfuscation": "abc"}, delta(finish="stop")),
    ),
    "spelling of arguments": (plain(message(tool_calls=[CALLED])), plain(message(tool_calls=[CALLED_AGAIN]))),
    "absent and empty": (plain(message(content=None, annotations=[])), plain(message(content="", refusal=None))),
    "spelling of another body": (plain(b'{"data": [1.0]}'), plain(b'{"data":[1]}')),
    "headers": (plain({"data": 1}), plain({"data": 1}, content_type="application/json; charset=utf-8")),
}
OTHER: Final[dict[str, tuple[Response, Response]]] = {
    "text": (plain(message(content="x")), plain(message(content="y"))),
    "refusal": (plain(message(refusal="x")), plain(message(refusal="y"))),
    "audio": (plain(message(audio={"transcript": "x"})), plain(message(audio={"transcript": "y"}))),
    "reasoning": (plain(message(reasoning="x")), plain(message(reasoning="y"))),
    "annotations": (plain(message(annotations=[CITED])), plain(message())),
    "finish reason": (stream(delta(finish="stop")), stream(delta(finish="length"))),
    "order of tool calls": (
        plain(message(tool_calls=[CALLED, CALLED | {"function": {"name": "g"}}])),
        plain(message(tool_calls=[CALLED | {"function": {"name": "g"}}, CALLED])),
    ),
    "status": (plain({"error": {"message": "x"}}, status=400), plain({"error": {"message": "x"}}, status=404)),
    "an error's code": (plain({"error": {"message": "x", "code": "a"}}), plain({"error": {"message": "x"}})),
    "another body": (plain({"data": [1]}), plain({"data": [True]})),
    "bytes": (plain(b"\xff"), plain(b"\xfe")),
    "bytes and their escape": (plain(b"\xff"), plain(b"\\xff")),
    "no body": (plain(b""), plain(b"x")),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_what_does_not_count_makes_no_other_meaning(one: Response, other: Response) -> None:
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_all_else_does(one: Response, other: Response) -> None:
    assert meaning(one) != meaning(other)


def test_an_answer_that_broke_off_says_something_else() -> None:
    head, chunks = (("content-type", "text/event-stream"),), (Chunk(1, b"data: {}\n\n"),)
    whole, cut = (Response(200, head, chunks, outcome, 1, 2) for outcome in (Outcome.COMPLETE, Outcome.CUT))
    assert meaning(whole) != meaning(cut)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (plain(message(content="Hi")), {"choices": [{"index": 0, "finish_reason": "stop", "content": "Hi"}]}),
        (plain({"data": [1]}), {"body": {"data": [1]}}),
        (plain(b"not JSON"), {"body": "not JSON"}),
        (plain(b""), {}),
        (stream({"type": "response.created"}, end=b""), {"body": [{"type": "response.created"}]}),
        (plain({"error": "No."}), {"error": "No."}),
        (stream({"error": {"message": "No."}}), {"error": "No."}),
    ],
)
def test_what_is_said_has_only_what_is_there(response: Response, expected: dict[str, Json]) -> None:
    rest: dict[str, Any] = {"status": 200, "outcome": "complete"}
    assert said(response) == rest | expected
