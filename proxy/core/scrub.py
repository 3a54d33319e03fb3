"""Replacing volatile text by numbered placeholders.

Rule: only what a scrubber takes is replaced; whatever stands around it stays as it is, so that two requests become
equal only where nothing else differs. The same value gets the same number within a request. A placeholder that stands
in a text already counts as a value of its own, which makes scrubbing idempotent.

The texts are the string values of what a model reads: of messages, tools, predictions and response formats, and what
stands in the JSON of tool arguments and tool results. Words of the API's own (roles, types, ids) are none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from proxy.core import canonical
from proxy.core.scrubbers import ANNOUNCED, ANNOUNCING, NEVER, SCRUBBERS
from proxy.core.view import OpenedArray, OpenedObject, Properties, step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from proxy.core.canonical import Json
    from proxy.core.rules import Pattern

    Places = tuple[tuple[str, str], ...]

_NO_TEXT: Final = frozenset(
    {"role", "type", "id", "tool_call_id", "format", "detail", "file_id", "media_type", "sha256", "model"}
)
"""Names whose strings are the API's own words, ids or digests."""


_UNNUMBERED: Final = 10**9


@dataclass(frozen=True, slots=True)
class Matcher:
    """Finds the values of one rule. A text that has no `hint` has none of them."""

    name: str
    find: re.Pattern[str]
    hint: re.Pattern[str]

    def takes_of(self, text: str) -> bool:
        """Tell whether a text holds any value."""
        return bool(self.hint.search(text) and self.find.search(text))


@dataclass(frozen=True, slots=True)
class Held:
    """A value that a JSON path's rule holds back, to be numbered where it stands; `is_text` says it was a string."""

    name: str
    value: str
    is_text: bool


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """One value that was replaced: where it stands in the request, which rule took it, and what stands there now."""

    path: str
    rule: str
    value: str
    placeholder: str


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


def announced(value: Json) -> Iterator[str]:
    """Yield the working directories that texts tell, such as `Working directory: /home/ada/shop`."""
    if isinstance(value, str):
        if ANNOUNCING.search(value):
            yield from (match["value"] for match in ANNOUNCED.finditer(value))
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from announced(item)


def scrub(
    view: Json, found_by: Sequence[Matcher], names: Collection[str], is_read: Callable[[str], bool]
) -> tuple[Json, tuple[Scrubbed, ...]]:
    """Replace the values in an opened body, and close it.

    `names` are all whose placeholders may stand in it already; `is_read` tells of a top-level parameter whether the
    model reads its texts.
    """
    scrubbing = _Scrubbing(found_by, names)
    if not isinstance(view, dict):
        return scrubbing.close(view, "", is_text=True), tuple(scrubbing.found)
    body = {name: scrubbing.close(view[name], step("", name), name, is_text=is_read(name)) for name in sorted(view)}
    return body, tuple(scrubbing.found)


@dataclass(frozen=True, slots=True)
class _Value:
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


class _Scrubbing:
    """One request being scrubbed: the numbers that were given, and the values found, in order."""

    def __init__(self, found_by: Sequence[Matcher], names: Collection[str]) -> None:
        self.found: list[Scrubbed] = []
        self._matchers = found_by
        self._numbers: defaultdict[str, dict[tuple[str, int], int]] = defaultdict(dict)
        self._placeholder = _placeholder_of(frozenset(names))

    def close(self, value: Json, path: str, name: str = "", *, is_text: bool) -> Json:
        """Replace the values in one part of an opened body, and close it."""
        if isinstance(value, Held):
            return self._place(self._held(value), path)
        if isinstance(value, str):
            return self._text(value, path) if is_text and name not in _NO_TEXT else value
        if isinstance(value, (OpenedObject, OpenedArray)):
            return canonical.dumps_in_order(self._inner(value, path, is_text=is_text))
        return self._parts(value, path, is_text=is_text)

    def _parts(self, value: Json, path: str, *, is_text: bool) -> Json:
        if isinstance(value, Properties):
            return [[key, self.close(item, step(path, key), is_text=is_text)] for key, item in value.items()]
        if isinstance(value, dict):
            return {key: self.close(value[key], step(path, key), key, is_text=is_text) for key in sorted(value)}
        if isinstance(value, list):
            return [self.close(item, step(path, place), is_text=is_text) for place, item in enumerate(value)]
        return value

    def _inner(self, value: Json, path: str, *, is_text: bool) -> Json:
        """Go through JSON that stood in a text: all of it is text, names and numbers, too."""
        if isinstance(value, Held):
            return self._place(self._held(value), path)
        if isinstance(value, dict):
            return {
                self._text(name, path) if is_text else name: self._inner(item, step(path, name), is_text=is_text)
                for name, item in sorted(value.items(), key=self._rank)
            }
        if isinstance(value, list):
            return [self._inner(item, step(path, place), is_text=is_text) for place, item in enumerate(value)]
        if not is_text or value is None or isinstance(value, bool):
            return value
        return self._text(value, path) if isinstance(value, str) else self._number(value, path)

    def _text(self, text: str, path: str) -> str:
        pieces = self._split(text)
        return "".join(piece if isinstance(piece, str) else self._place(piece, path) for piece in pieces)

    def _number(self, value: float, path: str) -> Json:
        pieces = self._split(canonical.dumps_in_order(value))
        if len(pieces) == 1 and isinstance(pieces[0], _Value):
            return self._place(replace(pieces[0], mark="#"), path)
        return value

    def _split(self, text: str) -> list[str | _Value]:
        """Cut the values out of a text; until none is left, since a cut may uncover one."""
        if not self._placeholder.search(text) and not any(matcher.takes_of(text) for matcher in self._matchers):
            return [text]
        pieces: list[str | _Value] = list(self._placeholders_in(text))
        before: list[str | _Value] = []
        while before != pieces:
            before = pieces
            for matcher in self._matchers:
                if any(isinstance(piece, str) and matcher.takes_of(piece) for piece in pieces):
                    pieces = [part for piece in pieces for part in _cut(piece, matcher)]
        return pieces

    def _placeholders_in(self, text: str) -> Iterator[str | _Value]:
        end = 0
        for match in self._placeholder.finditer(text):
            yield from _some(text[end : match.start()])
            yield _Value(match["rule"], match[0], match["mark"], int(match["number"]))
            end = match.end()
        yield from _some(text[end:])

    def _held(self, held: Held) -> _Value:
        match = self._placeholder.fullmatch(held.value) if held.is_text else None
        if match:
            return _Value(held.name, held.value, match["mark"], int(match["number"]))
        return _Value(held.name, held.value, "" if held.is_text else "#")

    def _place(self, value: _Value, path: str) -> str:
        numbers = self._numbers[value.rule]
        number = numbers.setdefault(value.identity, len(numbers) + 1)
        placeholder = f"<{value.rule}:{value.mark}{number}>"
        self.found.append(Scrubbed(path, value.rule, value.text, placeholder))
        return placeholder

    def _rank(self, member: tuple[str, Json]) -> tuple[str, list[tuple[int, int, str]]]:
        """Order the members of an object by their scrubbed names, or each run would order them by chance."""
        pieces = self._split(member[0])
        values = [piece for piece in pieces if isinstance(piece, _Value)]
        name = "".join(piece if isinstance(piece, str) else f"<{piece.rule}>" for piece in pieces)
        return name, [
            (self._numbers[value.rule].get(value.identity, _UNNUMBERED), value.number, value.text) for value in values
        ]


def _placeholder_of(names: frozenset[str]) -> re.Pattern[str]:
    known = "|".join(map(re.escape, sorted(names))) or NEVER
    return re.compile(rf"<(?P<rule>{known}):(?P<mark>#?)(?P<number>[1-9]\d{{0,8}})>")


def _cut(piece: str | _Value, matcher: Matcher) -> Iterator[str | _Value]:
    if isinstance(piece, _Value):
        yield piece
        return
    end = 0
    group = "value" if "value" in matcher.find.groupindex else 0
    for match in matcher.find.finditer(piece):
        start, stop = match.span(group)
        if start < stop:  # an empty match, or a group that took no part, holds nothing
            yield from _some(piece[end:start])
            yield _Value(matcher.name, piece[start:stop])
            end = stop
    yield from _some(piece[end:])


def _some(text: str) -> Iterator[str]:
    if text:
        yield text
