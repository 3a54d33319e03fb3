"""Opening a canonical body, and closing it again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT
from proxy.core.view import closed, opened, step
from tests.core.scrubbing import bodies


def form_of(body: dict[str, Any]) -> Any:
    return normalize(Request("POST", "/v1/chat/completions", body=json.dumps(body).encode()), DEFAULT).content["body"]


@settings(deadline=None, max_examples=150)
@given(bodies())
def test_closing_undoes_opening(body: dict[str, Any]) -> None:
    assert closed(opened(form_of(body))) == form_of(body)


def test_json_in_arguments_and_tool_results_is_opened_and_nothing_else() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": '{"a":[1]}'}}
    messages = [
        {"role": "user", "content": '{"a":1}'},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "[2]"},
        {"role": "tool", "tool_call_id": "c", "content": "[2"},
    ]
    view = opened(form_of({"messages": messages}))["messages"]
    assert view[0]["content"] == '{"a":1}'
    assert view[1]["tool_calls"][0]["function"]["arguments"] == {"a": [1]}
    assert [message["content"] for message in view[2:]] == [[2], "[2"]


def test_the_properties_of_a_schema_stand_by_their_names_in_their_order() -> None:
    schema = {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}}
    form = form_of({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})
    properties = opened(form)["tools"][0]["function"]["parameters"]["properties"]
    assert list(properties) == ["b", "a"]
    assert closed(opened(form)) == form


@pytest.mark.parametrize("value", [{"properties": [["a", 1], ["a", 2]]}, {"properties": [[1, 2]]}, {"properties": 5}])
def test_what_only_looks_like_properties_is_left(value: Any) -> None:
    assert opened(value) == value


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("", "messages", "messages"),
        ("messages", 2, "messages[2]"),
        ("messages[2]", "content", "messages[2].content"),
        ("a", "x-y", "a.x-y"),
        ("a", "b c", 'a["b c"]'),
        ("a", "", 'a[""]'),
        ("", "0", '["0"]'),
        ("a", "\ud83d", 'a["\\ud83d"]'),
    ],
)
def test_a_step_is_written_as_people_write_it(path: str, name: str | int, expected: str) -> None:
    assert step(path, name) == expected
