"""A body becomes a request."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo.chat import ChatRequest, StreamOptions, read_chat
from proxy.demo.faults import ApiError

ASK = [{"role": "user", "content": "Hello"}]


def _read(**fields: Any) -> ChatRequest:
    return read_chat({"model": "gpt-4o-mini", "messages": ASK, **fields})


def test_defaults() -> None:
    request = _read()
    assert request.model == "gpt-4o-mini-2024-07-18"
    assert (request.choices, request.stops, request.token_limit) == (1, (), None)
    assert (request.document, request.top_logprobs, request.sound, request.seed) == (None,) * 4
    assert (request.service_tier, request.stream, request.reasoning_tokens) == ("default", None, 0)


def test_everything_said_is_understood() -> None:
    request = _read(
        n=2.0,
        stop="x",
        max_tokens=5,
        reasoning_effort="low",
        logprobs=True,
        top_logprobs=3,
        seed=0,
        service_tier="flex",
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "pcm16"},
    )
    assert (request.choices, request.stops, request.token_limit) == (2, ("x",), 5)
    assert (request.top_logprobs, request.sound, request.seed) == (3, "pcm16", 0)
    assert (request.service_tier, request.reasoning_tokens) == ("flex", 64)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, StreamOptions(usage=False, obfuscation=True)),
        ({"include_usage": True}, StreamOptions(usage=True, obfuscation=True)),
        ({"include_obfuscation": False}, StreamOptions(usage=False, obfuscation=False)),
    ],
)
def test_stream_options(options: dict[str, bool] | None, expected: StreamOptions) -> None:
    assert _read(stream=True, stream_options=options).stream == expected


def test_document_is_the_schema_asked_for() -> None:
    schema = {"type": "object", "properties": {}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    assert _read(response_format=form).document == schema
    assert _read(response_format={"type": "text"}).document is None


def test_json_mode_must_be_spoken_of() -> None:
    with pytest.raises(ApiError, match="must contain the word 'json'"):
        _read(response_format={"type": "json_object"})
    messages = [{"role": "system", "content": "Answer in JSON"}, *ASK]
    assert _read(messages=messages, response_format={"type": "json_object"}).document is not None
