"""What a request says, as clients really send it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from proxy.cli.prompt import Message, Part, audio_type, last_user_message, messages, parameters
from proxy.core.completion import ToolCall

PNG = base64.b64encode(b"x" * 4321).decode()


def read(**fields: Any) -> Message:
    (message,) = messages({"messages": [{"role": "user", **fields}]})
    return message


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("Hi", (Part("Hi"),)),
        (None, ()),
        ("", ()),
        ([], ()),
        ([{"type": "text", "text": "a"}, "b"], (Part("a"), Part("b"))),
        ([{"type": "refusal", "refusal": "No."}], (Part("refusal: No.", is_text=False),)),
        ([{"type": "new", "x": 1}], (Part('[{"type": "new", "x": 1}]', is_text=False),)),
        ({"not": "a list"}, (Part('[{"not": "a list"}]', is_text=False),)),
    ],
)
def test_content_is_text_or_parts(content: Any, parts: tuple[Part, ...]) -> None:
    assert read(content=content).parts == parts


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, "[image, image/png, 4.3 kB]"),
        (
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg/%3E"}},
            "[image, image/svg+xml, 6 bytes]",
        ),
        ({"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}, "[image, https://a.test/b.png]"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "[audio, audio/wav, 3 bytes]"),
        (
            {"type": "input_audio", "input_audio": {"data": "é"}},
            "[audio, audio/unknown, 1 characters that are not base64]",
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            "[file, a.pdf, application/pdf, 3 bytes]",
        ),
        ({"type": "file", "file": {"file_data": "AAAA"}}, "[file, 3 bytes]"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "[file, file-1]"),
    ],
)
def test_media_are_named_by_type_and_decoded_size(part: dict[str, Any], line: str) -> None:
    assert read(content=[part]).parts == (Part(line, is_text=False),)


def test_tool_calls_are_read_and_their_results_bear_the_tools_name() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    asked, first, unknown = messages(
        {
            "messages": [
                {"role": "assistant", "content": None, "tool_calls": [call, custom]},
                {"role": "tool", "tool_call_id": "c1", "content": "12"},
                {"role": "tool", "tool_call_id": "c9", "content": "?"},
            ]
        }
    )
    assert asked.tool_calls == (
        ToolCall("c1", "function", "weather", '{"city": "Oslo"}'),
        ToolCall("c2", "custom", "shell", "ls"),
    )
    assert (first.name, unknown.name) == ("weather", "")


def test_a_legacy_function_call_is_read() -> None:
    assert read(function_call={"name": "f", "arguments": "{}"}).tool_calls == (ToolCall("", "function", "f", "{}"),)


def test_refusals_are_read() -> None:
    assert read(content=None, refusal="I cannot.").parts == (Part("refusal: I cannot.", is_text=False),)


def test_what_an_assistant_thought_and_spoke_is_told_where_a_client_sends_it_back() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    assert read(content=[thought, "42"]).parts == (Part("reasoning: Hm.", is_text=False), Part("42"))
    assert read(content="42", reasoning_content="Hm.").parts[0] == Part("reasoning: Hm.", is_text=False)
    assert read(audio={"id": "audio_1"}).parts == (Part("[audio, audio_1]", is_text=False),)


@pytest.mark.parametrize(
    ("body", "kind"), [({"audio": {"format": "wav"}}, "audio/wav"), ({"audio": {}}, ""), ({"audio": 1}, ""), (None, "")]
)
def test_the_audio_that_is_asked_for_has_a_type(body: Any, kind: str) -> None:
    assert audio_type(body) == kind


def test_functions_of_the_older_api_are_told_by_their_names() -> None:
    assert dict(parameters({"functions": [{"name": "f"}, {"name": "g"}, {}, 1]})) == {"functions": "f, g"}


def test_the_last_user_message_is_the_newest_of_role_user() -> None:
    turns = [("user", "first"), ("assistant", "a"), ("user", "second"), ("tool", "t")]
    assert last_user_message({"messages": [{"role": role, "content": text} for role, text in turns]}) == "second"


@pytest.mark.parametrize(
    "body", [None, "text", 7, [], {}, {"messages": None}, {"messages": ["x", 1]}, {"messages": [{"content": "x"}]}]
)
def test_what_is_no_conversation_has_no_user_message(body: Any) -> None:
    assert last_user_message(body) is None


def test_other_parameters_are_told_in_short() -> None:
    tools = [{"type": "function", "function": {"name": "weather"}}, {"type": "custom", "custom": {"name": "shell"}}]
    body = {"model": "m", "messages": [], "temperature": 0.2, "stop": ["a"], "tools": tools, "user": "u" * 100}
    assert dict(parameters(body)) == {
        "temperature": "0.2",
        "stop": '["a"]',
        "tools": "weather, shell",
        "user": "u" * 59 + "…",
    }
