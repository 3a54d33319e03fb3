"""A JSON text as its value, and how that was spelt.

Rule: a text is taken for its value only where the value, written in the same style, gives the very bytes again. What a
parser would lose (a name that occurs twice, 1e5, an integer of 30 digits, NaN, half an emoji) fails that test, and
such a text stays a text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from proxy.core.canonical import Json

INDENTED: Final = "indented"
"""Over several lines, two spaces a level."""

SPACED: Final = "spaced"
"""On one line, with a space after each colon and comma, as Python writes it."""

ASCII: Final = "ascii"
"""Every character beyond ASCII is an escape."""

NEWLINE: Final = "newline"
"""A line feed ends it."""

WORDS: Final = frozenset({INDENTED, SPACED, ASCII, NEWLINE})
"""A style is some of these words, in order, with spaces between; the empty one is compact."""

_INDENTED_BEGINNING = re.compile(rb"[\[{]\n")
_SPACED_BEGINNING = re.compile(rb'\{"(?:[^"\\]|\\.)*": ')
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_ENCLOSING = 8
"""How many levels a value may be put into afterwards: orjson writes no more than 254."""

_SURELY_ENCLOSED = 200


def parsed(data: bytes) -> tuple[Json, str] | None:
    """Return the object or array that a text is, and its style; None where they would not give the text again."""
    try:
        value = orjson.loads(data)
        if not isinstance(value, dict | list) or not _can_be_enclosed(value, data):
            return None
        if orjson.dumps(value) == data:
            return value, ""
        style = _style(data)
        return (value, style) if written(value, style) == data else None
    except (ValueError, TypeError, RecursionError):  # orjson's own are of the first kinds
        return None


def written(value: Json, style: str = "") -> bytes:
    """Write a value in a style. Raises ValueError for a style that is none, and a value that cannot be written."""
    words = frozenset(style.split())
    if not words <= WORDS:
        raise ValueError(f"{style[:80]!r} is not a style of JSON")
    try:
        if SPACED in words:
            data = json.dumps(value, ensure_ascii=False).encode()
        else:
            data = orjson.dumps(value, option=orjson.OPT_INDENT_2 if INDENTED in words else None)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"JSON that cannot be written: {error}") from error
    if ASCII in words:
        data = _BEYOND_ASCII.sub(_escaped, data.decode()).encode()
    return data + b"\n" if NEWLINE in words else data


def _style(data: bytes) -> str:
    """Guess the style; whether the guess is right shows when the value is written."""
    seen = (
        (ASCII, rb"\u" in data and data.isascii()),
        (INDENTED, bool(_INDENTED_BEGINNING.match(data))),
        (NEWLINE, data.endswith(b"\n")),
        (SPACED, bool(_SPACED_BEGINNING.match(data))),
    )
    return " ".join(word for word, is_so in seen if is_so)


def _can_be_enclosed(value: Json, data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= _SURELY_ENCLOSED:
        return True
    for _ in range(_ENCLOSING):
        value = [value]
    return bool(orjson.dumps(value))


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))
