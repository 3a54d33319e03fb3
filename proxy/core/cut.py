"""One text, cut into the values that rules take of it and what stands around them.

Rule: each rule looks once at the whole text, where what an earlier rule took is masked by letters: no cut makes an edge
that was none, and nothing is taken that its rule does not match there. A placeholder that stands in the text already
is taken first of all, as a value of its own rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from proxy.core.scrubbers import ANNOUNCED, ANNOUNCING, NEVER, PATHS, SCRUBBERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from proxy.core.canonical import Json
    from proxy.core.rules import Pattern

    Places = tuple[tuple[str, str], ...]
    Span = tuple[int, int]

MOST_ANNOUNCED: Final = 32
"""How many working directories a request may tell; more are no such thing."""

_ORDINARY: Final = "x"


@dataclass(frozen=True, slots=True)
class Matcher:
    """Finds the values of one rule. A text that has no `hint` has none of them."""

    name: str
    find: re.Pattern[str]
    hint: re.Pattern[str]

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where values stand; an empty match, or a group that took no part, holds none."""
        if not self.hint.search(text):
            return
        group = "value" if "value" in self.find.groupindex else 0
        for match in self.find.finditer(text):
            start, end = match.span(group)
            if start < end:
                yield start, end


@dataclass(frozen=True, slots=True)
class Value:
    """A value taken out of a text; `mark` is `#` for one that was no string, such as a number.

    `number` is that of a placeholder which stood there; 0 for a real value.
    """

    rule: str
    text: str
    mark: str = ""
    number: int = 0

    @property
    def identity(self) -> tuple[str, int]:
        """What makes two values one: a placeholder is the same with its mark and without."""
        return (self.text.replace(":#", ":", 1), self.number) if self.number else (self.text, 0)

    @property
    def mask(self) -> str:
        """What stands in its place while other rules look at the text: it has the edges of such a value."""
        return ("/" if self.rule in PATHS else _ORDINARY).ljust(len(self.text), _ORDINARY)


Piece = str | Value


@lru_cache(maxsize=64)
def matchers(names: frozenset[str], patterns: tuple[Pattern, ...], places: Places) -> tuple[Matcher, ...]:
    """Make what finds the values: the user's own patterns first, then the scrubbers in the order of their table.

    `places` are folders by the name of the scrubber that takes them: `workdir` and `home`.
    """
    found = [Matcher(pattern.name, *[re.compile(pattern.pattern)] * 2) for pattern in patterns]
    for scrubber in SCRUBBERS.values():
        if scrubber.name in names:
            known = {place for name, place in places if name == scrubber.name}
            longest_first = [re.escape(place) for place in sorted(known, key=lambda place: (-len(place), place))]
            forms, hints = ("|".join([*longest_first, more]) for more in (scrubber.pattern, scrubber.hint))
            whole = re.compile(f"{scrubber.before}(?:{forms}){scrubber.after}")
            found.append(Matcher(scrubber.name, whole, re.compile(hints)))
    return tuple(found)


class Cutter:
    """Cuts texts by the rules of one request. `names` are all whose placeholders may stand in a text already."""

    def __init__(self, found_by: Sequence[Matcher], names: Collection[str]) -> None:
        self._matchers = found_by
        self._placeholder = _placeholder_of(frozenset(names))

    def cut(self, text: str) -> list[Piece]:
        """Cut a text into its pieces; joined, they are the text."""
        taken: list[tuple[Span, Value]] = [(match.span(), _value(match)) for match in self._placeholder.finditer(text)]
        masked = _masked(text, taken)
        for matcher in self._matchers:
            spans = list(matcher.spans(masked))
            if spans:
                free = _free(spans, taken, len(text))
                taken = sorted(
                    [*taken, *((span, Value(matcher.name, text[slice(*span)])) for span in free)], key=_place
                )
                masked = _masked(text, taken)
        return _pieces(text, taken)

    def placeholder(self, text: str) -> Value | None:
        """Return the value that a text is, where it is a placeholder and nothing else."""
        match = self._placeholder.fullmatch(text)
        return _value(match) if match else None


def announced(value: Json, names: Collection[str]) -> set[str]:
    """Return the working directories that texts tell, such as `Working directory: /home/ada/shop`."""
    placeholder = _placeholder_of(frozenset(names))
    found: set[str] = set()
    for text in _texts(value):
        if len(found) < MOST_ANNOUNCED and ANNOUNCING.search(text):
            masked = placeholder.sub(lambda match: _ORDINARY * len(match[0]), text)
            spans = [match.span("value") for match in ANNOUNCED.finditer(masked)]
            found |= {text[start:end] for start, end in spans if text[start:end] == masked[start:end]}
    return set(sorted(found)[:MOST_ANNOUNCED])


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _free(spans: Sequence[Span], taken: Sequence[tuple[Span, Value]], length: int) -> Iterator[Span]:
    """Yield the spans of which nothing is taken yet."""
    if not taken:
        yield from spans
        return
    flags = bytearray(length)
    for (start, end), _ in taken:
        flags[start:end] = b"\1" * (end - start)
    yield from (span for span in spans if 1 not in flags[slice(*span)])


def _masked(text: str, taken: Sequence[tuple[Span, Value]]) -> str:
    return "".join(piece if isinstance(piece, str) else piece.mask for piece in _pieces(text, taken))


def _pieces(text: str, taken: Sequence[tuple[Span, Value]]) -> list[Piece]:
    pieces: list[Piece] = []
    place = 0
    for (start, end), value in taken:
        pieces += [text[place:start], value] if place < start else [value]
        place = end
    return [*pieces, text[place:]] if place < len(text) or not taken else pieces


def _place(taken: tuple[Span, Value]) -> Span:
    return taken[0]


def _value(match: re.Match[str]) -> Value:
    return Value(match["rule"], match[0], match["mark"], int(match["number"]))


@lru_cache(maxsize=64)
def _placeholder_of(names: frozenset[str]) -> re.Pattern[str]:
    known = "|".join(map(re.escape, sorted(names))) or NEVER
    return re.compile(rf"<(?P<rule>{known}):(?P<mark>#?)(?P<number>[1-9]\d{{0,8}})>")
