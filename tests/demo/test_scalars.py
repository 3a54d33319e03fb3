"""Bounds are honoured."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from proxy.demo.scalars import NoInstanceError, make

WORDS = ("Oslo", "Zürich")
BOUNDS = st.integers(-1000, 1000)


@given(BOUNDS, BOUNDS, st.randoms())
def test_integers_lie_within_their_bounds(one: int, other: int, random: Random) -> None:
    low, high = sorted((one, other))
    assert low <= make("integer", {"minimum": low, "maximum": high}, WORDS, random) <= high


@given(BOUNDS, st.integers(1, 50), st.randoms())
def test_excluded_bounds_are_not_met(low: int, width: int, random: Random) -> None:
    schema = {"exclusiveMinimum": low, "exclusiveMaximum": low + width}
    assert low < make("number", schema, WORDS, random) < low + width


@pytest.mark.parametrize(
    ("kind", "schema", "expected"),
    [
        ("integer", {"multipleOf": 7, "minimum": 1, "maximum": 13}, 7),
        ("integer", {"multipleOf": 0.5, "exclusiveMinimum": 3, "exclusiveMaximum": 5}, 4),
        ("integer", {"multipleOf": 1000, "minimum": 1}, 1000),
        ("number", {"multipleOf": 0.1, "minimum": 0.25, "maximum": 0.35}, 0.3),
        ("number", {"minimum": 2, "maximum": 2}, 2),
        ("null", {}, None),
        ("string", {"minLength": 3, "maxLength": 3, "pattern": "^abc$"}, "abc"),
        ("string", {"maxLength": 0}, ""),
    ],
)
def test_narrow_schemas_leave_one_value(kind: str, schema: dict[str, Any], expected: object) -> None:
    assert make(kind, schema, WORDS, Random(1)) == expected


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("integer", {"minimum": 2, "maximum": 1}),
        ("number", {"minimum": 2, "maximum": 1}),
        ("number", {"minimum": 2, "exclusiveMaximum": 2}),
        ("number", {"multipleOf": 5, "minimum": 1, "maximum": 4}),
        ("string", {"minLength": 2, "maxLength": 1}),
        ("string", {"pattern": "("}),
        ("strnig", {}),
    ],
)
def test_impossible_schemas_are_said_to_be_so(kind: str, schema: dict[str, Any]) -> None:
    with pytest.raises(NoInstanceError):
        make(kind, schema, WORDS, Random(1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "kind", ["date", "time", "date-time", "duration", "uuid", "uri", "ipv4", "ipv6", "email", "hostname"]
)
def test_formats_parse(kind: str, seed: int) -> None:
    made = make("string", {"format": kind}, WORDS, Random(seed))
    parsers: dict[str, str] = {
        "date": "datetime.date",
        "time": "datetime.time",
        "date-time": "datetime.datetime",
        "duration": "datetime.timedelta",
        "uuid": "uuid.UUID",
        "ipv4": "ipaddress.IPv4Address",
        "ipv6": "ipaddress.IPv6Address",
    }
    if kind in parsers:
        module, name = parsers[kind].split(".")
        TypeAdapter(getattr(__import__(module), name)).validate_python(made)
    else:
        assert "example.com" in made
