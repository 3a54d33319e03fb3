"""What requests and responses say, as a search reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from proxy.core.model import Request
from proxy.core.passages import Passage, Side, answered, asked
from tests.cassette.making import CHAT, DATA, SSE_TYPE, answer, interactions
from tests.cli.recorded import DONE, RECORDED, call, event, say, stream
from tests.core import scrubbing

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Z\\u00fcrich"}'}}


def of(body: Any, path: str = CHAT) -> list[tuple[str, str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [(it.author, it.path, it.text) for it in asked(Request("POST", path, "", (), data))]


def chat(*messages: Any) -> list[tuple[str, str, str]]:
    return of({"model": "m", "messages": messages})


def test_a_chat_says_what_its_messages_say_in_order() -> None:
    assert chat(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": "No."},
        {"role": "tool", "tool_call_id": "c1", "content": '{"sky": "gr\\u00e4ulich"}'},
    ) == [
        ("system", "messages[0].content", "Be brief."),
        ("user", "messages[1].content[0]", "One"),
        ("user", "messages[1].content[1]", "Two"),
        ("assistant", "messages[2].refusal", "No."),
        ("assistant", "messages[2].tool_calls[0]", 'weather({"city": "Zürich"})'),
        ("tool weather", "messages[3].content", '{"sky": "gräulich"}'),
    ]


def test_media_are_no_text_but_their_names_and_addresses_are() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"filename": "bill.pdf", "file_data": "AAAA"}},
        {"type": "file", "file": {"file_id": "f1"}},
        {"type": "new", "said": "later"},
    ]
    texts = [text for _, _, text in chat({"role": "user", "content": parts})]
    assert chat({"role": "user", "content": "data: a, b"})  # is none of them
    assert texts == ["https://example.com/cat.png", "bill.pdf", "new", "later"]


def test_a_call_of_the_old_form_and_of_a_custom_tool_is_one_too() -> None:
    old = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    custom = {"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "sh", "input": "ls"}}]}
    assert [text for _, _, text in chat(old, custom)] == ["f({})", "sh(ls)"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", []),
        (b"plain \xff", [("", "", "plain \ufffd")]),
        ({"input": ["a", {"b": "c"}], "n": 1}, [("", "input[0]", "a"), ("", "input[1].b", "c")]),
        ({"messages": "none"}, [("", "messages", "none")]),
        ({"messages": ["text", None, {}]}, []),
    ],
)
def test_of_any_other_body_all_texts_are_said(body: Any, said: list[tuple[str, str, str]]) -> None:
    assert of(body, "/v1/other") == said


def test_an_answer_says_its_choices_and_calls_put_together() -> None:
    two = say({"content": "Ada", "reasoning_content": "Hm."}, {"refusal": "No.", "tool_calls": [CALL]})
    assert [(it.author, it.path, it.text) for it in answered(two)] == [
        ("answer", "choices[0].reasoning", "Hm."),
        ("answer", "choices[0].content", "Ada"),
        ("answer", "choices[1].refusal", "No."),
        ("answer", "choices[1].tool_calls[0]", 'weather({"city": "Zürich"})'),
    ]
    streamed = stream(event(content="Hel"), event(content="lo"), call('{"a":', name="f"), call("1}"), DONE)
    assert [it.text for it in answered(streamed)] == ["Hello", 'f({"a":1})']


def test_an_error_is_said_and_so_is_a_body_that_is_no_completion() -> None:
    assert list(answered(RECORDED["error"].response)) == [Passage(Side.ANSWER, "error", "error", "Too hot.")]
    assert [it.text for it in answered(answer(b"<html>Bad gateway</html>", status=502))] == ["<html>Bad gateway</html>"]
    assert [it.path for it in answered(answer(b'{"data":[{"id":"gpt-4o"}]}'))] == ["data[0].id"]
    events = answer(b'data: {"type":"delta","delta":"Once"}\n\n', b"data: [DONE]\n\n", headers=SSE_TYPE)
    assert [(it.path, it.text) for it in answered(events)] == [("[0].type", "delta"), ("[0].delta", "Once")]
    assert [it.text for it in answered(answer(b": busy\n\n", headers=SSE_TYPE))] == [": busy\n\n"]


def test_a_passage_is_titled_by_its_author_or_else_by_its_place() -> None:
    assert [Passage(Side.PROMPT, *at, "").title for at in (("user", "x"), ("", "input[0]"), ("", ""))] == [
        "user",
        "input[0]",
        "prompt",
    ]


@pytest.mark.parametrize("text", ['"\\u00fc"', "{\\u00fc", "[" * 9000 + "\\u00fc", "see \\u00fc"])
def test_what_only_looks_like_json_is_left_as_it_stands(text: str) -> None:
    assert chat({"role": "tool", "content": text}) == [("tool", "messages[0].content", text)]


@given(scrubbing.bodies())
def test_no_chat_is_too_odd_to_be_read(body: Any) -> None:
    assert all(isinstance(text, str) for _, _, text in of(body))


@given(DATA)
def test_no_bytes_are_too_odd_to_be_read(data: bytes) -> None:
    assert all(isinstance(text, str) for _, _, text in of(data))


@given(interactions())
def test_whatever_was_recorded_can_be_read(interaction: Any) -> None:
    assert all(passage.text for passage in (*asked(interaction.request), *answered(interaction.response)))
