"""The grammar of a chat completions request.

One rule: it is written as tables, one entry for each field of the API reference, and says nothing about answers.
Fields that the reference does not know are let through: compatible servers have many.
"""

from __future__ import annotations

from typing import Any

from proxy.demo.checks import (
    anything,
    array,
    either,
    flag,
    mapping,
    missing,
    number,
    one_of,
    record,
    tagged,
    text,
    whole,
)
from proxy.demo.faults import invalid
from proxy.demo.media import check_base64, check_image_url
from proxy.demo.models import is_o_series

_NAME = text(longest=64, pattern="[a-zA-Z0-9_-]+")
_ANY_OBJECT = mapping(anything)
_SIGNED_64 = 2**63

_TEXT_PART = record({"text": text()}, required=["text"])
_PARTS = {
    "text": _TEXT_PART,
    "image_url": record(
        {"image_url": record({"url": check_image_url, "detail": one_of("auto", "low", "high")}, required=["url"])},
        required=["image_url"],
    ),
    "input_audio": record(
        {"input_audio": record({"format": one_of("wav", "mp3"), "data": check_base64}, required=["data", "format"])},
        required=["input_audio"],
    ),
    "file": record(
        {"file": record({"file_data": check_base64, "file_id": text(), "filename": text()})}, required=["file"]
    ),
}
_TEXT = either({str: text(), list: array(tagged("type", {"text": _TEXT_PART}), shortest=1)})
_USER_CONTENT = either({str: text(), list: array(tagged("type", _PARTS), shortest=1)})
_REFUSAL_PART = record({"refusal": text()}, required=["refusal"])
_ASSISTANT_CONTENT = either(
    {str: text(), list: array(tagged("type", {"text": _TEXT_PART, "refusal": _REFUSAL_PART}), shortest=1)}
)

_FUNCTION_CALL = record({"name": text(), "arguments": text()}, required=["name", "arguments"])
_CUSTOM_CALL = record({"name": text(), "input": text()}, required=["name", "input"])
_TOOL_CALL = tagged(
    "type",
    {
        "function": record({"id": text(), "function": _FUNCTION_CALL}, required=["id", "function"]),
        "custom": record({"id": text(), "custom": _CUSTOM_CALL}, required=["id", "custom"]),
    },
)
_INSTRUCTION = record({"content": _TEXT, "name": text()}, required=["content"])
_MESSAGE = tagged(
    "role",
    {
        "system": _INSTRUCTION,
        "developer": _INSTRUCTION,
        "user": record({"content": _USER_CONTENT, "name": text()}, required=["content"]),
        "assistant": record(
            {
                "content": _ASSISTANT_CONTENT,
                "refusal": text(),
                "name": text(),
                "audio": record({"id": text()}, required=["id"]),
                "tool_calls": array(_TOOL_CALL, shortest=1),
                "function_call": _FUNCTION_CALL,
            }
        ),
        "tool": record({"content": _TEXT, "tool_call_id": text()}, required=["content", "tool_call_id"]),
        "function": record({"name": text()}, required=["name"]),
    },
)

_FUNCTION = record({"name": _NAME, "description": text(), "parameters": _ANY_OBJECT, "strict": flag}, required=["name"])
_GRAMMAR = record({"definition": text(), "syntax": one_of("lark", "regex")}, required=["definition", "syntax"])
_CUSTOM_FORMAT = tagged("type", {"text": anything, "grammar": record({"grammar": _GRAMMAR}, required=["grammar"])})
_CUSTOM = record({"name": _NAME, "description": text(), "format": _CUSTOM_FORMAT}, required=["name"])
_TOOL = tagged(
    "type",
    {
        "function": record({"function": _FUNCTION}, required=["function"]),
        "custom": record({"custom": _CUSTOM}, required=["custom"]),
    },
)
_NAMED = record({"name": text()}, required=["name"])
_ALLOWED_TOOLS = record(
    {"mode": one_of("auto", "required"), "tools": array(_ANY_OBJECT, shortest=1)}, required=["mode", "tools"]
)
_CHOSEN_TOOL = tagged(
    "type",
    {
        "function": record({"function": _NAMED}, required=["function"]),
        "custom": record({"custom": _NAMED}, required=["custom"]),
        "allowed_tools": record({"allowed_tools": _ALLOWED_TOOLS}, required=["allowed_tools"]),
    },
)

_JSON_SCHEMA = record({"name": _NAME, "description": text(), "schema": _ANY_OBJECT, "strict": flag}, required=["name"])
_RESPONSE_FORMAT = tagged(
    "type",
    {
        "text": anything,
        "json_object": anything,
        "json_schema": record({"json_schema": _JSON_SCHEMA}, required=["json_schema"]),
    },
)
_VOICE = either({str: text(), dict: record({"id": text()}, required=["id"])})
# The API knows more formats, but this server has no encoder for them, and will not pass off a WAV as an MP3.
_AUDIO = record({"voice": _VOICE, "format": one_of("wav", "pcm16")}, required=["voice", "format"])

_BODY = record(
    {
        "model": text(),
        "messages": array(_MESSAGE, shortest=1),
        "audio": _AUDIO,
        "frequency_penalty": number(-2, 2),
        "function_call": either({str: one_of("none", "auto"), dict: _NAMED}),
        "functions": array(_FUNCTION, shortest=1, longest=128),
        "logit_bias": mapping(number(-100, 100)),
        "logprobs": flag,
        "max_completion_tokens": whole(1),
        "max_tokens": whole(1),
        "metadata": mapping(text(longest=512), most=16),
        "modalities": array(one_of("text", "audio"), shortest=1),
        "n": whole(1, 128),
        "parallel_tool_calls": flag,
        "prediction": tagged("type", {"content": record({"content": _TEXT}, required=["content"])}),
        "presence_penalty": number(-2, 2),
        "prompt_cache_key": text(),
        "prompt_cache_retention": one_of("in-memory", "in_memory", "24h"),
        "reasoning_effort": one_of("none", "minimal", "low", "medium", "high", "xhigh"),
        "response_format": _RESPONSE_FORMAT,
        "safety_identifier": text(longest=64),
        "seed": whole(-_SIGNED_64, _SIGNED_64 - 1),
        "service_tier": one_of("auto", "default", "flex", "scale", "priority"),
        "stop": either({str: text(), list: array(text(), longest=4)}),
        "store": flag,
        "stream": flag,
        "stream_options": record({"include_obfuscation": flag, "include_usage": flag}),
        "temperature": number(0, 2),
        "tool_choice": either({str: one_of("none", "auto", "required"), dict: _CHOSEN_TOOL}),
        "tools": array(_TOOL, shortest=1, longest=128),
        "top_logprobs": whole(0, 20),
        "top_p": number(0, 1),
        "user": text(),
        "verbosity": one_of("low", "medium", "high"),
        "web_search_options": _ANY_OBJECT,
    },
    required=["model", "messages"],
)


def check_body(body: dict[str, Any]) -> None:
    """Raise the first 400 that the real API would answer to a request's body."""
    _BODY("", body)
    _check_together(body)
    if is_o_series(body["model"]):
        _check_o_series(body)


def _check_together(body: dict[str, Any]) -> None:
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise _only_with("top_logprobs", "logprobs")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise _only_with("stream_options", "stream")
    if "audio" in (body.get("modalities") or ()) and body.get("audio") is None:
        raise missing("audio")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise invalid(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens"
        )


def _check_o_series(body: dict[str, Any]) -> None:
    for name, instead in {"max_tokens": " Use 'max_completion_tokens' instead.", "stop": ""}.items():
        if body.get(name) is not None:
            raise invalid(
                f"Unsupported parameter: '{name}' is not supported with this model.{instead}",
                name,
                "unsupported_parameter",
            )


def _only_with(name: str, other: str) -> Exception:
    return invalid(
        f"Invalid value for '{name}': '{name}' is only allowed when '{other}' is enabled.", name, "invalid_value"
    )
