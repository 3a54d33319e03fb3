"""How recorded values are put into words: text that is safe to show, JSON laid out, times and sizes.

Rule: a recording is untrusted text. What could steer a terminal (control characters, direction overrides) comes out
of here as an escape that a person can read; everything else comes out as it is.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, Final

from proxy.core import canonical
from proxy.core.errors import NotJsonError

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.canonical import Json

# C0 but for the line feed, DEL and C1; line separators; direction overrides; lone surrogates, which no encoding takes.
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

TAB: Final = 4
"""Columns from one tab stop to the next."""

_LONGEST_FOLDED = 500

_MILLISECOND = 1_000
_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_HOUR_MINUTES = 60
_SECONDS_WITH_TENTHS = 100
_THOUSAND = 1_000


def printable(text: str) -> str:
    """Return text that no terminal takes for a command; line ends and tabs are brought to one form."""
    return respelt(text.replace("\r\n", "\n").expandtabs(TAB), _escaped)


def on_one_line(text: str) -> str:
    """Return a text that is safe to show, its line ends as escapes: names, and what stands in a line of a list."""
    return printable(text).replace("\n", "\\n")


def respelt(text: str, spell: Callable[[str], str]) -> str:
    """Return a text in which each character that could steer a terminal, the tab too, is spelt in another way."""
    return _UNPRINTABLE.sub(lambda match: spell(match[0]), text)


def is_safe(text: str) -> bool:
    """Tell whether a terminal shows a text as it stands, line ends and tabs apart."""
    return not _UNPRINTABLE.search(text.replace("\r\n", "\n").replace("\t", " "))


def folded(text: str) -> str:
    """Return the beginning of a text on one line, its white space folded."""
    return " ".join(text[:_LONGEST_FOLDED].split())


def laid_out(text: str) -> str:
    """Indent a text that is a JSON object or array; return any other as it stands."""
    value = parsed(text.encode("utf-8", "surrogatepass")) if text.lstrip()[:1] in {"{", "["} else None
    return indented(value) if isinstance(value, (dict, list)) else text


def parsed(data: bytes) -> Json:
    """Return the JSON value that bytes hold, None where there are none, or their text where they are no JSON."""
    if not data:
        return None
    try:
        return canonical.loads(data).value
    except NotJsonError:
        return data.decode("utf-8", "backslashreplace")


def indented(value: Json) -> str:
    """Write JSON over several lines, for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def compact(value: Json) -> str:
    """Write JSON on one line, for people."""
    return json.dumps(value, ensure_ascii=False)


def document(value: Json, *, indent: int | None = None) -> str:
    """Write JSON for programs, and safe to show: what `printable` would escape is escaped as JSON does it."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return respelt(text, lambda character: f"\\u{ord(character):04x}")


def fields(value: Any) -> dict[str, Json]:
    """Return a flat value by the names of its fields, for programs."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def duration(microseconds: int) -> str:
    """Say how long something took, to about three digits."""
    if microseconds < _MILLISECOND:
        return f"{microseconds / _MILLISECOND:.1f} ms"
    if microseconds < _SECOND:
        return f"{microseconds // _MILLISECOND} ms"
    seconds = microseconds / _SECOND
    return f"{seconds:.1f} s" if seconds < _SECONDS_WITH_TENTHS else f"{seconds:.0f} s"


def span(microseconds: int) -> str:
    """Say how long much took together: in minutes and hours, where it took them."""
    minutes = microseconds // _MINUTE
    if not minutes:
        return duration(microseconds)
    return (
        f"{minutes} min" if minutes < _HOUR_MINUTES else f"{minutes // _HOUR_MINUTES:,} h {minutes % _HOUR_MINUTES} min"
    )


def size(count: int) -> str:
    """Say how many bytes there are, to about two digits."""
    if count < _THOUSAND:
        return f"{count} bytes"
    if count < _THOUSAND**2:
        return f"{count / _THOUSAND:.1f} kB"
    return f"{count / _THOUSAND**2:.1f} MB"


def counted(count: int, noun: str) -> str:
    """Say how many there are: `no calls`, `1 call`, `2 calls`, `1,000 calls`."""
    return f"{f'{count:,}' if count else 'no'} {noun}{'' if count == 1 else 's'}"


def tokens(count: int | None) -> str:
    """Say how many tokens were counted, or that none were."""
    return "-" if count is None else str(count)


def minute(recorded_at: str) -> str:
    """Say when something was recorded, to the minute, in UTC as it is stored: `2026-11-22 22:45`."""
    return second(recorded_at)[:16]


def second(recorded_at: str) -> str:
    """Say when something was recorded, to the second."""
    return recorded_at.replace("T", " ")[:19]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
