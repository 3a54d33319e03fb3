"""Finding a pattern in texts, line by line.

Rule: what is shown is a line, as with grep; what is searched is the whole text, so that a pattern may reach over a
line's end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]
"""Where a match begins and ends; the same place twice where it is empty."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line in which matches begin, up to the end of the line where the last of them ends; they are in order."""

    text: str
    matches: tuple[Span, ...]


def compiled(pattern: str, *, is_fixed: bool = False, ignores_case: bool = False) -> re.Pattern[str]:
    """Read a regular expression as Python has it, or where it `is_fixed` a text; `^` and `$` are a line's.

    Raises ConfigError where it is none.
    """
    flags = re.MULTILINE | (re.IGNORECASE if ignores_case else re.NOFLAG)
    try:
        return re.compile(re.escape(pattern) if is_fixed else pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{pattern!r} is no regular expression: {error}. To search for the text as it stands, give -F"
        ) from error


def lines(pattern: re.Pattern[str], text: str) -> Iterator[Line]:
    """Yield the lines of a text that match, each with all matches that begin in it."""
    start = end = 0
    matches: list[Span] = []
    for match in pattern.finditer(text):
        if matches and match.start() > end:
            yield _line(text, start, end, matches)
            matches = []
        if not matches:
            start = text.rfind("\n", 0, match.start()) + 1
        end = _end_of_line(text, match.end())
        matches.append(match.span())
    if matches:
        yield _line(text, start, end, matches)


def _end_of_line(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end


def _line(text: str, start: int, end: int, matches: list[Span]) -> Line:
    return Line(text[start:end], tuple((first - start, last - start) for first, last in matches))
