r"""Strings that match a regular expression.

One rule: what is returned was matched against the expression by `re` itself. The generator knows the common part of
the language (classes, groups, alternatives, repetition, anchors); for the rest it says that it can't.
"""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_ATTEMPTS = 20
_UNBOUNDED = 4  # how many more than the least a `*` or `+` gives
_CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_", "s": " "}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "
_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}|([*+?])")
_GROUP = re.compile(r"\?(?::|P?<[A-Za-z_]\w*>)")


class NoMatchError(ValueError):
    """No string was found that matches."""


def matching(pattern: str, random: Random) -> str:
    """Make a string that contains a match, which is what JSON Schema asks of a pattern."""
    try:
        compiled = re.compile(pattern)
        for _ in range(_ATTEMPTS):
            candidate = _Writer(pattern, random).alternatives()
            if compiled.search(candidate):
                return candidate
    except (re.error, IndexError) as error:
        raise NoMatchError(f"cannot read the pattern {pattern!r}: {error}") from None
    raise NoMatchError(f"found no string that matches the pattern {pattern!r}")


class _Writer:
    """Walks over an expression and writes a random string for each piece."""

    def __init__(self, pattern: str, random: Random) -> None:
        self._pattern = pattern
        self._random = random
        self._at = 0

    def alternatives(self) -> str:
        """Write one of the branches up to the end of the group."""
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return self._random.choice(branches)

    def _sequence(self) -> str:
        written = ""
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            written += self._repeated()
        return written

    def _repeated(self) -> str:
        start = self._at
        piece = self._piece()
        repeat = _REPEAT.match(self._pattern, self._at)
        if not repeat:
            return piece
        after = repeat.end() + (self._pattern[repeat.end() : repeat.end() + 1] in {"?", "+"})
        pieces = [self._again(start) for _ in range(self._random.randint(*_bounds(repeat)))]
        self._at = after
        return "".join(pieces)

    def _again(self, start: int) -> str:
        self._at = start
        return self._piece()

    def _piece(self) -> str:
        match symbol := self._next():
            case "^" | "$":
                return ""
            case ".":
                return self._random.choice(string.ascii_letters)
            case "(":
                return self._group()
            case "[":
                return self._random.choice(self._char_class())
            case "\\":
                escape = self._next()
                return "" if escape in "bBAZ" else self._random.choice(_escaped(escape))
            case _:
                return symbol

    def _group(self) -> str:
        if opening := _GROUP.match(self._pattern, self._at):
            self._at = opening.end()
        written = self.alternatives()
        self._take(")")
        return written

    def _char_class(self) -> str:
        negated = self._take("^")
        members = self._member()
        while not self._take("]"):
            members += self._member()
        return "".join(sorted(set(_PRINTABLE) - set(members))) if negated else members

    def _member(self) -> str:
        first = self._class_symbol()
        if self._pattern[self._at] != "-" or self._pattern[self._at + 1] == "]":
            return first
        self._at += 1
        last = self._class_symbol()
        return "".join(map(chr, range(ord(first), ord(last) + 1)))

    def _class_symbol(self) -> str:
        symbol = self._next()
        return _escaped(self._next()) if symbol == "\\" else symbol

    def _take(self, symbol: str) -> bool:
        taken = self._pattern.startswith(symbol, self._at)
        self._at += len(symbol) * taken
        return taken

    def _next(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]


def _bounds(repeat: re.Match[str]) -> tuple[int, int]:
    least, comma, most, sign = repeat.groups()
    if sign:
        low = int(sign == "+")
        return low, 1 if sign == "?" else low + _UNBOUNDED
    return int(least), int(most) if most else int(least) + (_UNBOUNDED if comma else 0)


def _escaped(symbol: str) -> str:
    if symbol.lower() not in _CLASSES:
        return _CONTROLS.get(symbol, symbol)
    members = _CLASSES[symbol.lower()]
    return members if symbol.islower() else "".join(sorted(set(_PRINTABLE) - set(members)))
