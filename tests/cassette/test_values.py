"""A column that holds what it should not never goes further than this."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.cassette.values import check_derived, check_text, check_whole, response_of
from proxy.core.model import Chunk, Outcome

ROW = (200, '[["content-type","application/json"]]', "complete", 5, 9, "[[7,2]]", "{}")


def test_a_response_is_made_of_its_columns_and_more_are_passed_over() -> None:
    made = response_of((*ROW, 17), was_asked_as_stream=True)
    assert (made.status, made.outcome, made.first_byte_us, made.duration_us) == (200, Outcome.COMPLETE, 5, 9)
    assert (made.chunks, made.was_asked_as_stream) == ((Chunk(7, b"{}"),), True)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((0, "200"), (0, 200.0), (0, None), (0, True), (1, "{}"), (1, None), (2, "ended"), (3, b"5"), (4, None)),
        *((5, "[[7,3]]"), (5, "[7,2]"), (5, None), (6, None), (6, 17)),
    ],
)
def test_a_response_of_other_values_is_refused(place: int, value: Any) -> None:
    row = [*ROW[:place], value, *ROW[place + 1 :]]
    with pytest.raises((ValueError, TypeError)):
        response_of(row, was_asked_as_stream=False)


@pytest.mark.parametrize("value", [None, 1, b"x", 1.0])
def test_a_text_is_a_text(value: object) -> None:
    check_text("", "x")
    with pytest.raises(ValueError, match="where a text should"):
        check_text("x", value)


@pytest.mark.parametrize("value", [None, "1", 1.0, True])
def test_an_integer_is_an_integer(value: object) -> None:
    check_whole(0, -1)
    with pytest.raises(ValueError, match="where an integer should"):
        check_whole(1, value)


@pytest.mark.parametrize("status", [0, 99, 1000, -200, 2**40])
def test_a_status_has_three_digits(status: int) -> None:
    with pytest.raises(ValueError, match="'status' should be"):
        response_of((status, *ROW[1:]), was_asked_as_stream=False)


def test_what_was_read_from_an_answer_is_absent_or_what_it_is() -> None:
    check_derived(None, None, 3)
    check_derived("stop", 0)
    for others in ((1,), (b"stop",), (None, "3"), (None, 1, 2.0)):
        with pytest.raises(ValueError, match="where a"):
            check_derived(*others)
