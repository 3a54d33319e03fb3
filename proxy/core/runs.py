"""The long words of a text, among which are its secrets.

Rule: a shortcut that changes no result. What is looked for as a word of `LEAST` bytes or more is looked for here, and
not in all of a text, most of which is prose: that is ten times as fast.
"""

from __future__ import annotations

from typing import Final

LEAST: Final = 15
"""How many bytes a long word has at least: the shortest secret of a known shape."""

LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+=~")
"""What words consist of here: all that tokens, base64 and hexadecimal digits are written in."""

_IN, _OUT = b"w", b" "
_MAP: Final = bytes(_IN[0] if byte in LETTERS else _OUT[0] for byte in range(256))
_LONG: Final = _IN * LEAST


def long_words(data: bytes) -> bytes:
    """Return the long words of a text, in order, a space before each."""
    mapped = data.translate(_MAP)
    found: list[bytes] = []
    place = mapped.find(_LONG)
    while place >= 0:
        end = mapped.find(_OUT, place)
        end = len(mapped) if end < 0 else end
        found.append(data[place:end])
        place = mapped.find(_LONG, end)
    return b"".join(b" " + word for word in found)


def is_long_word(text: bytes) -> bool:
    """Tell whether all of a text is one long word, or part of a longer one wherever it stands."""
    return len(text) >= LEAST and LETTERS.issuperset(text)
