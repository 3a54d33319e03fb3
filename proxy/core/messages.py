"""The one form of a conversation.

Rule: what a model is told stays, in order; what only tells how a client spelt it goes (DESIGN, section 5). Every
function here is pure, takes any JSON value and leaves what it does not know as it stands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from proxy.core.canonical import respell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.canonical import Json

# Not after another CR, so that doing it twice does no more.
_LINE_END = re.compile(r"(?<!\r)\r\n")

_EMPTY_ECHOES: dict[str, tuple[Json, ...]] = {"refusal": ("",), "annotations": ([],)}
"""Fields that SDKs echo back empty from an answer. (Null counts as absent everywhere.)"""


def present(value: dict[str, Json]) -> dict[str, Json]:
    """Leave out the fields that are null."""
    return {name: item for name, item in value.items() if item is not None}


def conversation(messages: Json) -> Json:
    """Bring a list of messages to one form."""
    if not isinstance(messages, list):
        return messages
    return _rename_calls(in_call_order([_message(message) for message in messages]))


def content(value: Json) -> Json:
    """Bring a message's content to one form: text, or a list of parts."""
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, list):
        return value
    parts = [_part(part) for part in value]
    if len(parts) == 1 and isinstance(parts[0], dict) and parts[0].keys() == {"type", "text"}:
        only = parts[0]
        if only["type"] == "text" and isinstance(only["text"], str):
            return only["text"]
    return parts


def _text(value: str) -> str:
    return _LINE_END.sub("\n", value)


def _message(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    message = {name: item for name, item in present(value).items() if item not in _EMPTY_ECHOES.get(name, ())}
    if "content" in message:
        message["content"] = content(message["content"])
    if message.get("role") == "tool" and isinstance(message.get("content"), str):
        message["content"] = respell(message["content"])
    if isinstance(message.get("function_call"), dict):
        message["function_call"] = _called(message["function_call"])
    if isinstance(message.get("tool_calls"), list) and message["tool_calls"]:
        message["tool_calls"] = [_tool_call(call) for call in message["tool_calls"]]
        if message.get("content") in ("", []):
            del message["content"]
    return message


def _tool_call(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    call = present(value)
    if isinstance(call.get("function"), dict):
        call["function"] = _called(call["function"])
    return call


def _called(value: dict[str, Json]) -> dict[str, Json]:
    called = present(value)
    if isinstance(called.get("arguments"), str):
        called["arguments"] = respell(called["arguments"])
    return called


def _part(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    part = present(value)
    part.pop("cache_control", None)
    if isinstance(part.get("text"), str):
        part["text"] = _text(part["text"])
    for holder, name in (("image_url", "url"), ("input_audio", "data"), ("file", "file_data")):
        if isinstance(part.get(holder), dict):
            held = part[holder] = present(part[holder])
            if isinstance(held.get(name), str):
                held[name] = _media(held[name], bare=name != "url")
    return part


def _media(text: str, *, bare: bool) -> Json:
    """Let a data URI, or where `bare` base64 without its head, count by the digest of its decoded bytes.

    The digest stands in an object, where the API has only strings: no text can be mistaken for it.
    """
    if text[:5].lower() == "data:":
        head, comma, payload = text[5:].partition(",")
        if not comma:
            return text
        kind = head.lower().removesuffix(";base64")
        decoded = _decode(payload) if kind != head.lower() else _unquote(payload)
        return text if decoded is None else {"media_type": kind, "sha256": _digest(decoded)}
    decoded = _decode(text) if bare else None
    return text if decoded is None else {"sha256": _digest(decoded)}


def _decode(payload: str) -> bytes | None:
    try:
        return base64.b64decode("".join(payload.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _unquote(payload: str) -> bytes | None:
    try:
        return unquote_to_bytes(payload)
    except UnicodeEncodeError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def in_call_order(messages: list[Json]) -> list[Json]:
    """Sort each run of tool messages as the calls stand that it answers: they arrive in any order."""
    ordered: list[Json] = []
    place: dict[str | None, int] = {}
    run: list[Json] = []
    for message in messages:
        if _role(message) == "tool" and _answered(message) in place:
            run.append(message)
            continue
        ordered += sorted(run, key=lambda answer: place[_answered(answer)])
        run = []
        place = {call: index for index, call in enumerate(_call_ids(message))}
        ordered.append(message)
    return ordered + sorted(run, key=lambda answer: place[_answered(answer)])


def _rename_calls(messages: list[Json]) -> list[Json]:
    """Rename tool call ids by first appearance: some clients make them up anew each run."""
    names: dict[str, str] = {}

    def rename(holder: dict[str, Json], field: str) -> None:
        if isinstance(holder.get(field), str):
            holder[field] = names.setdefault(holder[field], f"call_{len(names) + 1}")

    for message in messages:
        if isinstance(message, dict):
            for call in _calls(message):
                rename(call, "id")
            if message.get("role") == "tool":
                rename(message, "tool_call_id")
    return messages


def _calls(message: dict[str, Json]) -> Iterator[dict[str, Json]]:
    calls = message.get("tool_calls")
    return (call for call in (calls if isinstance(calls, list) else ()) if isinstance(call, dict))


def _call_ids(message: Json) -> list[str]:
    if not isinstance(message, dict):
        return []
    return [call["id"] for call in _calls(message) if isinstance(call.get("id"), str)]


def _role(message: Json) -> Json:
    return message.get("role") if isinstance(message, dict) else None


def _answered(message: dict[str, Json]) -> str | None:
    call = message.get("tool_call_id")
    return call if isinstance(call, str) else None
