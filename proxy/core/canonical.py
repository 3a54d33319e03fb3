"""JSON in one spelling.

Rule: two texts that mean the same JSON value come out as the same bytes, and two that do not never do. Key order,
white space, escapes and the spelling of a number do not count; `true` is not `1`, and integers keep all of their
digits. What orjson cannot read (lone surrogates, NaN, integers over 64 bits) is read and written by the standard
library; nesting past `DEEPEST` is no JSON to us, so that no key depends on how deep a stack may grow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

Json = Any
"""A JSON value as Python has it: None, bool, int, float, str, list, dict."""

DEEPEST = 200
"""Levels of nesting; orjson writes no more than 254, and the wrapping of a body takes a few."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EXACT_FLOAT = 2**53
_LARGEST_ORJSON_INTEGER = 2**63


class NotJsonError(ValueError):
    """The bytes are no JSON document, or one nested too deep."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed JSON value. `exact` says that only the standard library can write it without loss."""

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
    if document.exact:
        return json.dumps(document.value, sort_keys=True, separators=(",", ":")).encode()
    return orjson.dumps(document.value, option=orjson.OPT_SORT_KEYS)


def respell(text: str) -> str:
    """Return a text that is a JSON object or array in its one spelling, any other text as it stands."""
    if not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return text
    try:
        return dumps(loads(text.encode("utf-8", "surrogatepass"))).decode()
    except NotJsonError:
        return text


def _loads_exactly(data: bytes) -> Json:
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from None


def _fold(value: Json, depth: int = 0, largest: float = float("inf")) -> Json:
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


def _fold_number(value: float, largest: float) -> float | int:
    if abs(value) >= largest:
        raise OverflowError
    return int(value) if abs(value) < _EXACT_FLOAT and value.is_integer() else value
