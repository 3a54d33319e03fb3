"""What an answer says, plain and streamed, as real servers send it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.completion import Annotation, Choice, Completion, ToolCall, assemble, is_done, judge, summarize
from proxy.core.model import Chunk, Outcome, Response

CHAT = "/v1/chat/completions"
DONE = b"data: [DONE]\n\n"


def choice(index: int = 0, **fields: Any) -> Choice:
    """Build the expected choice from what differs from an empty one."""
    empty: dict[str, Any] = {
        "role": "assistant",
        "content": "",
        "refusal": "",
        "tool_calls": (),
        "finish_reason": "stop",
        "audio": "",
        "logprobs": 0,
    }
    return Choice(index, **(empty | fields))


def plain(body: Any, *, status: int = 200, content_type: str = "application/json") -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, (("content-type", content_type),), (Chunk(1, data),), Outcome.COMPLETE, 1, 2)


def stream(*documents: Any, end: bytes = DONE, status: int = 200) -> Response:
    events = [
        item if isinstance(item, bytes) else b"data: " + json.dumps(item).encode() + b"\n\n" for item in documents
    ]
    chunks = tuple(Chunk(at, data) for at, data in enumerate([*events, end]))
    return Response(status, (("content-type", "text/event-stream; charset=utf-8"),), chunks, Outcome.COMPLETE, 1, 2)


def delta(index: int = 0, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


def call_delta(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
    named = {"name": fields.pop("name")} if "name" in fields else {}
    return delta(tool_calls=[{"index": index, **fields, "function": {"arguments": arguments, **named}}])


def message(**fields: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant"} | fields, "finish_reason": "stop"}],
    }


HELLO = delta(role="assistant", content="Hel"), delta(content="lo"), delta(finish="stop")

PLAIN: dict[str, tuple[Any, Completion]] = {
    "an ordinary answer": (
        message(content="Hi", refusal=None, annotations=[]) | {"usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        Completion("c1", "m", (choice(content="Hi"),), 3, 2, done=True),
    ),
    "role null": (message(role=None, content="Hi"), Completion("c1", "m", (choice(role="", content="Hi"),), done=True)),
    "content null": (message(content=None, refusal="No."), Completion("c1", "m", (choice(refusal="No."),), done=True)),
    "audio": (
        message(audio={"id": "a", "transcript": "Yes", "data": "AAAAAA=="}),
        Completion("c1", "m", (choice(audio="Yes", audio_bytes=4),), done=True),
    ),
    "reasoning under the name of one server": (
        message(content="42", reasoning_content="Hm."),
        Completion("c1", "m", (choice(content="42", reasoning="Hm."),), done=True),
    ),
    "reasoning under both names": (
        message(content="42", reasoning_content="Hm.", reasoning="Hm."),
        Completion("c1", "m", (choice(content="42", reasoning="Hm."),), done=True),
    ),
    "content in parts": (
        message(
            content=[
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                {"type": "text", "text": "4"},
                {"type": "text", "text": "2"},
                "no part",
            ]
        ),
        Completion("c1", "m", (choice(content="42", reasoning="Hm."),), done=True),
    ),
    "annotations": (
        message(
            content="Rain",
            annotations=[
                {"type": "url_citation", "url_citation": {"title": "W", "url": "https://w.test", "start_index": 0}},
                {"type": "file_citation", "file_citation": {"file_id": "f1", "filename": "a.pdf"}},
                {"type": "new"},
                "none",
            ],
        ),
        Completion(
            "c1",
            "m",
            (
                choice(
                    content="Rain",
                    annotations=(
                        Annotation("url_citation", "W", "https://w.test"),
                        Annotation("file_citation", "a.pdf", "f1"),
                        Annotation("new", "", ""),
                    ),
                ),
            ),
            done=True,
        ),
    ),
    "tool calls": (
        message(
            tool_calls=[
                {"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
                {"id": "y", "type": "custom", "custom": {"name": "g", "input": "raw"}},
            ]
        ),
        Completion(
            "c1",
            "m",
            (choice(tool_calls=(ToolCall("x", "function", "f", '{"a": 1}'), ToolCall("y", "custom", "g", "raw"))),),
            done=True,
        ),
    ),
    "a legacy function call": (
        message(function_call={"name": "f", "arguments": "{}"}),
        Completion("c1", "m", (choice(tool_calls=(ToolCall("", "function", "f", "{}"),)),), done=True),
    ),
    "logprobs": (
        {
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant"},
                    "logprobs": {"content": [{}, {}]},
                    "finish_reason": "length",
                }
            ]
        },
        Completion(choices=(choice(logprobs=2, finish_reason="length"),), done=True),
    ),
    "n=2 out of order": (
        {"choices": [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]},
        Completion(
            choices=(
                choice(role="", content="a", finish_reason=None),
                choice(1, role="", content="b", finish_reason=None),
            ),
            done=True,
        ),
    ),
    "no indexes": (
        {"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]},
        Completion(
            choices=(
                choice(role="", content="a", finish_reason=None),
                choice(1, role="", content="b", finish_reason=None),
            ),
            done=True,
        ),
    ),
    "a legacy text": (
        {"choices": [{"text": "Hi", "finish_reason": "stop"}]},
        Completion(choices=(choice(role="", content="Hi"),), done=True),
    ),
    "an error": ({"error": {"message": "No.", "type": "x"}}, Completion(error="No.", done=True)),
    "an error that is a text": ({"error": "No."}, Completion(error="No.", done=True)),
    "an error of another style": ({"detail": [{"msg": "No."}]}, Completion(done=True)),
    "usage that is none": ({"usage": {"prompt_tokens": True, "completion_tokens": "3"}}, Completion(done=True)),
    "no object": ([1, 2], Completion(done=True)),
    "no JSON": (b"Internal Server Error", Completion(done=True)),
    "nothing": (b"", Completion(done=True)),
    "a byte order mark": (b'\xef\xbb\xbf{"id":"c1"}', Completion("c1", done=True)),
    "a NaN": (
        b'{"id":"c1","choices":[{"logprobs":{"x":-Infinity,"y":NaN}}]}',
        Completion("c1", choices=(choice(role="", finish_reason=None),), done=True),
    ),
}

STREAMS: dict[str, tuple[Response, Completion]] = {
    "an ordinary stream": (stream(*HELLO), Completion("c1", "m", (choice(content="Hello"),), done=True)),
    "usage in a last chunk": (
        stream(*HELLO, {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}),
        Completion("c1", "m", (choice(content="Hello"),), 3, 2, done=True),
    ),
    "usage null before the last chunk": (
        stream(
            delta(content="a", role="assistant") | {"usage": None},
            delta(finish="stop") | {"usage": {"prompt_tokens": 1}},
            delta() | {"usage": None},
        ),
        Completion("c1", "m", (choice(content="a"),), 1, None, done=True),
    ),
    "usage unasked, with choices, in each chunk": (
        stream(*({**item, "usage": {"prompt_tokens": 3, "completion_tokens": n}} for n, item in enumerate(HELLO))),
        Completion("c1", "m", (choice(content="Hello"),), 3, 2, done=True),
    ),
    "role null in later chunks": (
        stream(
            delta(role="assistant", content="a"),
            delta(role=None, content="b", tool_calls=None),
            delta(finish="stop", content=None),
        ),
        Completion("c1", "m", (choice(content="ab"),), done=True),
    ),
    "obfuscation, comments and empty choices": (
        stream(
            b": OPENROUTER PROCESSING\n\n",
            {"choices": [], "prompt_filter_results": []},
            *({**item, "obfuscation": "x"} for item in HELLO),
        ),
        Completion("c1", "m", (choice(content="Hello"),), done=True),
    ),
    "parallel tool calls, interleaved": (
        stream(
            call_delta(0, "", id="x", type="function", name="f"),
            call_delta(1, "", id="y", type="function", name="g"),
            call_delta(0, '{"a":'),
            call_delta(1, "{}"),
            call_delta(0, "1}"),
            delta(finish="tool_calls"),
        ),
        Completion(
            "c1",
            "m",
            (
                choice(
                    role="",
                    finish_reason="tool_calls",
                    tool_calls=(ToolCall("x", "function", "f", '{"a":1}'), ToolCall("y", "function", "g", "{}")),
                ),
            ),
            done=True,
        ),
    ),
    "an id repeated in every delta": (
        stream(call_delta(0, "{", id="x", name="f"), call_delta(0, "}", id="x", name="f"), delta(finish="tool_calls")),
        Completion(
            "c1",
            "m",
            (choice(role="", finish_reason="tool_calls", tool_calls=(ToolCall("x", "function", "f", "{}"),)),),
            done=True,
        ),
    ),
    "n=2, interleaved": (
        stream(delta(1, content="b"), delta(0, content="a"), delta(0, "stop"), delta(1, "length", content="B")),
        Completion(
            "c1",
            "m",
            (choice(role="", content="a"), choice(1, role="", content="bB", finish_reason="length")),
            done=True,
        ),
    ),
    "an error in the stream": (
        stream(HELLO[0], {"error": {"message": "overloaded"}}, end=b""),
        Completion("c1", "m", (choice(content="Hel", finish_reason=None),), error="overloaded"),
    ),
    "no [DONE]": (stream(*HELLO, end=b""), Completion("c1", "m", (choice(content="Hello"),))),
    "[DONE] without a blank line": (
        stream(*HELLO, end=b"data: [DONE]"),
        Completion("c1", "m", (choice(content="Hello"),), done=True),
    ),
    "speech and thoughts in pieces": (
        stream(
            delta(role="assistant", audio={"id": "a", "transcript": "Gr"}),
            delta(audio={"data": "AAAA"}, reasoning="H"),
            delta(audio={"data": "AAA=", "transcript": "üße"}, reasoning="m."),
            delta(finish="stop"),
        ),
        Completion("c1", "m", (choice(audio="Grüße", audio_bytes=5, reasoning="Hm."),), done=True),
    ),
    "nothing at all": (stream(end=b""), Completion()),
    "[DONE] alone": (stream(), Completion(done=True)),
    "events that do not parse": (
        stream(b"data: {broken\n\n", b"event: ping\n\n", b"data: 7\n\n", b"data:\n\n", *HELLO),
        Completion("c1", "m", (choice(content="Hello"),), done=True),
    ),
    "an emoji split over two events": (
        stream(
            b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"\\ude42"}}]}\n\n',
        ),
        Completion(choices=(choice(role="", content="\U0001f642", finish_reason=None),), done=True),
    ),
}


@pytest.mark.parametrize(("body", "expected"), PLAIN.values(), ids=PLAIN.keys())
def test_a_plain_answer_is_read(body: Any, expected: Completion) -> None:
    assert assemble(plain(body)) == expected


@pytest.mark.parametrize(("response", "expected"), STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_is_put_together(response: Response, expected: Completion) -> None:
    assert assemble(response) == expected


@pytest.mark.parametrize(("response", "expected"), STREAMS.values(), ids=STREAMS.keys())
def test_it_does_not_matter_how_a_stream_is_cut_into_chunks(response: Response, expected: Completion) -> None:
    single = tuple(Chunk(0, bytes([byte])) for byte in response.body)
    assert assemble(Response(200, response.headers, single, Outcome.COMPLETE, 1, 2)) == expected


EVERY = {
    **{name: plain(body) for name, (body, _) in PLAIN.items()},
    **{name: each for name, (each, _) in STREAMS.items()},
}
LAST_WORDS = {
    "a finish reason said twice": stream(
        *HELLO, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}
    ),
    "the other choice finishes last": stream(
        delta(0, content="a"), delta(1, content="b"), delta(0, "length"), delta(1, "stop")
    ),
    "the model named late": stream({"choices": [], "model": ""}, delta(content="a"), delta(finish="stop")),
    "the finish reason in the first event": stream(delta(0, "stop", content="a"), delta(0)),
}


@pytest.mark.parametrize("response", (EVERY | LAST_WORDS).values(), ids=(EVERY | LAST_WORDS).keys())
def test_a_summary_says_of_an_answer_what_the_whole_says(response: Response) -> None:
    whole, summary = assemble(response), summarize(response)
    for name in ("model", "finish_reason", "prompt_tokens", "completion_tokens", "done"):
        assert (name, getattr(summary, name)) == (name, getattr(whole, name))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (stream(*HELLO), True),
        (stream(), True),
        (stream(*HELLO, end=b""), False),
        (stream(*HELLO, DONE, end=b": bye\n\n"), True),
        (stream(delta(content="[DONE]"), end=b""), False),
        (stream(end=b""), False),
    ],
)
def test_a_stream_is_done_where_it_says_so(response: Response, *, expected: bool) -> None:
    assert is_done(response) is expected


def test_plain_and_streamed_answers_become_the_same() -> None:
    assert assemble(stream(*HELLO)) == assemble(plain(message(content="Hello")))


STREAM_OUTCOMES: dict[str, tuple[Response, Outcome]] = {
    "[DONE]": (stream(*HELLO), Outcome.COMPLETE),
    "[DONE] and no finish reason": (stream(HELLO[0]), Outcome.COMPLETE),
    "a finish reason and no [DONE]": (stream(*HELLO, end=b""), Outcome.COMPLETE),
    "usage after the finish reason and no [DONE]": (
        stream(*HELLO, {"choices": [], "usage": {}}, end=b""),
        Outcome.COMPLETE,
    ),
    "neither": (stream(HELLO[0], end=b""), Outcome.UNFINISHED),
    "no event": (stream(end=b""), Outcome.UNFINISHED),
    "a comment alone": (stream(end=b": ping\n\n"), Outcome.UNFINISHED),
    "one of two choices finished": (stream(delta(0, "stop"), delta(1, content="b"), end=b""), Outcome.UNFINISHED),
    "both choices finished": (stream(delta(0, "stop"), delta(1, "stop"), end=b""), Outcome.COMPLETE),
    "cut within [DONE]": (stream(HELLO[0], end=b"data: [DON"), Outcome.UNFINISHED),
    "cut within the last chunk": (
        stream(HELLO[0], end=b'data: {"choices":[{"index":0,"finish_reason":"st'),
        Outcome.UNFINISHED,
    ),
    "[DONE] said by the model": (stream(delta(content="[DONE]"), end=b""), Outcome.UNFINISHED),
    "an error and then nothing": (stream(HELLO[0], {"error": {"message": "x"}}, end=b""), Outcome.UNFINISHED),
    "an error and then [DONE]": (stream(HELLO[0], {"error": {"message": "x"}}), Outcome.COMPLETE),
    "the word error in an answer": (stream(*HELLO, delta(content='"error"')), Outcome.COMPLETE),
    "an error status": (stream(HELLO[0], end=b"", status=500), Outcome.COMPLETE),
    "a finish reason beside half an emoji": (
        stream(
            HELLO[0], end=b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":"length"}]}\n\n'
        ),
        Outcome.COMPLETE,
    ),
    "a finish reason beside a logprob of minus infinity": (
        stream(
            HELLO[0],
            end=b'data: {"choices":[{"index":0,"logprobs":{"content":[-Infinity]},"finish_reason":"stop"}]}\n\n',
        ),
        Outcome.COMPLETE,
    ),
}

PLAIN_OUTCOMES: dict[str, tuple[Response, Outcome]] = {
    "an answer": (plain(message(content="Hi")), Outcome.COMPLETE),
    "an answer without finish reason": (plain({"choices": []}), Outcome.COMPLETE),
    "half a body": (plain(b'{"choices":[{"mess'), Outcome.UNFINISHED),
    "an empty body": (plain(b""), Outcome.UNFINISHED),
    "half a body with an error status": (plain(b"{", status=400), Outcome.COMPLETE),
    "a text": (plain(b"hi", content_type="text/plain"), Outcome.COMPLETE),
    "half a character, spelt as an escape": (
        plain(rb'{"choices":[{"message":{"content":"\ud83d"}}]}'),
        Outcome.COMPLETE,
    ),
    "a NaN": (plain(b'{"choices":[],"score":NaN}'), Outcome.COMPLETE),
    "a logprob of minus infinity": (plain(b'{"choices":[],"logprob":-Infinity}'), Outcome.COMPLETE),
    "a byte order mark": (plain(b'\xef\xbb\xbf{"choices":[]}'), Outcome.COMPLETE),
    "an integer of many digits": (plain(b'{"choices":[],"seed":123456789012345678901234567890}'), Outcome.COMPLETE),
}


@pytest.mark.parametrize(("response", "outcome"), STREAM_OUTCOMES.values(), ids=STREAM_OUTCOMES.keys())
def test_a_stream_is_judged_by_the_protocol(response: Response, outcome: Outcome) -> None:
    assert judge(response, CHAT) is outcome


@pytest.mark.parametrize(("response", "outcome"), PLAIN_OUTCOMES.values(), ids=PLAIN_OUTCOMES.keys())
def test_a_plain_answer_is_judged_by_whether_it_parses(response: Response, outcome: Outcome) -> None:
    assert judge(response, CHAT) is outcome


@pytest.mark.parametrize("path", ["/v1/models", "/v1/audio/speech", "/v1/responses", "/v1/chat/completions/c1"])
@pytest.mark.parametrize("response", [plain(b"{"), plain(b""), stream(end=b"")])
def test_what_other_paths_answer_is_taken_as_it_came(path: str, response: Response) -> None:
    assert judge(response, path) is Outcome.COMPLETE


@pytest.mark.parametrize("path", ["/chat/completions", "/openai/deployments/m/chat/completions"])
def test_chat_completions_are_judged_wherever_they_are(path: str) -> None:
    assert judge(stream(end=b""), path) is Outcome.UNFINISHED


@pytest.mark.parametrize(
    ("response", "finish_reason", "is_finished"),
    [
        (stream(*HELLO), "stop", True),
        (stream(HELLO[0]), None, False),
        (stream(), None, False),
        (stream(delta(0, "stop"), delta(1, content="x")), "stop", False),
    ],
)
def test_finish_reason_is_the_first_choices(
    response: Response, finish_reason: str | None, *, is_finished: bool
) -> None:
    answer = assemble(response)
    assert (answer.finish_reason, answer.is_finished) == (finish_reason, is_finished)


def test_every_text_of_an_answer_can_be_stored_as_utf_8() -> None:
    call = rb'{"id":"\ud83d","function":{"name":"\ud83d","arguments":"\ud83d"}}'
    message = rb'{"content":"\ud83d","refusal":"\ude42","tool_calls":[%b]}' % call
    answer = assemble(plain(rb'{"id":"\ud83d","model":"\ud83d","error":"\ud83d","choices":[{"message":%b}]}' % message))
    (said,) = answer.choices
    (asked,) = said.tool_calls
    for text in (
        answer.id,
        answer.model,
        answer.error,
        said.content,
        said.refusal,
        asked.id,
        asked.name,
        asked.arguments,
    ):
        assert text.encode()


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "tool_calls",
                    "index",
                    "function",
                    "usage",
                    "error",
                    "logprobs",
                    "prompt_tokens",
                    "finish_reason",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200)
@given(
    document=st.dictionaries(st.sampled_from(["choices", "usage", "error", "id"]), JSON_LIKE) | JSON_LIKE,
    streamed=st.booleans(),
)
def test_whatever_a_server_sends_is_read_without_a_crash(document: Any, *, streamed: bool) -> None:
    response = stream(document) if streamed else plain(document)
    assert isinstance(assemble(response), Completion)
    assert judge(response, CHAT) in Outcome
