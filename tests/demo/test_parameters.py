"""The grammar takes what the reference allows, and names what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo.faults import ApiError
from proxy.demo.parameters import check_body

ASK = [{"role": "user", "content": "Hi"}]
FUNCTION = {"name": "f", "parameters": {"type": "object"}}

FULL: dict[str, Any] = {
    "audio": {"voice": {"id": "v"}, "format": "wav"},
    "frequency_penalty": -2,
    "function_call": {"name": "f"},
    "functions": [FUNCTION],
    "logit_bias": {"1": -100},
    "logprobs": True,
    "max_completion_tokens": 1,
    "metadata": {"a": "b"},
    "modalities": ["text", "audio"],
    "n": 128,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]},
    "presence_penalty": 2,
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "reasoning_effort": "xhigh",
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
    "safety_identifier": "s",
    "seed": -1,
    "service_tier": "flex",
    "stop": ["a", "b", "c", "d"],
    "store": True,
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "temperature": 2,
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "tools": [{"type": "function", "function": FUNCTION}, {"type": "custom", "custom": {"name": "c"}}],
    "top_logprobs": 20,
    "top_p": 0,
    "user": "u",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
}


def test_everything_in_the_reference_passes_at_once() -> None:
    check_body({"model": "demo", "messages": ASK, **FULL})


def test_null_is_absent_and_unknown_fields_pass() -> None:
    check_body({"model": "demo", "messages": ASK, **dict.fromkeys(FULL), "unknown": {}})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": "1"}, "n"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": [1]}, "stop[0]"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"stream_options": {}}, "stream_options"),
        ({"stream_options": {"include_usage": 1}, "stream": True}, "stream_options.include_usage"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"modalities": ["smell"]}, "modalities[0]"),
        ({"modalities": ["audio"]}, "audio"),
        ({"audio": {"voice": "alloy", "format": "mp3"}}, "audio.format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, "tools[0].function.name"),
        ({"tools": []}, "tools"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"function_call": "required"}, "function_call"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "http://a"}}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "function"}]}]},
            "messages[0].tool_calls[0].function",
        ),
        ({"model": "o3", "max_tokens": 5}, "max_tokens"),
        ({"model": "o3", "stop": "x"}, "stop"),
        ({"model": 5}, "model"),
    ],
)
def test_faulty_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_body({"model": "demo", "messages": ASK, **fields})
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)


@pytest.mark.parametrize("name", ["model", "messages"])
def test_required_field_is_missed(name: str) -> None:
    body = {"model": "demo", "messages": ASK}
    del body[name]
    with pytest.raises(ApiError, match=f"Missing required parameter: '{name}'"):
        check_body(body)
