"""Edits: spans of a text, and what is to stand there instead.

Rule: edits of one text stand in order, do not overlap and are not empty at their place; what lies outside of them
never changes. A text may be bytes or characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, AnyStr, Generic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True, slots=True)
class Edit(Generic[AnyStr]):
    """What is to stand in place of `start:end`."""

    start: int
    end: int
    text: AnyStr


def applied(text: AnyStr, edits: Iterable[Edit[AnyStr]]) -> AnyStr:
    """Return the text as its edits make it."""
    pieces: list[AnyStr] = []
    place = 0
    for edit in edits:
        pieces.extend((text[place : edit.start], edit.text))
        place = edit.end
    pieces.append(text[place:])
    return text[:0].join(pieces)


def measured(text: str, edits: Iterable[Edit[str]], width: Callable[[str], int]) -> Iterator[Edit[str]]:
    """Count the places of edits in another measure, such as bytes; `width` tells how much of it a text takes."""
    place = at = 0
    for edit in edits:
        start = at + width(text[place : edit.start])
        at = start + width(text[edit.start : edit.end])
        place = edit.end
        yield Edit(start, at, edit.text)


def spread(edits: Iterable[Edit[AnyStr]], lengths: Sequence[int]) -> list[list[Edit[AnyStr]]]:
    """Share the edits of a joined text out among the pieces that it was joined from.

    A piece gets as much of the new text as it had of the old one, the last one concerned takes the rest: what
    comes in pieces goes on coming in pieces.
    """
    shares: list[list[Edit[AnyStr]]] = [[] for _ in lengths]
    bounds = list(pairwise(accumulate(lengths, initial=0)))
    piece = 0
    for edit in edits:
        rest = edit.text
        while bounds[piece][1] <= edit.start:
            piece += 1
        for at in range(piece, len(bounds)):
            start, end = bounds[at]
            if start >= edit.end:
                break
            piece = at
            begin, stop = max(edit.start, start), min(edit.end, end)
            if begin < stop:
                cut = len(rest) if stop == edit.end else _cut(rest, stop - begin)
                shares[at].append(Edit(begin - start, stop - start, rest[:cut]))
                rest = rest[cut:]
    return shares


def _cut(text: str | bytes, place: int) -> int:
    """Return a place to cut at: the one asked for, but never within a character."""
    return place + 1 if isinstance(text, str) and _PAIR.match(text, max(0, place - 1)) else place
