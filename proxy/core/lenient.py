"""Reading JSON that may not have the form it should.

Rule: never raises. Whatever is not what it should be is read as nothing, because real servers send it and a cassette
keeps it. All text that leaves here can be written as UTF-8.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BROKEN: Final = object()
"""What `loads` returns for bytes that are no JSON."""

_TOO_MANY = 2**63
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def loads(data: bytes) -> Any:
    """Parse JSON, also that of servers which cut an emoji in two; what is none comes as `BROKEN`."""
    data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return BROKEN


def joined(texts: Iterable[str]) -> str:
    """Join texts, and the halves of a character that was cut in two; a half alone becomes U+FFFD."""
    whole = "".join(texts)
    return whole if whole.isascii() else whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text(value: Any) -> str:
    """Return a text as it stands, half characters too, for `joined`; empty where it is none."""
    return value if isinstance(value, str) else ""


def word(value: Any) -> str:
    """Return a text that no other continues; empty where it is none."""
    return joined([text(value)])


def count(value: Any) -> int | None:
    """Return a number of things, None where it is none."""
    return value if type(value) is int and 0 <= value < _TOO_MANY else None


def number(value: Any) -> float | None:
    """Return a number of a size that anything measurable has, None where it is none."""
    return float(value) if type(value) in {int, float} and -_TOO_MANY < value < _TOO_MANY else None


def index(value: dict[str, Any], otherwise: int) -> int:
    """Return the place that an object says it has, or else the one where it stands."""
    told = count(value.get("index"))
    return otherwise if told is None else told


def mapping(value: Any) -> dict[str, Any]:
    """Return an object, an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> Sequence[Any]:
    """Return an array, an empty one where it is none."""
    return value if isinstance(value, list) else ()


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the objects of an array."""
    return [item for item in sequence(value) if isinstance(item, dict)]
