"""How an answer travels: as one JSON document, or as a stream of events.

One rule: both renderings carry the same answer; joining the deltas of a stream gives the plain message.
"""

from __future__ import annotations

import itertools
import json
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from proxy.demo.chat import StreamOptions
    from proxy.demo.completion import Call, Choice, Completion
    from proxy.demo.media import Sound

DONE: Final = b"data: [DONE]\n\n"
_PADDING = string.ascii_letters + string.digits
_LONGEST_PADDING = 16
_SOUND_FRAGMENT = 1200


@dataclass(frozen=True, slots=True)
class _Delta:
    """What one event adds to one choice."""

    fields: dict[str, Any]
    logprobs: dict[str, Any] | None = None
    finish_reason: str | None = None


def encode(value: Any) -> bytes:
    """Write compact JSON in UTF-8."""
    # A lone surrogate, echoed from a request, comes out as the JSON escape it came in as.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def event(value: dict[str, Any]) -> bytes:
    """Write one server-sent event, its blank line included."""
    return b"data: %b\n\n" % encode(value)


def plain_body(completion: Completion) -> dict[str, Any]:
    """Render the API's chat completion object."""
    return {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.model,
        "choices": [_choice(choice) for choice in completion.choices],
        "usage": completion.usage.render(),
        "service_tier": completion.service_tier,
        "system_fingerprint": completion.system_fingerprint,
    }


def chunks(completion: Completion, options: StreamOptions, random: Random) -> Iterator[dict[str, Any]]:
    """Render the API's chat completion chunks, those of several choices in turn."""
    head = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
        "service_tier": completion.service_tier,
        "system_fingerprint": completion.system_fingerprint,
    }
    usage: dict[str, Any] = {"usage": None} if options.usage else {}
    for choice, delta in _in_turn(completion.choices):
        padding = {"obfuscation": _padding(random)} if options.obfuscation else {}
        yield {**head, "choices": [_chunk_choice(choice, delta)], **usage, **padding}
    if options.usage:
        yield {**head, "choices": [], "usage": completion.usage.render()}


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "index": choice.index,
        "message": _message(choice),
        "logprobs": _logprobs(choice.logprobs),
        "finish_reason": choice.finish_reason,
    }


def _message(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if choice.content is None else "".join(choice.content),
        "refusal": None,
        "annotations": [],
    }
    if choice.tool_calls:
        message["tool_calls"] = [_tool_call(call, "".join(call.input)) for call in choice.tool_calls]
    if choice.function_call:
        message["function_call"] = _called(choice.function_call, "".join(choice.function_call.input))
    if choice.sound:
        message["audio"] = _sound(choice.sound)
    return message


def _sound(sound: Sound) -> dict[str, Any]:
    return {
        "id": sound.id,
        "data": sound.data,
        "expires_at": sound.expires_at,
        "transcript": sound.transcript,
    }


def _called(call: Call, written: str) -> dict[str, Any]:
    return {"name": call.name, call.input_field: written}


def _tool_call(call: Call, written: str) -> dict[str, Any]:
    return {"id": call.id, "type": call.kind, call.kind: _called(call, written)}


def _logprobs(scored: tuple[dict[str, Any], ...] | None) -> dict[str, Any] | None:
    return None if scored is None else {"content": list(scored), "refusal": None}


def _in_turn(choices: tuple[Choice, ...]) -> Iterator[tuple[Choice, _Delta]]:
    for row in itertools.zip_longest(*map(_deltas, choices)):
        yield from ((choice, delta) for choice, delta in zip(choices, row, strict=True) if delta is not None)


def _deltas(choice: Choice) -> Iterator[_Delta]:
    opening = None if choice.content is None else ""
    yield _Delta({"role": "assistant", "content": opening, "refusal": None})
    for position, token in enumerate(choice.content or ()):
        yield _Delta({"content": token}, _logprobs(choice.logprobs and choice.logprobs[position : position + 1]))
    for position, call in enumerate(choice.tool_calls):
        yield from _tool_call_deltas(position, call)
    if choice.function_call:
        yield from _function_call_deltas(choice.function_call)
    if choice.sound:
        yield from _sound_deltas(choice.sound)
    yield _Delta({}, finish_reason=choice.finish_reason)


def _tool_call_deltas(position: int, call: Call) -> Iterator[_Delta]:
    yield _Delta({"tool_calls": [{"index": position, **_tool_call(call, "")}]})
    for fragment in call.input:
        yield _Delta({"tool_calls": [{"index": position, call.kind: {call.input_field: fragment}}]})


def _function_call_deltas(call: Call) -> Iterator[_Delta]:
    yield _Delta({"function_call": _called(call, "")})
    for fragment in call.input:
        yield _Delta({"function_call": {call.input_field: fragment}})


def _sound_deltas(sound: Sound) -> Iterator[_Delta]:
    yield _Delta({"audio": {"id": sound.id, "transcript": sound.transcript}})
    for start in range(0, len(sound.data), _SOUND_FRAGMENT):
        yield _Delta({"audio": {"data": sound.data[start : start + _SOUND_FRAGMENT]}})
    yield _Delta({"audio": {"expires_at": sound.expires_at}})


def _chunk_choice(choice: Choice, delta: _Delta) -> dict[str, Any]:
    return {
        "index": choice.index,
        "delta": delta.fields,
        "logprobs": delta.logprobs,
        "finish_reason": delta.finish_reason,
    }


def _padding(random: Random) -> str:
    return "".join(random.choices(_PADDING, k=random.randint(1, _LONGEST_PADDING)))
