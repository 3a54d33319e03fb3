"""Texts that an answer spells in pieces: over the events of a stream, or token by token beside it.

Rule: a text is looked at as a whole and changed piece by piece, each in its own place; no piece changes its length, and
nothing between the pieces changes at all. What no text runs over costs one parse an event.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.core import jsontext, lenient, spelt, sse
from proxy.core.edits import Edit, applied
from proxy.core.jsontext import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from proxy.core.jsontext import Path, Scalar

    Clean = Callable[[bytes], bytes]

_TOKENS: Final = "logprobs"
"""Where each token stands once more, with its bytes and with those that might have stood in its place."""

_PLAIN: Final = b"{"
"""How a plain answer begins, and no event does."""

_NESTED: Final = (dict, list)
_BLANK_LINE: Final = b"\n\n"
_DEEPEST: Final = 32  # no API has its texts further in

_DIGITS: Final = {1: "0", 2: "42", 3: "120"}
"""What stands in place of a byte's number, by its digits: `*` and `x`."""


class _Piece(NamedTuple):
    """A string in one event, or in the body of a plain answer, that is part of a longer text."""

    event: int
    path: Path
    text: str


def texts(body: bytes) -> Iterator[bytes]:
    """Yield each text that a body spells in pieces, as a whole. Half characters are spelt as three bytes."""
    for channel in _channels(_events(body)).values():
        if _is_strewn(channel):
            yield b"".join(_bytes(piece.text) for piece in channel)


def cleaned(body: bytes, clean: Clean) -> bytes:
    """Return a body with all texts cleaned that it spells in pieces; `clean` keeps the length of what it is given."""
    events = _events(body)
    wanted: dict[int, list[tuple[_Piece, bytes]]] = {}
    for channel in filter(_is_strewn, _channels(events).values()):
        for piece, data in _changed(channel, clean):
            wanted.setdefault(piece.event, []).append((piece, data))
    if not wanted:
        return body
    return b"".join(_rewritten(event, wanted[at]) if at in wanted else event for at, event in enumerate(events))


def _is_strewn(channel: Sequence[_Piece]) -> bool:
    """Tell whether a text comes in pieces, or is a token that is told again by its bytes."""
    return len(channel) > 1 or _TOKENS in channel[0].path


def _events(body: bytes) -> Sequence[bytes]:
    """Cut a body into its events; a plain answer is one, and worth a look only where it has its tokens beside it."""
    if body.startswith(_PLAIN):
        return [body] if _TOKENS.encode() in body else []
    if b"data" not in body:
        return []
    # As nearly all streams are; framing each line end as the standard has it takes twenty times as long.
    if b"\r" in body:
        return sse.split(body)
    *whole, rest = body.split(_BLANK_LINE)
    return [*(event + _BLANK_LINE for event in whole), rest]


def _channels(events: Sequence[bytes]) -> Mapping[Hashable, list[_Piece]]:
    """Sort the pieces by the text that they are part of."""
    channels: dict[Hashable, list[_Piece]] = {}
    for at, event in enumerate(events):
        data = event if event.startswith(_PLAIN) else _data(event)
        value = lenient.loads(data) if data.startswith(_PLAIN) else None
        if isinstance(value, dict):
            address = tuple([item for name in spelt.ADDRESS if isinstance(item := value.get(name), str | int)])
            found: list[tuple[Path, Hashable, str]] = []
            _collect(value, (), (), found)
            for path, name, text in found:
                if path[0] == "choices" or "delta" in path:
                    channels.setdefault((address, name), []).append(_Piece(at, path, text))
    return channels


def _data(event: bytes) -> bytes:
    if event.startswith(b"data: ") and event.count(b"\n") == 2 and event.endswith(b"\n\n") and b"\r" not in event:  # noqa: PLR2004
        return event[6:-2]  # as nearly all are; the rest takes four times as long
    return (sse.data_of(event) or b"").strip()


def _collect(value: Any, path: Path, name: tuple[Hashable, ...], found: list[tuple[Path, Hashable, str]]) -> None:
    """Add the strings that are values, each with its path and with the name of the text that it is part of."""
    if len(path) > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                found.append(((*path, key), (*name, key), item))
            elif isinstance(item, _NESTED):
                _collect(item, (*path, key), (*name, key), found)
        return
    has_places = _TOKENS not in path
    for at, item in enumerate(value):
        if isinstance(item, str):
            found.append(((*path, at), (*name, at if has_places else None), item))
        elif isinstance(item, _NESTED):
            _collect(item, (*path, at), (*name, _place(item, at) if has_places else None), found)


def _place(item: Any, at: int) -> int:
    """Return an array's element's place: an event holds one tool call, and tells which."""
    place = item.get("index", at) if isinstance(item, dict) else at
    return place if isinstance(place, int) else at


def _changed(channel: Sequence[_Piece], clean: Clean) -> Iterator[tuple[_Piece, bytes]]:
    """Yield the pieces that cleaning the whole text changes, and what becomes of their bytes."""
    pieces = [_bytes(piece.text) for piece in channel]
    whole = b"".join(pieces)
    new = clean(whole)
    if new != whole:
        for piece, data, (start, end) in zip(
            channel, pieces, pairwise(accumulate(map(len, pieces), initial=0)), strict=True
        ):
            if new[start:end] != data:
                yield piece, new[start:end]


def _rewritten(event: bytes, wanted: Sequence[tuple[_Piece, bytes]]) -> bytes:
    source = spelt.whole(event) if event.startswith(_PLAIN) else spelt.in_event(event)
    raw, places = source.raw, source.places
    scalars = list(jsontext.scan(source.text))
    edits = [
        Edit(start, end, edit.text.ljust(spelt.size(raw[start:end]), "*"))
        for piece, data in wanted
        for edit in _edits(scalars, piece, data)
        for start, end in [(places[edit.start], places[edit.end])]
    ]
    return spelt.encoded(applied(raw, _apart(edits)))


def _apart(edits: Iterable[Edit[str]]) -> Iterator[Edit[str]]:
    """Put edits in order, and leave out those within another: a token is itself, and may be another one's rival."""
    place = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= place and edit.end > edit.start:
            yield edit
            place = edit.end


def _edits(scalars: Sequence[Scalar], piece: _Piece, data: bytes) -> Iterator[Edit[str]]:
    """Yield the edits of a string unit by unit, and where it is a token, of all that tells it once more."""
    units = jsontext.units(piece.text)
    for scalar in scalars:
        if scalar.path == piece.path and scalar.kind is Kind.STRING and scalar.text == units:
            yield from _letters(piece.text, data, scalar.places)
    if _TOKENS in piece.path:
        yield from _told_again(scalars, piece.path)


def _letters(text: str, data: bytes, places: Sequence[int]) -> Iterator[Edit[str]]:
    at = place = 0
    for character in text:
        old = _bytes(character)
        new = data[place : place + len(old)]
        after = at + len(jsontext.units(character))
        if new != old:
            yield Edit(places[at], places[after], new.decode() if len(new) == 1 else "")
        at, place = after, place + len(old)


def _told_again(scalars: Sequence[Scalar], path: Path) -> Iterator[Edit[str]]:
    """Yield the edits of a token's bytes, and of those that might have stood in its place."""
    *item, last = path
    before, at = (item, None) if isinstance(last, str) else (path[:-2], last)
    for scalar in scalars:
        inside = scalar.path[len(before) :]
        if scalar.path[: len(before)] != tuple(before) or scalar.path == path:
            continue
        if at is not None and (inside[:2] != ("top_logprobs", at) or inside[2:] == ()):
            continue
        if scalar.kind is Kind.NUMBER and "bytes" in inside:
            yield Edit(scalar.places[0], scalar.places[-1], _DIGITS.get(len(scalar.text), scalar.text))
        elif (scalar.kind is Kind.STRING and "token" in inside[-1:]) or (scalar.kind is Kind.NAME and at is not None):
            yield Edit(scalar.places[0], scalar.places[-1], "")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
