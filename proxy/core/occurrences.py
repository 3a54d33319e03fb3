r"""Where values stand in a text that a model wrote, also in JSON within it.

Rule: what counts is what the text says, not how it is spelt. In JSON (a tool call's arguments, an answer in JSON
mode) a value is looked for in each decoded string, where `\/` and `\u00e9` are no obstacle, and what replaces it gets
the escapes that it needs there. All values are looked for in one pass: a new text is never searched again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core import jsontext
from proxy.core.edits import Edit, measured
from proxy.core.jsontext import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.jsontext import Scalar


_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Replacement:
    """A text that stood in the recorded request, and the one in its place today.

    `before` and `after` are regular expressions of no width (look-behind, look-ahead) that must hold around it.
    """

    recorded: str
    asked: str
    before: str = ""
    after: str = ""

    @property
    def pattern(self) -> re.Pattern[str]:
        """What matches where the recorded text stands."""
        return re.compile(f"(?:{self.before}){re.escape(self.recorded)}(?:{self.after})")


class Finder:
    """Finds the occurrences of all values at once."""

    __slots__ = ("_any", "_values")

    def __init__(self, values: Iterable[Replacement]) -> None:
        # Those that stay the same are looked for too: a shorter one that is part of them must not be replaced there.
        ordered = sorted((value for value in values if value.recorded), key=lambda value: -len(value.recorded))
        self._values = [(value, value.pattern) for value in ordered]
        self._any = re.compile("|".join(re.escape(value.recorded) for value in ordered) or r"(?!)")

    def in_text(self, text: str) -> Iterator[Edit[str]]:
        """Yield an edit for each occurrence in a plain text; at one place the longest value wins."""
        place = 0
        while match := self._any.search(text, place):
            place = match.start() + 1
            if value := self._value_at(text, match.start()):
                place = match.start() + len(value.recorded)
                if value.asked != value.recorded:
                    yield Edit(match.start(), place, value.asked)

    def in_units(self, text: str, *, is_json: bool = False) -> Iterator[Edit[str]]:
        """Yield an edit for each occurrence in a text in units of UTF-16, which may as a whole be JSON.

        With `is_json` a text that begins as JSON is taken for it even if it is cut off.
        """
        # Each level of JSON in JSON doubles the backslashes, so this never goes deep.
        if jsontext.begins(text) and (is_json or jsontext.is_whole(text)):
            for scalar in jsontext.scan(text):
                yield from self._in_number(scalar) if scalar.kind is Kind.NUMBER else self._in_string(scalar)
        else:
            characters = jsontext.whole(text)
            for edit in measured(characters, self.in_text(characters), _width):
                yield Edit(edit.start, edit.end, jsontext.units(edit.text))

    def _in_string(self, scalar: Scalar) -> Iterator[Edit[str]]:
        for edit in self.in_units(scalar.text):
            if scalar.kind is Kind.NAME and _WORD.fullmatch(scalar.text[edit.start : edit.end]):
                continue  # a name that is a plain word is the tool's own
            spelt = jsontext.units(jsontext.spelt(edit.text))
            yield Edit(scalar.places[edit.start], scalar.places[edit.end], spelt)

    def _in_number(self, scalar: Scalar) -> Iterator[Edit[str]]:
        """Yield the edit of a number that as a whole is a value, and is to be one."""
        for edit in self.in_text(scalar.text):
            if edit.end - edit.start == len(scalar.text) and jsontext.is_number(edit.text):
                yield Edit(scalar.places[0], scalar.places[-1], edit.text)

    def _value_at(self, text: str, place: int) -> Replacement | None:
        return next((value for value, pattern in self._values if pattern.match(text, place)), None)


def _width(text: str) -> int:
    return len(jsontext.units(text))
