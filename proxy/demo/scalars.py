"""Strings, numbers, booleans and null that satisfy a JSON schema.

One rule: bounds are honoured exactly, and an empty range is an error, not a value near it.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

from proxy.demo.pattern import NoMatchError, matching

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

_SPAN = 100
_DIGITS = 2
_DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
_SECONDS = 300 * 24 * 3600


class NoInstanceError(ValueError):
    """The schema has no instance, or none that could be found."""


def make(kind: str, schema: Mapping[str, Any], words: Sequence[str], random: Random) -> Any:
    """Make a value of a scalar JSON type."""
    match kind:
        case "string":
            return _string(schema, words, random)
        case "integer":
            return _integer(schema, random)
        case "number":
            return _number(schema, random)
        case "boolean":
            return random.choice((True, False))
        case "null":
            return None
        case _:
            raise NoInstanceError(f"{kind!r} is not a JSON type")


def _string(schema: Mapping[str, Any], words: Sequence[str], random: Random) -> str:
    if "pattern" in schema:
        try:
            return matching(schema["pattern"], random)
        except NoMatchError as error:
            raise NoInstanceError(str(error)) from None
    if schema.get("format") in _FORMATS:
        return _formatted(schema["format"], random)
    least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    if least > most:
        raise NoInstanceError("no string has such a length")
    text = random.choice(words)
    while len(text) < least:
        text += f" {random.choice(words)}"
    return text if len(text) <= most else text[: int(most)]


def _formatted(name: str, random: Random) -> str:
    moment = _DAY_ZERO + timedelta(seconds=random.randrange(_SECONDS))
    number = random.randrange(1, 255)
    return _FORMATS[name].format(
        moment=moment, number=number, uuid=UUID(int=random.getrandbits(128), version=4), port=8000 + number
    )


_FORMATS = {
    "date": "{moment:%Y-%m-%d}",
    "time": "{moment:%H:%M:%S}Z",
    "date-time": "{moment:%Y-%m-%dT%H:%M:%S}Z",
    "duration": "PT{number}M",
    "email": "reader{number}@example.com",
    "hostname": "host{number}.example.com",
    "ipv4": "192.0.2.{number}",
    "ipv6": "2001:db8::{number:x}",
    "uuid": "{uuid}",
    "uri": "https://example.com/{number}",
}


def _integer(schema: Mapping[str, Any], random: Random) -> int:
    # The integers among the multiples of p/q, in lowest terms, are the multiples of p.
    step = Fraction(str(schema.get("multipleOf", 1))).numerator
    return int(_multiple(schema, step, random))


def _number(schema: Mapping[str, Any], random: Random) -> float:
    if "multipleOf" in schema:
        # 3 * 0.1 is not 0.3; the nearest short decimal is what a reader and a validator expect.
        return round(_multiple(schema, schema["multipleOf"], random), 10)
    low, high = _bounds(schema, _SPAN)
    if low > high or (low == high and low in _excluded(schema)):
        raise NoInstanceError("no number lies within such bounds")
    value = round(random.uniform(low, high), _DIGITS)
    # Rounding may have met or passed a bound; the middle is always inside.
    return value if low < value < high else (low + high) / 2


def _multiple(schema: Mapping[str, Any], step: float, random: Random) -> float:
    low, high = _bounds(schema, max(_SPAN, step))
    first, last = math.ceil(low / step), math.floor(high / step)
    first += first * step in _excluded(schema)
    last -= last * step in _excluded(schema)
    if first > last:
        raise NoInstanceError("no multiple lies within such bounds")
    return random.randint(first, last) * step


def _excluded(schema: Mapping[str, Any]) -> tuple[Any, Any]:
    return schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")


def _bounds(schema: Mapping[str, Any], span: float) -> tuple[float, float]:
    lows = [schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema]
    highs = [schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema]
    low = max(lows) if lows else (min(highs) - span if highs else 0)
    return low, min(highs) if highs else low + span
