"""Replacing volatile text by numbered placeholders.

Rule: only what a rule takes is replaced; whatever stands around it stays as it is, so that two requests become equal
only where nothing else differs. The same value gets the same number within a request. A placeholder that stands in a
text already counts as a value of its own, so that scrubbing twice changes nothing more.

The texts are the string values of what a model reads: of messages, tools, predictions and response formats, and what
stands in the JSON of tool arguments and tool results. Words of the API's own (roles, types, ids) are none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from proxy.core import canonical
from proxy.core.cut import Cutter, Value
from proxy.core.view import OpenedArray, OpenedObject, Properties, step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from proxy.core.canonical import Json
    from proxy.core.cut import Matcher, Piece

    Rank = tuple[str, list[tuple[int, int]], str, list[str]]

_NO_TEXT: Final = frozenset(
    {"role", "type", "id", "tool_call_id", "format", "detail", "file_id", "media_type", "sha256", "model"}
)
"""Names whose strings are the API's own words, ids or digests."""

_UNNUMBERED: Final = 10**9


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


def scrub(
    view: Json, found_by: Sequence[Matcher], names: Collection[str], is_read: Callable[[str], bool]
) -> tuple[Json, tuple[Scrubbed, ...]]:
    """Replace the values in an opened body, and close it.

    `names` are all whose placeholders may stand in it already; `is_read` tells of a top-level parameter whether the
    model reads its texts.
    """
    scrubbing = _Scrubbing(Cutter(found_by, names))
    if not isinstance(view, dict):
        return scrubbing.close(view, "", is_text=True), tuple(scrubbing.found)
    body = {name: scrubbing.close(view[name], step("", name), name, is_text=is_read(name)) for name in sorted(view)}
    return body, tuple(scrubbing.found)


class _Scrubbing:
    """One request being scrubbed: the numbers that were given, and the values found, in order."""

    def __init__(self, cutter: Cutter) -> None:
        self.found: list[Scrubbed] = []
        self._cutter = cutter
        self._numbers: defaultdict[str, dict[tuple[str, int], int]] = defaultdict(dict)

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
        pieces = self._cutter.cut(text)
        return "".join(piece if isinstance(piece, str) else self._place(piece, path) for piece in pieces)

    def _number(self, value: float, path: str) -> Json:
        match self._cutter.cut(canonical.dumps_in_order(value)):
            case [Value() as whole]:
                return self._place(replace(whole, mark="#"), path)
            case _:
                return value

    def _held(self, held: Held) -> Value:
        there = self._cutter.placeholder(held.value) if held.is_text else None
        return replace(there, rule=held.name) if there else Value(held.name, held.value, "" if held.is_text else "#")

    def _place(self, value: Value, path: str) -> str:
        numbers = self._numbers[value.rule]
        number = numbers.setdefault(value.identity, len(numbers) + 1)
        placeholder = f"<{value.rule}:{value.mark}{number}>"
        self.found.append(Scrubbed(path, value.rule, value.text, placeholder))
        return placeholder

    def _rank(self, member: tuple[str, Json]) -> Rank:
        """Order the members of an object by their scrubbed names and values, or each run would order them by chance."""
        name, item = member
        pieces = self._cutter.cut(name)
        values = [piece for piece in pieces if isinstance(piece, Value)]
        known = [(self._numbers[value.rule].get(value.identity, _UNNUMBERED), value.number) for value in values]
        shape = _unnumbered(self._cutter.cut(canonical.dumps_in_order(_plain(item)))) if values else ""
        return _unnumbered(pieces), known, shape, [value.text for value in values]


def _unnumbered(pieces: Sequence[Piece]) -> str:
    return "".join(piece if isinstance(piece, str) else f"<{piece.rule}>" for piece in pieces)


def _plain(value: Json) -> Json:
    """Write out what was held back within."""
    if isinstance(value, Held):
        return f"<{value.name}>"
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
