"""A chat completions request, checked and understood.

One rule: past this point nobody looks into the request's JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proxy.demo import models
from proxy.demo.conversation import Conversation, message_text, read_conversation
from proxy.demo.faults import invalid
from proxy.demo.parameters import check_body
from proxy.demo.toolbox import Toolbox, read_toolbox

_REASONING_TOKENS = {"minimal": 16, "low": 64, "medium": 256, "high": 1024, "xhigh": 4096}
# What JSON mode gives, where the caller asks for some object and not for a certain one.
_SOME_OBJECT = {
    "type": "object",
    "properties": {
        "topic": {"type": "string"},
        "answer": {"type": "string", "minLength": 20},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "seen": {"type": "integer", "minimum": 1000, "maximum": 999999},
    },
    "required": ["topic", "answer", "confidence", "seen"],
}


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a caller wants of a stream."""

    usage: bool
    obfuscation: bool


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything that an answer depends on."""

    model: str
    conversation: Conversation
    toolbox: Toolbox
    choices: int
    stops: tuple[str, ...]
    token_limit: int | None
    reasoning_tokens: int
    document: dict[str, Any] | None
    top_logprobs: int | None
    sound: str | None
    seed: int | None
    service_tier: str
    stream: StreamOptions | None


def read_chat(body: dict[str, Any]) -> ChatRequest:
    """Check a request's body and reduce it to what matters, or raise the API's error."""
    check_body(body)
    return ChatRequest(
        model=models.snapshot(body["model"]),
        conversation=read_conversation(body["messages"]),
        toolbox=read_toolbox(body),
        choices=int(body.get("n") or 1),
        stops=_stops(body.get("stop")),
        token_limit=_token_limit(body),
        reasoning_tokens=_REASONING_TOKENS.get(body.get("reasoning_effort") or "none", 0),
        document=_document(body),
        top_logprobs=int(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
        sound=body["audio"]["format"] if "audio" in (body.get("modalities") or ()) else None,
        seed=None if body.get("seed") is None else int(body["seed"]),
        service_tier=_tier(body.get("service_tier")),
        stream=_stream_options(body),
    )


def _stops(stop: str | list[str] | None) -> tuple[str, ...]:
    stops = [stop] if isinstance(stop, str) else stop or []
    return tuple(filter(None, stops))


def _token_limit(body: dict[str, Any]) -> int | None:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return None if limit is None else int(limit)


def _tier(asked: str | None) -> str:
    return "default" if asked in {None, "auto"} else str(asked)


def _stream_options(body: dict[str, Any]) -> StreamOptions | None:
    if not body.get("stream"):
        return None
    options = body.get("stream_options") or {}
    return StreamOptions(
        usage=bool(options.get("include_usage")), obfuscation=options.get("include_obfuscation") is not False
    )


def _document(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of the document that is asked for, where one is."""
    match body.get("response_format"):
        case {"type": "json_schema", "json_schema": form}:
            return form.get("schema") or {"type": "object"}
        case {"type": "json_object"}:
            _check_json_is_spoken_of(body["messages"])
            return _SOME_OBJECT
        case _:
            return None


def _check_json_is_spoken_of(messages: list[dict[str, Any]]) -> None:
    if not any("json" in message_text(message).lower() for message in messages):
        raise invalid(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
        )
