"""The JSON in a body, or in one event of a stream, and where each of its characters stands there.

Rule: whoever changes a text within changes the bytes at its places, and no others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ADDRESS: Final = ("type", "index", "item_id", "output_index", "content_index")
"""What tells the events of other APIs apart: those with the same values of these go on with the same text."""

_DATA_LINE: Final = re.compile(r"(?:\A\ufeff?|(?<=[\r\n]))data(?:: ?([^\r\n]*)|(?=[\r\n]|\Z))")


@dataclass(frozen=True, slots=True)
class Spelt:
    """A body or an event as it is spelt, and the JSON text in it: character `k` stands at `places[k]`."""

    raw: str
    text: str
    places: Sequence[int]


def whole(body: bytes) -> Spelt:
    """Take a body for JSON as a whole."""
    raw = decoded(body)
    return Spelt(raw, raw, range(len(raw) + 1))


def in_event(event: bytes) -> Spelt:
    """Find an event's data: its lines joined with LF, each line end standing for all up to the next line's data."""
    raw = decoded(event)
    spans = [match.span(1) if match[1] is not None else (match.end(),) * 2 for match in _DATA_LINE.finditer(raw)]
    places = [place for start, end in spans for place in range(start, end + 1)]
    return Spelt(raw, "\n".join(raw[start:end] for start, end in spans), places)


def decoded(data: bytes) -> str:
    """Decode bytes so that any of them can be encoded again as they were."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Encode what was decoded so."""
    return text.encode("utf-8", "surrogateescape")


def size(text: str) -> int:
    """Return how many bytes a text has that was decoded so."""
    return len(encoded(text))
