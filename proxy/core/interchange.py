"""Recordings as JSON lines: what `export` writes and `import` reads.

Rule: both ways stand side by side, and reading undoes writing for any interaction. What a person can read is written
so, wherever that loses nothing; what follows from the rest (model, tokens, index) is not written at all. A line is one
to any program, and safe to show: what could steer a terminal, or end a line, is an escape.

    {"header": {"format": "llmtape", "version": 1, "facts": {"normalizer": "1", "rules": "{}"}}}
    {"run": {"id": 1, "started_at": "...", "mode": "record", "upstream": "...", "llmtape_version": "..."}}
    {"interaction": {"key": "...", ..., "run": 1, "request": {...}, "response": {...}}}

A header comes first, a run before its interactions. Bodies are in `core.bodies`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.core import bodies
from proxy.core import fields as header_fields
from proxy.core.errors import InterchangeError
from proxy.core.keep import check_status
from proxy.core.model import Interaction, Outcome, RecordedRun, Request, Response, Track, Variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.canonical import Json

FORMAT: Final = "llmtape"

VERSION: Final = 1
"""Of the lines; a change that an older reader would misread raises it."""

_DERIVED_FACTS: Final = frozenset({"format"})
"""Facts about the file that they came from, and not about the recordings."""

_KEY = re.compile(r"[0-9a-f]{64}")

# DEL and C1, line separators and direction overrides, in UTF-8. JSON itself escapes C0.
_UNPRINTABLE = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
_TOO_LARGE = 2**63


@dataclass(frozen=True, slots=True)
class Header:
    """What a cassette says of itself, in its table `cassette`: what made its keys, and what else was noted."""

    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An interaction, and the number of its run."""

    interaction: Interaction
    run_id: int


Line = Header | RecordedRun | Recorded


def dumps(line: Line) -> bytes:
    """Write a line, its line feed included."""
    match line:
        case Header(facts):
            told: Json = {"header": _header(facts)}
        case RecordedRun():
            told = {"run": {name: getattr(line, name) for name in _RUN}}
        case Recorded(interaction, run_id):
            told = {"interaction": _interaction(interaction, run_id)}
    return _UNPRINTABLE.sub(_escaped, orjson.dumps(told)) + b"\n"


def loads(data: bytes) -> Line:
    """Undo `dumps`. Raises InterchangeError, in words, for anything else."""
    try:
        return _read(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise InterchangeError(f"it is no JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InterchangeError(str(error)) from error


def is_header(data: bytes) -> bool:
    """Tell whether a file that begins with this line is one of ours, of whatever version."""
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    match told:
        case {"header": {"format": format_}}:
            return bool(format_ == FORMAT)
    return False


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match[0].decode())


def _read(told: Json) -> Line:
    if isinstance(told, dict) and len(told) == 1:
        for kind, read in _READERS.items():
            if kind in told:
                return read(_object(told, kind))
    raise ValueError(f"a line is an object with one member: {', '.join(_READERS)}")


def _header(facts: Mapping[str, str]) -> Json:
    kept = {name: value for name, value in sorted(facts.items()) if name not in _DERIVED_FACTS}
    return {"format": FORMAT, "version": VERSION, "facts": kept}


def _read_header(held: Mapping[str, Json]) -> Header:
    if _text(held, "format") != FORMAT:
        raise ValueError("its format is not llmtape's")
    if (version := _whole(held, "version")) > VERSION:
        raise ValueError(f"it has version {version}, and this llmtape reads up to {VERSION}: update llmtape")
    _check_names(held, "format", "version", "facts")
    facts = _object(held, "facts")
    return Header({name: _text(facts, name) for name in facts})


_RUN: Final = tuple(field.name for field in fields(RecordedRun))


def _read_run(held: Mapping[str, Json]) -> RecordedRun:
    _check_names(held, *_RUN)
    texts = {name: _text(held, name) for name in _RUN if name != "id"}
    return RecordedRun(_whole(held, "id"), **texts)


def _interaction(interaction: Interaction, run_id: int) -> Json:
    track = interaction.track
    return {
        "key": track.key,
        "variant": track.variant,
        "lane": track.lane,
        "take": interaction.number,
        "run": run_id,
        "recorded_at": interaction.recorded_at,
        "request": _request(interaction.request),
        "response": _response(interaction.response),
    }


def _read_interaction(held: Mapping[str, Json]) -> Recorded:
    _check_names(held, "key", "variant", "lane", "take", "run", "recorded_at", "request", "response")
    key = _text(held, "key")
    if not _KEY.fullmatch(key):
        raise ValueError("'key' should be 64 hexadecimal digits")
    track = Track(key, Variant(_text(held, "variant")), _text(held, "lane"))
    interaction = Interaction(
        track=track,
        number=_whole(held, "take", least=1),
        recorded_at=_text(held, "recorded_at"),
        request=_read_request(_object(held, "request")),
        response=_read_response(_object(held, "response"), was_asked_as_stream=track.variant is not Variant.JSON),
    )
    return Recorded(interaction, _whole(held, "run"))


def _request(request: Request) -> Json:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": header_fields.to_json(request.headers),
        **bodies.to_json(request.body),
    }


def _read_request(held: Mapping[str, Json]) -> Request:
    _check_names(held, "method", "path", "query", "headers", *bodies.MEMBERS)
    return Request(
        method=_text(held, "method"),
        path=_text(held, "path"),
        query=_text(held, "query"),
        headers=header_fields.from_json(held.get("headers")),
        body=bodies.from_json(held),
    )


def _response(response: Response) -> Json:
    return {
        "status": response.status,
        "headers": header_fields.to_json(response.headers),
        "outcome": response.outcome,
        "first_byte_us": response.first_byte_us,
        "duration_us": response.duration_us,
        **(bodies.stream_to_json if response.is_stream else bodies.chunks_to_json)(response.chunks),
    }


def _read_response(held: Mapping[str, Json], *, was_asked_as_stream: bool) -> Response:
    own = ("status", "headers", "outcome", "first_byte_us", "duration_us")
    _check_names(held, *own, *bodies.CHUNK_MEMBERS)
    return Response(
        status=check_status(held.get("status")),
        headers=header_fields.from_json(held.get("headers")),
        chunks=bodies.chunks_from_json(held),
        outcome=Outcome(_text(held, "outcome")),
        first_byte_us=_whole(held, "first_byte_us"),
        duration_us=_whole(held, "duration_us"),
        was_asked_as_stream=was_asked_as_stream,
    )


_READERS: Final[Mapping[str, Callable[[Mapping[str, Json]], Line]]] = {
    "header": _read_header,
    "run": _read_run,
    "interaction": _read_interaction,
}


def _text(held: Mapping[str, Json], name: str) -> str:
    value = held.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name!r} should be a text")  # noqa: TRY004  it is a value of the line's
    return value


def _whole(held: Mapping[str, Json], name: str, *, least: int = 0) -> int:
    value = held.get(name)
    if type(value) is not int or not least <= value < _TOO_LARGE:
        raise ValueError(f"{name!r} should be an integer from {least} on")
    return value


def _object(held: Mapping[str, Json], name: str) -> Mapping[str, Any]:
    value = held.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name!r} should be an object")  # noqa: TRY004  as above
    return value


def _check_names(held: Mapping[str, Json], *known: str) -> None:
    """Refuse what is not known: a body whose member is misspelt would be dropped."""
    if unknown := sorted(held.keys() - set(known)):
        raise ValueError(f"there is no member {unknown[0][:80]!r} here; those there are: {', '.join(known)}")
