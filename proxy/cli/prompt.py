"""What a request says: its messages and its other parameters.

Rule: reads and never judges, like `core.completion` for answers. Whatever has not the API's form is passed over or
told on one line, because a cassette holds what clients really sent. Media are named, never shown.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from proxy.cli.wording import compact, folded, size
from proxy.core.completion import ToolCall
from proxy.core.delta import called_in, calls_of, reasoning_of
from proxy.core.lenient import mapping, sequence, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.canonical import Json

_LONGEST_VALUE = 60
_TOLD_ELSEWHERE = frozenset({"model", "messages"})
_TOOLS = frozenset({"tools", "functions"})


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message: its own text, or a line that stands for something else, such as an image."""

    text: str
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `name` is its author's, and for a tool's result the tool's, where either is known."""

    role: str
    name: str
    parts: tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def text(self) -> str:
        """All of it as one text."""
        return "\n".join(part.text for part in self.parts)


def messages(body: Json) -> list[Message]:
    """Read a request's conversation; an empty one where the body is no chat's."""
    called: dict[str, str] = {}
    read: list[Message] = []
    for value in _raw_messages(body):
        message = _message(value, called)
        called |= {call.id: call.name for call in message.tool_calls}
        read.append(message)
    return read


def last_user_message(body: Json) -> str | None:
    """Return the text of the newest message of a user. The others are not read: conversations are long."""
    newest = next((value for value in reversed(_raw_messages(body)) if value.get("role") == "user"), None)
    return None if newest is None else _message(newest, {}).text


def parameters(body: Json) -> Iterator[tuple[str, str]]:
    """Yield the names and values of what else is asked for, long values cut; tools by their names."""
    for name, value in mapping(body).items():
        if name in _TOLD_ELSEWHERE:
            continue
        names = ", ".join(_tool_names(value)) if name in _TOOLS else ""
        yield name, _cut(names or _plain(value))


def audio_type(body: Json) -> str:
    """Return the media type in which an answer is to speak; empty where none is asked for."""
    wanted = text(mapping(mapping(body).get("audio")).get("format"))
    return f"audio/{wanted}" if wanted else ""


def _raw_messages(body: Json) -> list[dict[str, Json]]:
    value = mapping(body).get("messages")
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _message(value: dict[str, Json], called: dict[str, str]) -> Message:
    return Message(
        role=text(value.get("role")) or "(no role)",
        name=text(value.get("name")) or called.get(text(value.get("tool_call_id")), ""),
        parts=(*_thoughts(value), *_parts(value.get("content")), *_echoes(value)),
        tool_calls=tuple(_tool_call(call) for _, call in calls_of(value)),
    )


def _thoughts(value: dict[str, Json]) -> Iterator[Part]:
    if reasoning := reasoning_of(value):
        yield Part(f"reasoning: {reasoning}", is_text=False)


def _echoes(value: dict[str, Json]) -> Iterator[Part]:
    """Name what an assistant's message has beside its content, where a client sends it back."""
    if refusal := text(value.get("refusal")):
        yield Part(f"refusal: {refusal}", is_text=False)
    if spoken := text(mapping(value.get("audio")).get("id")):
        yield Part(f"[audio, {spoken}]", is_text=False)


def _parts(content: Json) -> Iterator[Part]:
    if content is None or content == "":
        return
    for value in content if isinstance(content, list) else [content]:
        if mapping(value).get("type") != "thinking":  # told by `_thoughts`
            yield _part(value)


def _part(value: Json) -> Part:
    match value:
        case str(text) | {"type": "text", "text": str(text)}:
            return Part(text)
        case {"type": "refusal", "refusal": str(text)}:
            return Part(f"refusal: {text}", is_text=False)
        case _:
            return Part(f"[{_attachment(value) or _cut(compact(value))}]", is_text=False)


def _attachment(value: Json) -> str:
    """Name what a part carries, by kind, media type and size; empty for a part of no known kind."""
    match value:
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            facts = ["image", _uri(url)]
        case {"type": "input_audio", "input_audio": {"data": str(data), **audio}}:
            facts = ["audio", f"audio/{text(audio.get('format')) or 'unknown'}", _base64_size(data)]
        case {"type": "file", "file": {"file_data": str(data), **file}}:
            facts = ["file", text(file.get("filename")), _uri(data) or _base64_size(data)]
        case {"type": "file", "file": {"file_id": str(id_)}}:
            facts = ["file", id_]
        case _:
            facts = []
    return ", ".join(filter(None, facts))


def _uri(url: str) -> str:
    """Describe what a URL stands for: a data URI by media type and size, any other as it is; no URL by nothing."""
    scheme, colon, rest = url.partition(":")
    if not colon:
        return ""
    head, comma, payload = rest.partition(",")
    if scheme.lower() != "data" or not comma:
        return _cut(url)
    media_type = head.partition(";")[0] or "text/plain"
    is_base64 = head.lower().endswith(";base64")
    return f"{media_type}, {_base64_size(payload) if is_base64 else size(len(unquote_to_bytes(payload)))}"


def _base64_size(data: str) -> str:
    try:
        return size(len(base64.b64decode("".join(data.split()), validate=True)))
    except (binascii.Error, ValueError):  # ValueError: characters outside of ASCII
        return f"{len(data)} characters that are not base64"


def _tool_call(call: dict[str, Json]) -> ToolCall:
    name, arguments = called_in(call)
    return ToolCall(text(call.get("id")), text(call.get("type")) or "function", name, arguments)


def _tool_names(tools: Json) -> list[str]:
    """Name tools; a function of the older API stands there by itself."""
    held = [mapping(tool) for tool in sequence(tools)]
    names = [text((mapping(tool.get("function")) or mapping(tool.get("custom")) or tool).get("name")) for tool in held]
    return [name for name in names if name]


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else compact(value)


def _cut(text: str) -> str:
    short = folded(text)
    return short if len(short) <= _LONGEST_VALUE else f"{short[: _LONGEST_VALUE - 1]}…"
