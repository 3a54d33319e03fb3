"""JSON in one spelling.

Rule: two texts that mean the same JSON value come out as the same bytes, and two that do not never do. Key order,
white space, escapes and the spelling of a number do not count; `true` is not `1`, and integers keep all of their
digits. What orjson cannot read (lone surrogates, NaN, integers over 64 bits) is read and written by the standard
library; nesting past `DEEPEST` is no JSON to us, so that no key depends on how deep a stack may grow.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from proxy.core.errors import NotJsonError

Json = Any
"""A JSON value as Python has it: None, bool, int, float, str, list, dict."""

IGNORED = "<ignored>"
"""Stands where a rule ignores an element of an array, whose place counts."""

DEEPEST = 200
"""Levels of nesting; orjson writes no more than 254, and the wrapping of a body takes a few."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EXACT_FLOAT = 2**53
_LARGEST_ORJSON_INTEGER = 2**63


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed JSON value. `exact` says that it may hold what only the standard library writes without loss."""

    value: Json
    exact: bool = False


def loads(data: bytes) -> Document:
    """Parse JSON, a byte order mark allowed, numbers brought to one form. Raises NotJsonError."""
    data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return Document(_fold(_loads_exactly(data)), exact=True)
    try:
        return Document(_fold(value, largest=_LARGEST_ORJSON_INTEGER))
    except OverflowError:  # it may have been an integer that orjson turned into a float
        return Document(_fold(_loads_exactly(data)), exact=True)


def dumps(document: Document) -> bytes:
    """Write the one spelling: sorted keys, no white space."""
    value = document.value
    if document.exact and not _is_finite(value):
        return _dumps_exactly(value)  # orjson would write NaN as null
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return _dumps_exactly(value)


def dumps_in_order(value: Json) -> str:
    """Write a value without white space, its names in the order in which they stand."""
    try:
        return orjson.dumps(value).decode() if _is_finite(value) else _dumps_exactly(value, sort=False).decode()
    except TypeError:
        return _dumps_exactly(value, sort=False).decode()


def respell(text: str) -> str:
    """Return a text that is a JSON object or array in its one spelling, any other text as it stands."""
    document = embedded(text)
    return text if document is None else dumps(document).decode()


def embedded(text: str) -> Document | None:
    """Return the JSON object or array that a text is, None for any other text.

    One with a name that occurs twice in an object is taken for text, too, and one with a number that is no float
    exactly: a model reads the text, and may tell them apart.
    """
    if not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return None
    try:
        text.encode()  # half a character may join with one that is spelt as an escape
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_float=_exact_float, parse_constant=_no_constant
        )
        return Document(_fold(value), exact=True)
    except (ValueError, RecursionError, NotJsonError):
        return None


def _loads_exactly(data: bytes) -> Json:
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from None


def _dumps_exactly(value: Json, *, sort: bool = True) -> bytes:
    return json.dumps(value, sort_keys=sort, separators=(",", ":")).encode()


def _without_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotJsonError("a name occurs twice in an object")
    return value


def _exact_float(text: str) -> float:
    value = float(text)
    try:
        is_exact = math.isfinite(value) and Decimal(text) == Decimal(repr(value))
    except InvalidOperation:  # an exponent that is beyond all numbers
        is_exact = False
    if not is_exact:
        raise NotJsonError(f"{text} is no float exactly")
    return value


def _no_constant(text: str) -> float:
    raise NotJsonError(f"{text} is no JSON")


def _is_finite(value: Json) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _fold(value: Json, depth: int = 0, largest: float | None = None) -> Json:
    """Bring all numbers within to one form, in place: 1.0 and 1, -0.0 and 0 are the same."""
    kind = type(value)
    if kind is float:
        return _fold_number(value, largest)
    if kind is dict or kind is list:
        if depth >= DEEPEST:
            raise NotJsonError(f"nested over {DEEPEST} levels deep")
        for place, item in value.items() if kind is dict else enumerate(value):
            if type(item) in _FOLDED:
                value[place] = _fold(item, depth + 1, largest)
    return value


_FOLDED = frozenset({float, dict, list})


def _fold_number(value: float, largest: float | None) -> float | int:
    if largest is not None and abs(value) >= largest:
        raise OverflowError
    return int(value) if abs(value) < _EXACT_FLOAT and value.is_integer() else value
