r"""A credential as others may spell it: encoded, escaped, or as it is.

Rule: whatever of these forms it stands in, it is found, and what takes its place is as long, and valid where it
stands: base64 stays base64, and a JSON string one. Forms are those that clients, servers and models use of their own
accord: base64 of both alphabets (wherever in the encoded text it begins), hexadecimal digits, UTF-16, other cases of a
long one; and each of them escaped for JSON (`\/`, `\u002b`, also in JSON within JSON) or for a URL (`%2B`, `%252B`).
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_from_bytes

from proxy.core.runs import is_long_word, long_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

MARK: Final = b"[redacted]"

_IN_BASE64: Final = b"redacted"
_LONG: Final = 16
"""From so many bytes on a credential is looked for in other cases, too: shorter ones may be words."""

_REMEMBERED: Final = 1024  # credentials whose forms are kept, so that they are not made for each request
_ESCAPE: Final = re.compile(rb"%(?:25)*([2-7][0-9A-Fa-f])|\\++u00([2-7][0-9A-Fa-f])|\\++(/)")
_ANY_ESCAPE: Final = re.compile(_ESCAPE.pattern + rb"|\\++([\"'])|\\(\\)\\*+")
_HINTS: Final = (rb"%[2-7]", rb"\\u00[2-7]", rb"\\/")
_ANY_HINTS: Final = (*_HINTS, rb"\\[\"'\\]")
"""What an escape has in it: each begins with plain letters, which are found twenty times as fast."""

_BYTES: Final = {code.encode(): bytes([byte]) for byte in range(256) for code in (f"{byte:02x}", f"{byte:02X}")} | {
    f"{high:x}{low}".encode(): bytes([16 * high + int(low, 16)]) for high in range(16) for low in "abcdefABCDEF"
}
"""What two hexadecimal digits stand for."""

_ESCAPED: Final = re.compile(rb"[\"'\\]")
"""What only a credential has that was not made for a header field; to look for its escapes takes time."""

_DEEPEST: Final = 3  # escapes within escapes, each of another kind


@dataclass(frozen=True, slots=True)
class Span:
    """Where a secret stands, and what fills the place: made of its length in bytes."""

    start: int
    end: int
    fill: Callable[[int], bytes]


def mark(length: int) -> bytes:
    """Return what stands in a secret's place in a text."""
    return MARK.ljust(length, b"*")[:length]


def replaced(data: bytes, spans: Iterable[Span]) -> bytes:
    """Return the data, of the same length, with all spans filled; those that overlap are filled as one."""
    pieces: list[bytes] = []
    place = 0
    for span in _apart(spans):
        pieces += data[place : span.start], span.fill(span.end - span.start)
        place = span.end
    return b"".join([*pieces, data[place:]]) if pieces else data


def spans(data: bytes, secrets: Collection[bytes]) -> Iterator[Span]:
    """Yield where credentials stand, in whatever form; the spans may overlap."""
    if not secrets:
        return
    yield from _as_spelt(data, secrets)
    is_any = any(map(_ESCAPED.search, secrets))
    escape, hints = (_ANY_ESCAPE, _ANY_HINTS) if is_any else (_ESCAPE, _HINTS)
    views: list[_View] = []  # each of the one behind it, the last of the text
    while len(views) < _DEEPEST and any(re.search(hint, data) for hint in hints):
        views.insert(0, view := _View(data, escape))
        data = view.data
        secrets = {escape.sub(_undone, secret) for secret in secrets} | {*secrets}
        yield from (_outside(span, views) for span in _as_spelt(data, secrets))


@dataclass(frozen=True, slots=True)
class _Form:
    text: bytes
    fill: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class _Forms:
    """Those that are long words, all others, and those of two bytes a letter, one of which is null."""

    words: tuple[_Form, ...]
    others: tuple[_Form, ...]
    wide: tuple[_Form, ...]


@lru_cache(maxsize=_REMEMBERED)
def _forms(secret: bytes) -> _Forms:
    """Return the forms of a credential, each once."""
    fills: dict[bytes, Callable[[int], bytes]] = {}
    for text, fill in _all_forms(secret):
        fills.setdefault(text, fill)
    forms = [_Form(text, fill) for text, fill in fills.items()]
    return _Forms(
        words=tuple(form for form in forms if is_long_word(form.text)),
        others=tuple(form for form in forms if not is_long_word(form.text)),
        wide=tuple(_Form(secret.decode("latin-1").encode(order), mark) for order in ("utf-16-le", "utf-16-be")),
    )


def _all_forms(secret: bytes) -> Iterator[tuple[bytes, Callable[[int], bytes]]]:
    yield secret, mark
    yield quote_from_bytes(secret, safe="").encode(), mark
    if len(secret) >= _LONG:
        yield secret.lower(), mark
        yield secret.upper(), mark
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            yield _inside(encode(bytes(before) + secret), before, len(secret)), _fill_base64
    yield secret.hex().encode(), _fill_hexadecimal
    yield secret.hex().upper().encode(), _fill_hexadecimal


def _inside(encoded: bytes, before: int, length: int) -> bytes:
    """Return the letters of base64 that depend on the secret alone: a letter is 6 bits."""
    return encoded[-(-8 * before // 6) : 8 * (before + length) // 6]


def _fill_base64(length: int) -> bytes:
    return (_IN_BASE64 * (length // len(_IN_BASE64) + 1))[:length]


def _fill_hexadecimal(length: int) -> bytes:
    return b"0" * length


def _as_spelt(data: bytes, secrets: Collection[bytes]) -> Iterator[Span]:
    long = long_words(data)
    is_wide = b"\0" in data
    for secret in secrets:
        forms = _forms(secret)
        for form in forms.words:
            if form.text in long:
                yield from _occurrences(data, form)
        for form in forms.others + (forms.wide if is_wide else ()):
            yield from _occurrences(data, form)


def _occurrences(data: bytes, form: _Form) -> Iterator[Span]:
    place = data.find(form.text)
    while place >= 0:
        end = place + len(form.text)
        yield Span(place, end, form.fill)
        place = data.find(form.text, end)


def _apart(spans: Iterable[Span]) -> Iterator[Span]:
    """Put spans in order, and make one of those that overlap."""
    last: Span | None = None
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if last and span.start < last.end:
            last = Span(last.start, max(last.end, span.end), last.fill)
            continue
        if last:
            yield last
        last = span
    if last:
        yield last


def _outside(span: Span, views: Iterable[_View]) -> Span:
    for view in views:
        span = view.outside(span)
    return span


class _View:
    """A text with its escapes undone; each place in it can be found in the text again."""

    def __init__(self, text: bytes, escape: re.Pattern[bytes]) -> None:
        self._text = text
        self._escape = escape
        self.data = escape.sub(_undone, text)

    @cached_property
    def _escapes(self) -> list[tuple[int, int]]:
        """Where the escapes stand, an empty one before all; asked for only where something was found."""
        return [(0, 0), *(match.span() for match in self._escape.finditer(self._text))]

    @cached_property
    def _places(self) -> list[int]:
        """Where in the view the bytes stand that the escapes are."""
        lengths = (1 + start - before for (_, before), (start, _) in pairwise(self._escapes))
        return list(accumulate(lengths, initial=-1))

    def outside(self, span: Span) -> Span:
        """Return a span of the view as one of the text."""
        return Span(self._outside(span.start)[0], self._outside(span.end - 1)[1], span.fill)

    def _outside(self, place: int) -> tuple[int, int]:
        """Return where the text spells a byte of the view."""
        at = bisect_right(self._places, place) - 1
        start, end = self._escapes[at]
        if self._places[at] == place:
            return start, end
        start = end + place - self._places[at] - 1
        return start, start + 1


def _undone(match: re.Match[bytes]) -> bytes:
    text = match[match.lastindex or 0]
    return _BYTES[text] if len(text) > 1 else text
