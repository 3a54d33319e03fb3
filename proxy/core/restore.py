"""Values in a recorded response, replaced by those of the request that is answered with it.

Rule: where a model wrote a text that the recorded request held (a path, a date), the text at that place in today's
request stands in the replay, and no other byte changes: not the spelling of JSON, not a line end, not the number or
the time of a chunk. What the server wrote (ids, counts, token probabilities) is not touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from proxy.core import jsontext, spelt, sse
from proxy.core.edits import Edit, applied, measured, spread
from proxy.core.jsontext import Kind, Path, Scalar
from proxy.core.occurrences import Finder, Replacement

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from proxy.core.model import Chunk, Response
    from proxy.core.spelt import Spelt

__all__ = ["Replacement", "restored"]

_COMPLETIONS = "/completions"
"""Chat completions, and those of old."""

_WRITTEN = frozenset({"message", "delta", "text"})
_NOT_WRITTEN = frozenset(
    {
        ("role",),
        *(("tool_calls", name) for name in ("id", "type")),
        *((called, "name") for called in ("function_call",)),
        *(("tool_calls", kind, "name") for kind in ("function", "custom")),
        *(("audio", name) for name in ("id", "data")),
    }
)
"""What a server adds to a message, and which tool is called, by the names within it."""

_ERRORS: frozenset[Path] = frozenset({("error",), ("error", "message")})
_JSON_FIELDS = frozenset({"arguments", "partial_json"})
"""Where a text that begins as JSON is meant as JSON, even if it is cut off."""

_INDEX = re.compile(r"[0-9]{1,9}")
_DEEPEST_INDEX = 8
"""How many steps of a path may be an array's that tells its elements' places: the API's own are among the first."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A string of one source, which may be part of a longer text."""

    source: int
    scalar: Scalar


@dataclass(slots=True)
class _Channel:
    """The pieces that make up one text: of the same choice, of the same tool call."""

    pieces: list[_Piece] = field(default_factory=list)

    def edits(self, finder: Finder) -> Iterator[tuple[_Piece, Edit[str]]]:
        texts = [piece.scalar.text for piece in self.pieces]
        is_json = any(name in _JSON_FIELDS for name in self.pieces[0].scalar.path[-1:])
        shares = spread(finder.in_units("".join(texts), is_json=is_json), list(map(len, texts)))
        for piece, share in zip(self.pieces, shares, strict=True):
            yield from ((piece, edit) for edit in share)


def restored(response: Response, path: str, values: Sequence[Replacement]) -> Response:
    """Return a response with the recorded values in it replaced; the very same one where none occurs.

    `path` is that of the request: of completions only what the model wrote counts, and the message of an error.
    """
    if all(value.recorded == value.asked for value in values):
        return response
    finder = Finder(values)
    body = response.body
    if response.is_stream:
        edits = _in_sources(list(map(spelt.in_event, sse.split(body))), path, finder, are_pieces=True)
    elif _is_json(body, response.content_type):
        edits = _in_sources([spelt.whole(body)], path, finder, are_pieces=False)
    else:
        edits = _in_plain_text(body, finder)
    return replace(response, chunks=_recut(response.chunks, edits)) if edits else response


def _is_json(body: bytes, content_type: str) -> bool:
    text = spelt.decoded(body).removeprefix("\ufeff")
    return (content_type == "application/json" and jsontext.begins(text)) or jsontext.is_whole(text)


def _in_plain_text(body: bytes, finder: Finder) -> list[Edit[bytes]]:
    try:
        text = body.decode()
        return list(_in_bytes(text, finder.in_text(text)))
    except UnicodeError:  # some other encoding, or a value that UTF-8 cannot spell
        return []


def _in_sources(sources: Sequence[Spelt], path: str, finder: Finder, *, are_pieces: bool) -> list[Edit[bytes]]:
    """Return the edits of a body that consists of these sources, which together may hold one text in pieces."""
    is_ascii = all(source.raw.isascii() for source in sources)
    found: dict[int, list[Edit[str]]] = {}
    for channel in _channels(sources, path, are_pieces=are_pieces).values():
        for piece, edit in channel.edits(finder):
            places, within = piece.scalar.places, sources[piece.source].places
            start, end = within[places[edit.start]], within[places[edit.end]]
            spelling = jsontext.spelt(edit.text, ascii_only=is_ascii)
            found.setdefault(piece.source, []).append(Edit(start, end, spelling))
    edits: list[Edit[bytes]] = []
    base = 0
    for number, source in enumerate(sources):
        if number in found:
            edits += _in_bytes(source.raw, sorted(found[number], key=lambda edit: edit.start), base)
        base += spelt.size(source.raw)
    return edits


def _channels(sources: Sequence[Spelt], path: str, *, are_pieces: bool) -> dict[Hashable, _Channel]:
    is_completion = path.endswith(_COMPLETIONS)
    channels: dict[Hashable, _Channel] = {}
    for number, source in enumerate(sources):
        scalars = list(jsontext.scan(source.text))
        address = _address(scalars) if are_pieces else ()
        indexes = _indexes(scalars) if are_pieces else {}
        for scalar in scalars:
            if scalar.kind is Kind.STRING and (not is_completion or _is_written(scalar.path)):
                is_piece = are_pieces and ("delta" in scalar.path or scalar.path[:1] == ("choices",))
                name = (address, _by_index(scalar.path, indexes)) if is_piece else (number, scalar.places[0])
                channels.setdefault(name, _Channel()).pieces.append(_Piece(number, scalar))
    return channels


def _is_written(path: Path) -> bool:
    """Tell whether a string of a completion is the model's, or an error's message."""
    match path:
        case ("choices", int(), str(place), *within) if place in _WRITTEN:
            return tuple(name for name in within if isinstance(name, str)) not in _NOT_WRITTEN
    return path in _ERRORS


def _address(scalars: Iterable[Scalar]) -> tuple[tuple[Path, str], ...]:
    return tuple(
        (scalar.path, scalar.text)
        for scalar in scalars
        if len(scalar.path) == 1 and scalar.path[0] in spelt.ADDRESS and scalar.kind is not Kind.NAME
    )


def _indexes(scalars: Iterable[Scalar]) -> dict[Path, int]:
    """Return what the elements of arrays say of their place: an event holds one tool call, and tells which."""
    told = (scalar for scalar in scalars if scalar.kind is Kind.NUMBER and scalar.path[-1:] == ("index",))
    return {
        scalar.path[:-1]: int(scalar.text)
        for scalar in told
        if isinstance(scalar.path[-2:][0], int) and _INDEX.fullmatch(scalar.text)
    }


def _by_index(path: Path, indexes: dict[Path, int]) -> Path:
    address, rest = path[:_DEEPEST_INDEX], path[_DEEPEST_INDEX:]
    return (*(indexes.get(path[: at + 1], name) for at, name in enumerate(address)), *rest)


def _in_bytes(text: str, edits: Iterable[Edit[str]], base: int = 0) -> Iterator[Edit[bytes]]:
    for edit in measured(text, edits, spelt.size):
        yield Edit(base + edit.start, base + edit.end, edit.text.encode())


def _recut(chunks: Sequence[Chunk], edits: Iterable[Edit[bytes]]) -> tuple[Chunk, ...]:
    shares = spread(edits, [len(chunk.data) for chunk in chunks])
    return tuple(
        replace(chunk, data=applied(chunk.data, share)) if share else chunk
        for chunk, share in zip(chunks, shares, strict=True)
    )
