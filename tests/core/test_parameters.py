"""THE MUTATION TEST: every parameter of the API, what changes the key and what does not.

Each entry of `TABLE` lists classes of request bodies, given as what they have beyond the least one (`{}` is a request
without the parameter). Bodies within a class have one key: they differ in spelling, or in what only tells how the
answer travels. Bodies of different classes never have one key: the difference could change an answer.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from proxy.core.model import Request, Variant
from proxy.core.normalize import Canonical, normalize
from proxy.core.parameters import PARAMETERS, Role

Body = dict[str, Any]
Classes = list[list[Body]]

REFERENCE = Path(__file__).parents[3] / "shared" / "api" / "chat-completions.md"
LEAST: Body = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "Hi"}]}


def tool(name: str = "look_up", **function: Any) -> Body:
    return {"type": "function", "function": {"name": name} | function}


def of_schema(*schemas: Any) -> list[Body]:
    return [{"tools": [tool(parameters=schema)]} for schema in schemas]


def of_properties(*properties: Any, **more: Any) -> list[Body]:
    return of_schema(*({"type": "object", "properties": each} | more for each in properties))


def each(name: str, values: list[Any]) -> Classes:
    """Make a class of its own for each value."""
    return [[{name: value}] for value in values]


def never(name: str, values: list[Any]) -> Classes:
    """Make the only class of a parameter that does not count."""
    return [[{}, {name: None}, *({name: value} for value in values)]]


TOOLS = [tool("a"), tool("b")]
AUDIO = {"voice": "ash", "format": "wav"}
FUNCTION = {"name": "f", "parameters": {"type": "object", "required": ["a", "b"]}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]}


def format_of(**json_schema: Any) -> Body:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x"} | json_schema}}


TABLE: dict[str, Classes] = {
    "audio": [
        [{}, {"audio": None}],
        [{"audio": AUDIO}, {"audio": {"format": "wav", "voice": "ash"}}, {"audio": AUDIO | {"x": None}}],
        [{"audio": AUDIO | {"format": "mp3"}}],
        [{"audio": AUDIO | {"voice": "coral"}}],
        [{"audio": AUDIO | {"voice": {"id": "voice_1"}}}],
        [{"audio": {}}],
    ],
    "frequency_penalty": [
        [{}, *({"frequency_penalty": value} for value in (None, 0, 0.0, -0.0))],
        [{"frequency_penalty": 1}, {"frequency_penalty": 1.0}],
        *each("frequency_penalty", [0.5, -1, "0", False, True]),
    ],
    "function_call": [
        [{}, {"function_call": None}],
        *each("function_call", ["none", "auto", {"name": "f"}, {"name": "g"}]),
    ],
    "functions": [
        [{}, {"functions": None}],
        [
            {"functions": [FUNCTION]},
            {"functions": [FUNCTION | {"description": None}]},
            {"functions": [{"name": "f", "parameters": {"required": ["b", "a"], "type": "object"}}]},
        ],
        *each(
            "functions",
            [[], [FUNCTION, FUNCTION], [FUNCTION | {"name": "g"}], [FUNCTION | {"description": "x"}], [{"name": "f"}]],
        ),
        *each("functions", [[{"name": "f"}, {"name": "g"}], [{"name": "g"}, {"name": "f"}]]),
    ],
    "logit_bias": [
        [{}, {"logit_bias": None}],
        [{"logit_bias": {"1": 1, "2": -100}}, {"logit_bias": {"2": -100.0, "1": 1.0}}],
        *each("logit_bias", [{}, {"1": 1}, {"1": 1, "2": 100}, {"1": -100, "2": 1}, {"1": True, "2": -100}]),
    ],
    "logprobs": [
        [{}, {"logprobs": None}, {"logprobs": False}],
        *each("logprobs", [True, 0, 1, "false"]),
    ],
    "max_completion_tokens": [
        [{}, {"max_completion_tokens": None}],
        [
            *({"max_completion_tokens": value} for value in (5, 5.0)),
            {"max_tokens": 5},
            {"max_tokens": 5.0, "max_completion_tokens": 5},
            {"max_tokens": None, "max_completion_tokens": 5},
        ],
        *each("max_completion_tokens", [6, 0, 1, True, "5"]),
        [{"max_tokens": 6, "max_completion_tokens": 5}],
        [{"max_tokens": 5, "max_completion_tokens": 6}],
    ],
    "max_tokens": [
        [{}, {"max_tokens": None}],
        [
            {"max_tokens": 5},
            {"max_tokens": 5.0},
            {"max_tokens": 5, "max_completion_tokens": None},
            {"max_completion_tokens": 5},
        ],
        *each("max_tokens", [6, 0, 1, True, "5"]),
        [{"max_tokens": True, "max_completion_tokens": 1}],
        [{"max_tokens": 1, "max_completion_tokens": True}],
    ],
    "messages": [  # in full in test_messages.py
        [
            {},
            {"messages": [{"content": "Hi", "role": "user"}]},
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
        ],
        *each(
            "messages",
            [
                [],
                None,
                "Hi",
                LEAST["messages"] * 2,
                [{"role": "system", "content": "Hi"}],
                [{"role": "user", "content": "hi"}],
            ],
        ),
        *each(
            "messages",
            [
                [{"role": "user", "content": "Hi", "metadata": {"a": "b"}}],
                [{"role": "user", "content": "Hi", "user": "a"}],
            ],
        ),
    ],
    "metadata": never("metadata", [{}, {"run": "1"}, {"run": "2"}, "x", 7]),
    "modalities": [
        [{}, {"modalities": None}],
        *each("modalities", [["text"], ["text", "audio"], ["audio", "text"], []]),
    ],
    "model": [
        [{}, {"model": "gpt-5.4"}],
        *each("model", ["gpt-5.4-mini", "gpt-5", "GPT-5.4", "gpt-5.4 ", "", None, ["gpt-5.4"]]),
    ],
    "n": [
        [{}, {"n": None}, {"n": 1}, {"n": 1.0}],
        *each("n", [2, 0, True, "1", 1.5]),
    ],
    "parallel_tool_calls": [
        [{}, {"parallel_tool_calls": None}, {"parallel_tool_calls": True}],
        *each("parallel_tool_calls", [False, 1, 0, "true"]),
    ],
    "prediction": [
        [{}, {"prediction": None}],
        [
            {"prediction": {"type": "content", "content": "a\nb"}},
            {"prediction": {"content": "a\r\nb", "type": "content"}},
            {"prediction": {"type": "content", "content": [{"type": "text", "text": "a\nb"}]}},
        ],
        *each("prediction", [{"type": "content", "content": "a"}, {"type": "content"}, {}, "a"]),
        [
            {
                "prediction": {
                    "type": "content",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                }
            }
        ],
    ],
    "presence_penalty": [
        [{}, *({"presence_penalty": value} for value in (None, 0, 0.0, -0.0))],
        [{"presence_penalty": 2}, {"presence_penalty": 2.0}],
        *each("presence_penalty", [0.5, -2, "0", False]),
    ],
    "prompt_cache_key": never("prompt_cache_key", ["a", "b", ""]),
    "prompt_cache_retention": never("prompt_cache_retention", ["in-memory", "24h"]),
    "reasoning_effort": [
        [{}, {"reasoning_effort": None}],
        *each("reasoning_effort", ["none", "minimal", "low", "medium", "high", "xhigh"]),
    ],
    "response_format": [
        [
            {},
            *({"response_format": value} for value in (None, {"type": "text"}, {"type": "text", "json_schema": None})),
        ],
        *each(
            "response_format", [{"type": "json_object"}, {"type": "text", "x": 1}, {}, "text", {"type": "json_schema"}]
        ),
        [
            format_of(schema=SCHEMA),
            format_of(schema=SCHEMA, strict=False),
            format_of(schema=SCHEMA, strict=None, description=None),
            format_of(schema=SCHEMA | {"required": ["b", "a"]}),
            format_of(schema=SCHEMA | {"required": ["b", "a", "b"]}),
        ],
        [format_of(schema=SCHEMA, strict=True)],
        [format_of(schema=SCHEMA, description="x")],
        [format_of(schema=SCHEMA, name="y")],
        [format_of(schema=SCHEMA | {"required": ["a"]})],
        [format_of(schema=SCHEMA | {"additionalProperties": False})],
        [format_of(schema={})],
        [format_of()],
    ],
    "safety_identifier": never("safety_identifier", ["a", "b"]),
    "seed": [
        [{}, {"seed": None}],
        [{"seed": 0}, {"seed": 0.0}, {"seed": -0.0}],
        *each("seed", [1, -1, True, False, "0", 2**53, 2**53 + 1, 2**64, 2**64 + 1, 10**30, 10**30 + 1]),
    ],
    "service_tier": never("service_tier", ["auto", "default", "flex", "priority"]),
    "stop": [
        [{}, {"stop": None}],
        [{"stop": "x"}, {"stop": ["x"]}],
        *each("stop", [[], "", ["x", "y"], ["y", "x"], "X", ["x", "x"], "x\n", "x\r\n"]),
    ],
    "store": never("store", [True, False]),
    "stream": [
        [{}, {"stream": None}, {"stream": False}, {"stream": True}],
        *each("stream", [1, 0, "true"]),
    ],
    "stream_options": [
        [
            {},
            {"stream_options": None},
            *(
                {"stream": True, "stream_options": options}
                for options in (
                    None,
                    {},
                    {"include_usage": True},
                    {"include_usage": False},
                    {"include_usage": None},
                    {"include_obfuscation": True},
                    {"include_obfuscation": False, "include_usage": True},
                )
            ),
        ],
        *(
            [{"stream": True, "stream_options": options}]
            for options in ({"include_usage": 1}, {"include_obfuscation": "x"}, {"x": 1}, {"x": 2}, "x")
        ),
        # without `stream` the API answers options with an error
        [{"stream_options": {"include_usage": True}}, {"stream": False, "stream_options": {"include_usage": True}}],
        *each("stream_options", [{}, {"include_usage": False}, {"include_obfuscation": True}]),
    ],
    "temperature": [
        [{}, {"temperature": None}],
        [{"temperature": 0}, {"temperature": 0.0}, {"temperature": -0.0}],
        [{"temperature": 1}, {"temperature": 1.0}],
        *each("temperature", [0.00001, 0.7, 0.70001, 2, True, False, "0", "1"]),
    ],
    "tool_choice": [
        [{}, {"tool_choice": None}, {"tool_choice": "none"}],
        [{"tools": TOOLS}, {"tools": TOOLS, "tool_choice": None}, {"tools": TOOLS, "tool_choice": "auto"}],
        *(
            [{"tools": TOOLS, "tool_choice": choice}]
            for choice in ("none", "required", "", tool("a"), tool("b"), {"type": "auto"})
        ),
        *each("tool_choice", ["auto", "required"]),
    ],
    "tools": [
        [{}, {"tools": None}],
        [
            {"tools": [tool(description="Look.")]},
            {"tools": [{"function": {"description": "Look.", "name": "look_up"}, "type": "function"}]},
            {"tools": [tool(description="Look.", strict=False)]},
            {"tools": [tool(description="Look.", strict=None, parameters=None)]},
        ],
        [{"tools": [tool()]}],
        [{"tools": [tool(description="look.")]}],
        [{"tools": [tool(description="Look.\n")]}],
        [{"tools": [tool("look", description="Look.")]}],
        [{"tools": [tool(description="Look.", strict=True)]}],
        [{"tools": [tool(description="Look.", strict=0)]}],
        [{"tools": [tool(description="Look.", parameters={})]}],
        *each(
            "tools",
            [[], TOOLS, TOOLS[::-1], [*TOOLS, tool("c")], TOOLS[:1], [*TOOLS, TOOLS[0]], [{"type": "function"}], "x"],
        ),
        [
            {"tools": [{"type": "custom", "custom": {"name": "look_up"}}]},
            {"tools": [{"type": "custom", "custom": {"name": "look_up", "description": None}}]},
        ],
        [{"tools": [{"type": "custom", "custom": {"name": "look_up", "format": {"type": "text"}}}]}],
    ],
    "top_logprobs": [
        [{}, {"top_logprobs": None}],
        [{"top_logprobs": 2}, {"top_logprobs": 2.0}],
        *each("top_logprobs", [0, 1, True]),
    ],
    "top_p": [
        [{}, {"top_p": None}],
        [{"top_p": 1}, {"top_p": 1.0}],
        [{"top_p": 0}, {"top_p": 0.0}],
        *each("top_p", [0.1, 0.9, True, "1"]),
    ],
    "user": never("user", ["a", "b", ""]),
    "verbosity": [
        [{}, {"verbosity": None}],
        *each("verbosity", ["low", "medium", "high"]),
    ],
    "web_search_options": [
        [{}, {"web_search_options": None}],
        [{"web_search_options": {}}, {"web_search_options": {"search_context_size": None}}],
        *each("web_search_options", [{"search_context_size": "low"}, {"search_context_size": "medium"}]),
        *(
            [{"web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": city}}}}]
            for city in "ab"
        ),
    ],
}

SCHEMAS: dict[str, Classes] = {
    "required is a set": [
        of_schema({"required": ["a", "b"]}, {"required": ["b", "a"]}, {"required": ["a", "b", "a"]}),
        of_schema({"required": ["a"]}),
        of_schema({"required": ["a", "b", "c"]}),
        of_schema({"required": []}),
        of_schema({}),
        of_schema({"required": "ab"}),
        of_schema({"required": ["a", 1]}),
        of_schema({"required": [1, "a"]}),
        of_schema({"required": True}),
    ],
    "enum is none": [
        of_properties({"a": {"enum": ["x", "y"]}}),
        of_properties({"a": {"enum": ["y", "x"]}}),
        of_properties({"a": {"enum": ["x", "y", "x"]}}),
        of_properties({"a": {"enum": ["x"]}}),
    ],
    "a property named required": [
        of_properties({"required": {"enum": ["a", "b"]}}),
        of_properties({"required": {"enum": ["b", "a"]}}),
        of_properties({"required": ["a", "b"]}),
        of_properties({"required": ["b", "a"]}),
        of_properties({}),
    ],
    "a property named required that requires": [
        of_properties({"required": {"required": ["a", "b"]}}, {"required": {"required": ["b", "a"]}}),
        of_properties({"required": {"required": ["a"]}}),
    ],
    "a property named properties": [
        of_properties({"properties": {"required": ["a", "b"]}}, {"properties": {"required": ["b", "a"]}}),
        of_properties({"properties": {"properties": {"required": ["a", "b"]}}}),
        of_properties({"properties": {"properties": {"required": ["b", "a"]}}}),
    ],
    "properties with the names of transport parameters": [
        *(
            of_properties({name: {"type": "string"}})
            for name in ("user", "metadata", "store", "stream", "cache_control", "n", "model")
        ),
        of_properties({"user": {"type": "integer"}}),
        of_properties({"user": {"type": "string"}, "metadata": {"type": "string"}}),
        of_properties({}),
    ],
    "required, wherever there is a schema": [
        of_schema(
            *(
                {
                    "items": {"required": order},
                    "$defs": {"x": {"required": order}},
                    "anyOf": [{"required": order}, {"not": {"required": order}}],
                    "properties": {"p": {"additionalProperties": {"required": order}}},
                    "patternProperties": {
                        "^x": {"if": {"required": order}, "then": {"prefixItems": [{"required": order}]}}
                    },
                }
                for order in (["a", "b"], ["b", "a"])
            )
        ),
    ],
    "what is no schema": [
        *(
            of_schema({place: {"required": order}})
            for place in ("const", "default", "x-own")
            for order in (["a", "b"], ["b", "a"])
        ),
        *(
            of_schema({place: [{"required": order}]})
            for place in ("enum", "examples")
            for order in (["a", "b"], ["b", "a"])
        ),
        *(of_schema({"properties": {"p": {"default": {"required": order}}}}) for order in (["a", "b"], ["b", "a"])),
    ],
    "order within a schema": [
        of_schema({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        of_schema({"anyOf": [{"type": "null"}, {"type": "string"}]}),
        of_schema({"type": ["string", "null"]}),
        of_schema({"type": ["null", "string"]}),
    ],
    "values within a schema": [
        of_schema({"default": None}),
        of_schema({"default": 0}, {"default": 0.0}),
        of_schema({"default": False}),
        of_schema({"default": ""}),
        of_schema({"minimum": 1}, {"minimum": 1.0}),
        of_schema({"minimum": True}),
        of_schema({"description": "a"}),
        of_schema({"description": "a\r\n"}),
        of_schema({"description": "a\n"}),
    ],
    "strict within a schema": [
        of_properties({"strict": False}),
        of_properties({}),
        of_schema({"strict": False}),
        of_schema({}),
    ],
    "what is none": [of_schema(schema) for schema in (True, False, [], ["a", "b"], ["b", "a"], "x", 7)],
}

BEYOND: dict[str, Classes] = {
    "unknown fields": [
        [{}, {"extra": None}],
        *each("extra", [0, 1, True, False, "", [], {}, {"a": None}]),
        [{"Temperature": 1}],
        [{"guided_json": {"a": 1}}],
        [{"user_id": "a"}],
        [{"user_id": "b"}],
        [{"extra_body": {"user": "a"}}],
        [{"extra_body": {"user": "b"}}],
        [{"cache_control": {"type": "ephemeral"}}],
    ],
    "two parameters at a time": [
        [{"temperature": 1, "top_p": 0}, {"top_p": 0.0, "temperature": 1.0}],
        [{"temperature": 0, "top_p": 1}],
    ],
    "transport parameters are that at the top alone": [
        *([{"audio": AUDIO | {name: "a"}}] for name in ("user", "metadata", "store", "service_tier", "stream")),
        [{"audio": AUDIO}],
    ],
}

ALL = {**TABLE, **{f"tools: {name}": classes for name, classes in SCHEMAS.items()}, **BEYOND}

NESTED_NAMES = frozenset(
    [
        "allowed_tools",
        "approximate",
        "arguments",
        "city",
        "content",
        "country",
        "custom",
        "data",
        "definition",
        "description",
        "detail",
        "file",
        "file_data",
        "file_id",
        "filename",
        "format",
        "function",
        "grammar",
        "id",
        "image_url",
        "include_obfuscation",
        "include_usage",
        "input",
        "input_audio",
        "json_schema",
        "mode",
        "name",
        "parameters",
        "refusal",
        "region",
        "role",
        "schema",
        "search_context_size",
        "strict",
        "syntax",
        "text",
        "timezone",
        "tool_call_id",
        "tool_calls",
        "type",
        "url",
        "user_location",
        "voice",
    ]
)
"""What the reference documents within a parameter, and nowhere at the top."""


def asked(fields: Body) -> Canonical:
    body = json.dumps(LEAST | fields).encode()
    return normalize(Request("POST", "/v1/chat/completions", body=body))


@pytest.mark.parametrize("classes", ALL.values(), ids=ALL.keys())
def test_a_difference_in_spelling_or_transport_never_changes_the_key(classes: Classes) -> None:
    for spellings in classes:
        assert {asked(fields).key for fields in spellings} == {asked(spellings[0]).key}


@pytest.mark.parametrize("classes", ALL.values(), ids=ALL.keys())
def test_a_difference_that_could_change_the_answer_changes_the_key(classes: Classes) -> None:
    by_key: dict[str, list[Body]] = {}
    for spellings in classes:
        by_key.setdefault(asked(spellings[0]).key, []).append(spellings[0])
    assert [confused for confused in by_key.values() if len(confused) > 1] == []


@pytest.mark.parametrize("classes", ALL.values(), ids=ALL.keys())
def test_the_one_form_of_a_body_is_its_own(classes: Classes) -> None:
    for spellings in classes:
        for fields in spellings:
            canonical = asked(fields)
            again = normalize(
                Request("POST", "/v1/chat/completions", body=json.dumps(canonical.content["body"]).encode())
            )
            assert (again.key, again.content) == (canonical.key, canonical.content)


@pytest.mark.parametrize("name", TABLE)
def test_each_entry_of_the_table_speaks_of_its_parameter(name: str) -> None:
    assert any(name in fields for spellings in TABLE[name] for fields in spellings)
    has_classes = len(TABLE[name]) > 1
    assert has_classes == (PARAMETERS[name].role is not Role.TRANSPORT or name in {"stream", "stream_options"})


def test_the_table_names_every_parameter_exactly_once() -> None:
    assert list(TABLE) == sorted(PARAMETERS)
    assert list(PARAMETERS) == sorted(PARAMETERS)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the API reference is not beside the repository")
def test_the_table_names_every_parameter_of_the_api_reference() -> None:
    section = REFERENCE.read_text().partition("### Body Parameters")[2].partition("### Returns")[0]
    documented = set(re.findall(r"^\s*- `(\w+): ", section, re.MULTILINE))
    assert documented == TABLE.keys() | NESTED_NAMES


@pytest.mark.parametrize(
    ("fields", "variant"),
    [
        ({}, Variant.JSON),
        ({"stream": False}, Variant.JSON),
        ({"stream": None}, Variant.JSON),
        ({"stream": 1}, Variant.JSON),
        ({"stream": "true"}, Variant.JSON),
        ({"stream_options": {"include_usage": True}}, Variant.JSON),
        ({"stream": True}, Variant.SSE),
        ({"stream": True, "stream_options": None}, Variant.SSE),
        ({"stream": True, "stream_options": {"include_usage": False}}, Variant.SSE),
        ({"stream": True, "stream_options": {"include_usage": None}}, Variant.SSE),
        ({"stream": True, "stream_options": {"include_usage": 1}}, Variant.SSE),
        ({"stream": True, "stream_options": {"include_obfuscation": False}}, Variant.SSE),
        ({"stream": True, "stream_options": "x"}, Variant.SSE),
        ({"stream": True, "stream_options": {"include_usage": True}}, Variant.SSE_USAGE),
        ({"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": True}}, Variant.SSE_USAGE),
    ],
)
def test_how_the_answer_travels_makes_the_variant(fields: Body, variant: Variant) -> None:
    assert asked(fields).variant is variant


@pytest.mark.parametrize("name", [name for name, parameter in PARAMETERS.items() if parameter.role is Role.TRANSPORT])
@pytest.mark.parametrize("odd", ["\ud83d", float("nan"), 2**70, {"a": float("inf")}, ["\ude42"]], ids=ascii)
def test_an_odd_value_of_what_is_left_out_leaves_no_trace(name: str, odd: Any) -> None:
    rest: Body = {"messages": [{"role": "user", "content": "caf\u00e9"}], "temperature": 0.00001}
    if name in {"stream", "stream_options"}:
        assert asked(rest | {name: odd}).key != asked(rest).key
    else:
        assert asked(rest | {name: odd}).key == asked(rest).key


def test_forms_leave_what_they_are_given_as_it_is() -> None:
    for classes in ALL.values():
        for fields in [fields for spellings in classes for fields in spellings]:
            body = copy.deepcopy(LEAST | fields)
            for name, value in body.items():
                if name in PARAMETERS:
                    PARAMETERS[name].form(value, body)
            assert body == LEAST | fields
