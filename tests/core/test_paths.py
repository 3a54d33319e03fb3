"""JSON paths over the opened body: what does not count, and what counts as one value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.core.canonical import IGNORED
from proxy.core.model import Request
from proxy.core.normalize import Canonical, normalize
from proxy.core.paths import compiled
from proxy.core.rules import PathAction, PathRule, Rules


def asked(body: Any, *rules: PathRule, path: str = "/v1/chat/completions") -> Canonical:
    return normalize(Request("POST", path, body=json.dumps(body).encode()), Rules(path=rules))


def ignoring(path: str) -> PathRule:
    return PathRule(name="rule", path=path)


def replacing(path: str, name: str = "rule") -> PathRule:
    return PathRule(name=name, path=path, action=PathAction.REPLACE)


def result(**content: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "tool", "tool_call_id": "c", "content": json.dumps(content)}]}


@pytest.mark.parametrize("path", ["$.seed", "seed", "$['seed']", "$..seed"])
def test_an_ignored_field_counts_as_absent(path: str) -> None:
    body = {"model": "m", "messages": []}
    assert asked(body | {"seed": 5}, ignoring(path)).key == asked(body, ignoring(path)).key
    assert asked(body | {"top_p": 1}, ignoring(path)).key != asked(body, ignoring(path)).key


def test_a_path_reaches_into_the_json_of_tool_results_and_arguments() -> None:
    rule = ignoring("$.messages[*].content.request_id")
    assert asked(result(ok=True, request_id="a"), rule).key == asked(result(request_id="b", ok=True), rule).key
    assert asked(result(ok=True, request_id="a"), rule).key == asked(result(ok=True), rule).key
    assert asked(result(ok=True), rule).key != asked(result(ok=False), rule).key
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"at": 1, "q": "x"}'}}
    form = asked({"messages": [{"role": "assistant", "tool_calls": [call]}]}, ignoring("$..arguments.at"))
    assert form.content["body"]["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"q":"x"}'


def test_a_path_names_the_properties_of_a_schema() -> None:
    def tools(note: str) -> dict[str, Any]:
        properties = {"b": {"description": note}, "a": {}}
        function = {"name": "f", "parameters": {"type": "object", "properties": properties}}
        return {"tools": [{"type": "function", "function": function}]}

    rule = ignoring("$.tools[*].function.parameters.properties.b.description")
    assert asked(tools("as of today"), rule).key == asked(tools("as of yesterday"), rule).key


def test_an_ignored_element_leaves_a_mark_since_the_places_of_the_others_count() -> None:
    body = {"messages": [{"role": "user", "content": text} for text in "abc"]}
    form = asked(body, ignoring("$.messages[1]"))
    assert [message if message == IGNORED else message["content"] for message in form.content["body"]["messages"]] == [
        "a",
        IGNORED,
        "c",
    ]
    assert asked(form.content["body"], ignoring("$.messages[1]")).key == form.key


def test_an_ignored_element_of_a_set_takes_no_other_with_it() -> None:
    def tools(*required: str) -> dict[str, Any]:
        function = {"name": "f", "parameters": {"type": "object", "required": list(required)}}
        return {"tools": [{"type": "function", "function": function}]}

    rule = ignoring("$.tools[*].function.parameters.required[1]")
    assert asked(tools("a", "b"), rule).key == asked(tools("a", "c"), rule).key
    assert asked(tools("a", "b"), rule).key != asked(tools("b", "c"), rule).key
    form = asked(tools("b", "a"), rule)
    assert asked(form.content["body"], rule).key == form.key


def test_what_is_left_is_brought_to_its_one_form() -> None:
    part = {"type": "text", "text": "hello", "trace": "x"}
    rule = ignoring("$.messages[*].content[*].trace")
    plain = asked({"messages": [{"role": "user", "content": "hello"}]}, rule)
    assert asked({"messages": [{"role": "user", "content": [part]}]}, rule).key == plain.key


def test_values_at_a_replaced_path_are_numbered_by_what_they_are() -> None:
    def call(*ids: Any) -> dict[str, Any]:
        return result(rows=[{"id": id_} for id_ in ids])

    rule = replacing("$.messages[*].content.rows[*].id", "row")
    form = asked(call("a", "b", "a"), rule)
    assert form.content["body"]["messages"][0]["content"] == (
        '{"rows":[{"id":"<row:1>"},{"id":"<row:2>"},{"id":"<row:1>"}]}'
    )
    assert asked(call("x", "y", "x"), rule).key == form.key
    assert asked(call("x", "y", "y"), rule).key != form.key
    assert asked(call(1, 2, 1), rule).key != form.key
    assert [(found.rule, found.value) for found in form.scrubbed] == [("row", "a"), ("row", "b"), ("row", "a")]


def test_a_replaced_value_may_hold_others() -> None:
    form = asked(result(a={"b": 1}), replacing("$..content", "outer"), replacing("$..b", "inner"))
    assert form.content["body"]["messages"][0]["content"] == "<outer:#1>"


def test_other_bodies_have_paths_too() -> None:
    forms = [asked({"input": "x", "tag": tag}, ignoring("$.tag"), path="/v1/embeddings") for tag in "ab"]
    assert forms[0].key == forms[1].key
    assert asked([{"tag": 1}], ignoring("$[0].tag"), path="/v1/batch").content["body"] == [{}]


def test_a_path_reaches_as_deep_as_a_body_may_be() -> None:
    deep: Any = {"trace_id": 1}
    for _ in range(190):
        deep = [deep]
    form = asked({"input": deep}, ignoring("$..trace_id"), path="/v1/embeddings")
    assert "trace_id" not in json.dumps(form.content)


@pytest.mark.parametrize("path", ["$.[", "$..", "a-b", "$.x[?@.a=1]", "messages[", "", "$", "$.messages[*"])
def test_what_is_no_path_is_told_with_the_place(path: str) -> None:
    with pytest.raises(ValueError, match=r"character|end|query|whole"):
        compiled(path)
