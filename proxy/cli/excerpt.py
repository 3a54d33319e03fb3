"""The layout of `grep`: a line of text, cut around what was found in it.

Rule: a line of output is a line of text; the first match is always on it, with what stands before it as far as there
is room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.cli.screen import styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from proxy.core.matching import Line, Span

MARK: Final = "bold red"
"""How a match looks, as with grep."""

_LEAST: Final = 20
"""Columns that a text has even where what names it fills the line."""

_BEFORE: Final = 3
"""One of so many columns may go to what stands before the first match."""

_CUT: Final = "…"


def excerpt(title: Text, line: Line, width: int) -> Text:
    """Lay out a line after what names it, within a width, its matches marked; a line's end within it is a space."""
    room = max(_LEAST, width - title.cell_len)
    start = _start(line, room)
    shown = styled(_CUT if line.text[:start].strip() else "")
    for piece, style in _pieces(line, start, start + room):
        shown.append_text(styled((piece.replace("\n", " "), style)))
    if start + room < len(line.text):
        shown.append(_CUT)
    shown.truncate(room, overflow="ellipsis")
    return title + shown


def _start(line: Line, room: int) -> int:
    """Return where to begin: where the line does, white space apart, if that leaves the first match whole."""
    first, last = line.matches[0]
    begin = min(first, len(line.text) - len(line.text.lstrip()))
    if styled(line.text[begin:last]).cell_len < room:
        return begin
    return max(begin, first - room // _BEFORE)


def _pieces(line: Line, start: int, end: int) -> Iterator[tuple[str, str]]:
    """Cut the part of a line between two places at its matches; yield each piece with its style."""
    place = start
    for first, last in _within(line.matches, start, end):
        yield line.text[place:first], ""
        yield line.text[first:last], MARK
        place = last
    yield line.text[place:end], ""


def _within(matches: tuple[Span, ...], start: int, end: int) -> Iterator[Span]:
    return ((max(first, start), min(last, end)) for first, last in matches if first < end and last > start)
