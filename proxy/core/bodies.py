"""Bodies as JSON members: their value where that gives the very bytes again, else text, else base64.

Rule: both ways stand side by side, so that reading undoes writing for any bytes in any chunks.

    "json": {...}, "style": "spaced"     what `core.spelling` says; no style is compact JSON
    "text": "..."                        UTF-8 that is no JSON, or whose spelling JSON would not give again
    "base64": "..."                      anything else; an empty body has none of these
    "at_us": 120                         beside it in a response: when its one chunk came
    "chunks": [[120, 512], [340, 88]]    the same of several: when each came, and its bytes
    "events": [[120, {...}], ...]        a stream: when each event came, and its JSON where it is `data: {...}` and a
                                         blank line; any other is [120, "text"] or [120, "...", "base64"]
"""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from proxy.core import spelling
from proxy.core.model import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.core.canonical import Json

MEMBERS: Final = ("json", "style", "text", "base64")
"""What a request's body may be told by."""

CHUNK_MEMBERS: Final = (*MEMBERS, "at_us", "chunks", "events")
"""What a response's body may be told by."""

_BASE64: Final = "base64"
_BEFORE, _AFTER = b"data: ", b"\n\n"
_PAIR: Final = 2


def to_json(body: bytes) -> dict[str, Json]:
    """Write a body as members; none for an empty one."""
    if not body:
        return {}
    if found := spelling.parsed(body):
        value, style = found
        return {"json": value, **_styled(style)}
    text = _text(body)
    return {_BASE64: base64.b64encode(body).decode()} if text is None else {"text": text}


def from_json(held: Mapping[str, Json]) -> bytes:
    """Undo `to_json`. Raises ValueError for anything else."""
    told = [name for name in ("json", "text", _BASE64) if name in held]
    if len(told) > 1:
        raise ValueError(f"a body is told once, not as {' and '.join(told)}")
    match held:
        case {"json": value}:
            return spelling.written(value, _style(held))
        case {"text": str(text)}:
            return text.encode()
        case {"base64": str(text)}:
            return base64.b64decode(text, validate=True)
    if told:
        raise ValueError(f"{told[0]!r} should be a text")
    return b""


def chunks_to_json(chunks: Sequence[Chunk]) -> dict[str, Json]:
    """Write a plain body, and when it came."""
    body = to_json(b"".join(chunk.data for chunk in chunks))
    if len(chunks) == 1:
        return {"at_us": chunks[0].at_us, **body}
    return {"chunks": [[chunk.at_us, len(chunk.data)] for chunk in chunks], **body} if chunks else body


def stream_to_json(chunks: Sequence[Chunk]) -> dict[str, Json]:
    """Write a stream, event by event."""
    found = [_parsed_event(chunk.data) for chunk in chunks]
    style = _common_style(item[1] for item in found if item)
    events = [_event(chunk, item, style) for chunk, item in zip(chunks, found, strict=True)]
    return {**_styled(style), "events": events}


def chunks_from_json(held: Mapping[str, Json]) -> tuple[Chunk, ...]:
    """Undo `chunks_to_json` and `stream_to_json`. Raises ValueError for anything else."""
    told = [name for name in ("at_us", "chunks", "events") if name in held]
    if len(told) > 1:
        raise ValueError(f"when a body came is told once, not as {' and '.join(told)}")
    if "events" in held:
        if any(name in held for name in ("json", "text", _BASE64)):
            raise ValueError("a body that has 'events' has nothing else")
        return tuple(_chunk(item, _style(held)) for item in _list(held["events"], "events"))
    body = from_json(held)
    if "at_us" in held:
        return (Chunk(_whole(held["at_us"], "at_us"), body),)
    return _cut(body, _list(held.get("chunks", []), "chunks"))


def _parsed_event(data: bytes) -> tuple[Json, str] | None:
    if data.startswith(_BEFORE) and data.endswith(_AFTER):
        return spelling.parsed(data[len(_BEFORE) : -len(_AFTER)])
    return None


def _common_style(styles: Iterable[str]) -> str:
    """Put the events' styles together: not each has what shows one, such as a character beyond ASCII."""
    return " ".join(sorted({word for style in set(styles) for word in style.split()}))


def _event(chunk: Chunk, found: tuple[Json, str] | None, style: str) -> Json:
    data = chunk.data
    if found and (found[1] == style or _BEFORE + spelling.written(found[0], style) + _AFTER == data):
        return [chunk.at_us, found[0]]
    text = _text(data)
    return [chunk.at_us, base64.b64encode(data).decode(), _BASE64] if text is None else [chunk.at_us, text]


def _chunk(item: Json, style: str) -> Chunk:
    match item:
        case [int(at), dict() | list() as value]:
            data = _BEFORE + spelling.written(value, style) + _AFTER
        case [int(at), str(text)]:
            data = text.encode()
        case [int(at), str(text), "base64"]:
            data = base64.b64decode(text, validate=True)
        case _:
            raise ValueError('an event is [microseconds, {...}], [.., "text"] or [.., "...", "base64"]')
    return Chunk(_whole(at, "microseconds"), data)


def _cut(body: bytes, pairs: Sequence[Any]) -> tuple[Chunk, ...]:
    marks = [0]
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != _PAIR:
            raise ValueError("'chunks' should be a list of [microseconds, bytes]")
        marks.append(marks[-1] + _whole(pair[1], "bytes"))
    if marks[-1] != len(body):
        raise ValueError(f"'chunks' tells of {marks[-1]} bytes, and the body has {len(body)}")
    cuts = zip(pairs, pairwise(marks), strict=True)
    return tuple(Chunk(_whole(at, "microseconds"), body[start:end]) for (at, _), (start, end) in cuts)


def _styled(style: str) -> dict[str, Json]:
    return {"style": style} if style else {}


def _style(held: Mapping[str, Json]) -> str:
    style = held.get("style", "")
    if not isinstance(style, str):
        raise ValueError("'style' should be a text")  # noqa: TRY004  it is a value of the line's
    return style


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _list(value: Json, name: str) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError(f"{name!r} should be a list")  # noqa: TRY004  as above
    return value


def _whole(value: Json, name: str) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{name!r} should be an integer from 0 on")
    return value
