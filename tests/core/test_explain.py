"""Each rule that touches a request is told, with what was, what is, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from proxy.core.explain import Touch, explain
from proxy.core.mismatch import MISSING
from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.rules import PathAction, PathRule, Pattern, Rules
from tests.core.scrubbing import ALL, bodies

CHAT = "/v1/chat/completions"
CALL = {"id": "abc", "type": "function", "function": {"name": "f", "arguments": '{"b": 1, "a": 2}'}}


def asked(body: Any, query: str = "", path: str = CHAT) -> Request:
    return Request("POST", path, query, (), json.dumps(body).encode())


def told(body: Any, rules: Rules | None = None, **parts: str) -> list[tuple[str, Any, Any, str]]:
    touches = explain(asked(body, **parts), rules or Rules()).touches
    return [(touch.path, touch.was, touch.now, touch.why) for touch in touches]


def said(content: Any, **message: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content, **message}]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"n": 1}, ("n", 1, MISSING, "1 counts as absent")),
        ({"seed": None}, ("seed", None, MISSING, "a field that is null counts as absent")),
        ({"user": "ada"}, ("user", "ada", MISSING, "left out")),
        ({"stop": "x"}, ("stop", "x", ["x"], "a text is a list of one")),
        ({"max_tokens": 5}, ("max_tokens", 5, 5, "one slot with `max_completion_tokens`")),
        (said("a\r\nb"), ("messages[0].content", "a\r\nb", "a\nb", "a CRLF is a LF")),
        (
            said([{"type": "text", "text": "x"}]),
            (
                "messages[0].content",
                [{"type": "text", "text": "x"}],
                "x",
                "content that is one plain text part is that text",
            ),
        ),
        (
            said("x", refusal="", annotations=[]),
            ("messages[0].refusal", "", MISSING, "a field that is echoed back empty counts as absent"),
        ),
        (
            {"messages": [{"role": "assistant", "content": "", "tool_calls": [CALL | {"id": "call_1"}]}]},
            ("messages[0].content", "", MISSING, "empty content beside tool calls counts as absent"),
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [CALL]}]},
            ("messages[0].tool_calls[0].id", "abc", "call_1", "tool call ids are renamed by first appearance"),
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [CALL | {"id": "call_1"}]}]},
            (
                "messages[0].tool_calls[0].function.arguments",
                '{"b": 1, "a": 2}',
                '{"a":2,"b":1}',
                "JSON counts by its value",
            ),
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"required": ["b", "a"]}}}]},
            (
                "tools[0].function.parameters.required[0]",
                "b",
                "a",
                "in order; in a schema `required` is a set, `properties` are in order",
            ),
        ),
    ],
)
def test_what_is_brought_to_one_form_is_told(body: Any, expected: tuple[str, Any, Any, str]) -> None:
    assert expected in told(body)


def test_an_image_counts_by_its_bytes() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    (touch,) = explain(asked(said([image]))).touches
    assert (touch.path, touch.why) == (
        "messages[0].content[0].image_url.url",
        "data counts by the SHA-256 of its decoded bytes",
    )


def test_tool_messages_that_are_put_in_order_are_told_as_an_order() -> None:
    calls = [CALL | {"id": "call_1"}, CALL | {"id": "call_2"}]
    answers = [{"role": "tool", "tool_call_id": f"call_{number}", "content": f"{number}"} for number in (2, 1)]
    (touch, *rest) = explain(asked({"messages": [{"role": "assistant", "tool_calls": calls}, *answers]})).touches
    assert (touch.path, touch.was, touch.now) == ("messages", [0, 1, 2], [0, 2, 1])
    assert all(touch.path.endswith("arguments") for touch in rest)


@pytest.mark.parametrize(
    ("rules", "body", "expected"),
    [
        (
            Rules(developer_is_system=True),
            {"messages": [{"role": "developer", "content": "x"}]},
            Touch("messages[0].role", "developer", "system", "rules.developer_is_system", ""),
        ),
        (
            Rules(sort_tools=True),
            {"tools": [{"name": "b"}, {"name": "a"}]},
            Touch("tools", ["b", "a"], ["a", "b"], "rules.sort_tools", ""),
        ),
        (Rules(models={"x": "y"}), {"model": "x"}, Touch("model", "x", "y", "rules.models", "")),
        (
            Rules(ignore_max_tokens=True),
            {"max_tokens": 5},
            Touch("max_tokens", 5, MISSING, "rules.ignore_max_tokens", ""),
        ),
        (
            Rules(scrub=("date",)),
            said("2026-11-25"),
            Touch("messages[0].content", "2026-11-25", "<date:1>", "date", ""),
        ),
        (
            Rules(pattern=(Pattern(name="run", pattern=r"run \d+"),)),
            said("run 5"),
            Touch("messages[0].content", "run 5", "<run:1>", "run", ""),
        ),
        (Rules(path=(PathRule(name="seed", path="$.seed"),)), {"seed": 5}, Touch("seed", 5, MISSING, "seed", "")),
        (
            Rules(path=(PathRule(name="seed", path="$.seed", action=PathAction.REPLACE),)),
            {"seed": 5},
            Touch("seed", "5", "<seed:#1>", "seed", ""),
        ),
    ],
)
def test_the_rules_of_the_config_are_told_by_their_names(rules: Rules, body: Any, expected: Touch) -> None:
    (touch,) = explain(asked(body), rules).touches
    assert (touch.path, touch.was, touch.now, touch.rule) == (expected.path, expected.was, expected.now, expected.rule)
    assert touch.why


def test_a_query_that_does_not_count_is_told() -> None:
    assert told({}, query="api-version=1")[0][:3] == ("query", "api-version=1", MISSING)
    assert told({}, query="api-version=1", path="/v1/files")[0][1] == "api-version=1"
    assert told({}, query="limit=1", path="/v1/files") == []


def test_a_request_in_its_one_form_was_touched_by_nothing() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"b": {}, "a": {}}}}}]
    assert told({"model": "m", "tools": tools} | said("x")) == []
    assert explain(Request("POST", CHAT, body=b"\xff")).touches == ()


@settings(deadline=None, max_examples=150)
@given(bodies(), ALL)
def test_the_key_that_is_explained_is_the_key(body: dict[str, Any], rules: Rules) -> None:
    request = asked(body)
    assert explain(request, rules).canonical == normalize(request, rules)
