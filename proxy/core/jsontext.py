r"""The strings of a JSON text, and where each character of them stands.

Rule: reads, never judges. What does not parse or is cut off yields what it can and raises nothing; time is linear,
depth bounded. Decoded texts come in units of UTF-16, as JSON counts them: a character beyond U+FFFF is two, however
it is spelt, so that half an emoji (`"\ud83d"`, the rest in the next event) has a place of its own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from proxy.core.canonical import DEEPEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]
"""The names and positions that lead to a value."""

# Possessive: what a token has taken is never tried again.
_TOKEN = re.compile(r'[{}\[\],:"]|[^{}\[\],:" \t\r\n\ufeff]++')
# Ends before the closing quote, or before an escape that the text's end has cut off.
_STRING = re.compile(r'[^"\\]*+(?:\\(?!u[0-9A-Fa-f]{0,3}\Z).[^"\\]*+)*+', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# What is not one unit spelt as itself.
_SPECIAL = re.compile(r'\\u(?P<code>[0-9A-Fa-f]{4})|\\(?P<letter>["\\/bfnrt])|[\U00010000-\U0010ffff]')
_BEYOND = re.compile(r"[\U00010000-\U0010ffff]")
_LONE = re.compile(r"[\ud800-\udfff]")
# An object has names in quotes: what weaker models write in Python's way is prose to us.
_BEGINNING = re.compile(r'[ \t\r\n]*(?:\{[ \t\r\n]*(?:["}]|\Z)|\[)')

_ESCAPED = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_READER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)


class Kind(StrEnum):
    """What a scalar is: a member's name, a string that is a value, or a number."""

    NAME = "name"
    STRING = "string"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string or a number. A name's path ends with the name itself.

    Unit `k` of `text` is spelt at `places[k]:places[k + 1]` of the JSON text, quotes left out.
    """

    kind: Kind
    path: Path
    text: str
    places: Sequence[int]


@dataclass(slots=True)
class _Position:
    """Where a scan stands: the open containers, each with the name or position it has come to."""

    path: list[str | int] = field(default_factory=list)
    expects_name: bool = False

    @property
    def is_in_object(self) -> bool:
        return bool(self.path) and isinstance(self.path[-1], str)

    def pass_by(self, mark: str) -> None:
        """Take what is no scalar; only punctuation moves the position."""
        if mark in ("{", "["):
            self.path.append("" if mark == "{" else 0)
        elif mark in ("}", "]"):
            self.path[-1:] = []
        elif mark == "," and self.path:
            last = self.path[-1]
            self.path[-1] = last + 1 if isinstance(last, int) else ""
        self.expects_name = mark in ("{", ",") and self.is_in_object

    def scalar(self, kind: Kind, text: str, places: Sequence[int]) -> Scalar:
        if kind is Kind.NAME:
            self.path[-1] = text
            self.expects_name = False
        return Scalar(kind, tuple(self.path), text, places)


def scan(text: str) -> Iterator[Scalar]:
    """Yield the strings and numbers of a JSON text in order, also the last one of a text that is cut off."""
    position = _Position()
    place = 0
    while (match := _TOKEN.search(text, place)) and len(position.path) <= DEEPEST:
        mark, place = match[0], match.end()
        if mark == '"':
            end = _end_of_string(text, place)
            kind = Kind.NAME if position.expects_name else Kind.STRING
            yield position.scalar(kind, *_decoded(text, place, end))
            place = end + 1
        elif is_number(mark):
            yield position.scalar(Kind.NUMBER, mark, range(match.start(), place + 1))
        else:
            position.pass_by(mark)


def is_number(text: str) -> bool:
    """Tell whether a text is a number as JSON spells one."""
    return bool(_NUMBER.fullmatch(text))


def begins(text: str) -> bool:
    """Tell whether a text begins as an object or an array does."""
    return bool(_BEGINNING.match(text))


def is_whole(text: str) -> bool:
    """Tell whether a text is JSON from end to end; line ends within its strings are let pass."""
    try:
        _READER.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def spelt(text: str, *, ascii_only: bool = False) -> str:
    """Spell a text as the inside of a JSON string, with no more escapes than it needs."""
    inside = json.dumps(whole(text), ensure_ascii=ascii_only)[1:-1]
    return _LONE.sub(lambda half: f"\\u{ord(half[0]):04x}", inside)


def units(text: str) -> str:
    """Return a text in units of UTF-16: each character beyond U+FFFF as its two halves."""
    return _BEYOND.sub(lambda character: _halves(character[0]), text)


def whole(text: str) -> str:
    """Return a text with the halves that belong together as characters again."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _end_of_string(text: str, start: int) -> int:
    """Find the closing quote of the string that begins here, or where the text is cut off."""
    match = _STRING.match(text, start)
    return match.end() if match else start


def _decoded(text: str, start: int, end: int) -> tuple[str, Sequence[int]]:
    """Decode the inside of a string; a backslash that begins no escape stands for itself."""
    decoded: list[str] = []
    places: list[int] = []
    at = start
    for match in _SPECIAL.finditer(text, start, end):
        unit = _unit(match)
        decoded += text[at : match.start()], unit
        places += *range(at, match.start()), *(match.start(), match.end())[: len(unit)]
        at = match.end()
    if not decoded:
        return text[start:end], range(start, end + 1)
    return "".join([*decoded, text[at:end]]), [*places, *range(at, end + 1)]


def _unit(special: re.Match[str]) -> str:
    """Decode one escape, or one character of two units."""
    if special["code"]:
        return chr(int(special["code"], 16))
    return _ESCAPED[special["letter"]] if special["letter"] else _halves(special[0])


def _halves(character: str) -> str:
    beyond = ord(character) - 0x10000
    return chr(0xD800 + (beyond >> 10)) + chr(0xDC00 + (beyond & 0x3FF))
