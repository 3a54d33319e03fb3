"""Reading JSON that may not have the form it should."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core import lenient

ANYTHING: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just([{}, 1]) | st.just({})
)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"\xef\xbb\xbf[]", []),
        (rb'"\ud83d"', "\ud83d"),
        (b"Infinity", float("inf")),
        (b"", lenient.BROKEN),
        (b"{", lenient.BROKEN),
        (b"\xff", lenient.BROKEN),
        (b"[" * 100_000, lenient.BROKEN),
    ],
)
def test_json_is_parsed_as_leniently_as_anyone_does(data: bytes, value: Any) -> None:
    assert lenient.loads(data) == value


def test_halves_of_a_character_are_joined_and_a_half_alone_is_replaced() -> None:
    assert lenient.joined(["a\ud83d", "\ude42b"]) == "a🙂b"
    assert lenient.joined(["\ud83d", "x"]) == "\ufffdx"
    assert lenient.word("\ud83d") == "\ufffd"
    assert lenient.text("\ud83d") == "\ud83d"


@pytest.mark.parametrize(
    ("value", "count", "number"),
    [
        (3, 3, 3.0),
        (0, 0, 0.0),
        (-1, None, -1.0),
        (1.5, None, 1.5),
        (True, None, None),
        ("3", None, None),
        (None, None, None),
        (10**400, None, None),
        (float("nan"), None, None),
        (float("-inf"), None, None),
    ],
)
def test_counts_and_numbers_are_what_can_be_counted_and_measured(
    value: Any, count: int | None, number: float | None
) -> None:
    assert (lenient.count(value), lenient.number(value)) == (count, number)


@given(ANYTHING)
def test_whatever_stands_there_comes_as_what_it_should_be(value: Any) -> None:
    assert isinstance(lenient.text(value), str)
    assert lenient.word(value).encode() is not None
    assert isinstance(lenient.mapping(value), dict)
    assert isinstance(lenient.sequence(value), (list, tuple))
    assert all(isinstance(item, dict) for item in lenient.mappings(value))
    assert lenient.index({"index": value}, 7) >= 0
