"""When a program that reads JSON would not notice another value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.mismatch import MISSING
from proxy.core.shape import is_alike, kind

if TYPE_CHECKING:
    from proxy.core.canonical import Json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a", "b", True),
        (1, 2.5, True),
        (1, "1", False),
        (1, True, False),
        (None, "a", False),
        ({"a": 1, "b": "x"}, {"b": "y", "a": 2}, True),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": {"b": 1}}, {"a": {"b": "1"}}, False),
        ([1, 2, 3], [4], True),
        ([], [{"a": 1}], True),
        ([1, "x"], [1], False),
        ([{"a": 1}, {"a": 2}], [{"a": 3}], True),
        ([{"a": [1]}, {"a": []}], [{"a": [2]}], True),
        ([{"a": 1}], [{"a": "1"}], False),
        ([], {}, False),
        ({}, {}, True),
        ([["a", 1]], {"a": 1}, False),
    ],
)
def test_names_and_kinds_count_and_values_and_numbers_of_elements_do_not(
    one: Json, other: Json, *, expected: bool
) -> None:
    assert is_alike(one, other) is expected
    assert is_alike(other, one) is expected


@given(VALUES)
def test_every_value_has_its_own_shape(value: Json) -> None:
    assert is_alike(value, value)
    assert is_alike([value, value], [value])
    assert not is_alike({"a": value}, {"b": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MISSING, "(absent)"),
        ({}, "object"),
        ([], "array"),
        ("", "text"),
        (1.5, "number"),
        (1, "number"),
        (False, "boolean"),
        (None, "null"),
    ],
)
def test_kinds_have_the_names_that_json_gives_them(value: Json, expected: str) -> None:
    assert kind(value) == expected
