"""When the events of a stream came, in numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.model import Chunk, Outcome, Response
from proxy.core.timeline import Timeline, rate, spoken_at, ticks, timeline

TIMES = st.lists(st.integers(0, 2**62), max_size=20)


def test_events_are_counted_by_equal_parts_of_the_whole_time() -> None:
    assert timeline([0, 10, 49, 50, 99, 100], 100, 4) == Timeline(100, (2, 1, 1, 2), 49, 50)


def test_what_came_after_the_recorded_end_lengthens_the_time() -> None:
    assert timeline([10, 200], 100, 2) == Timeline(200, (1, 1), 190, 10)


def test_times_out_of_order_are_put_in_order() -> None:
    assert timeline([90, 10, 40], 100, 1) == Timeline(100, (3,), 50, 40)


@pytest.mark.parametrize(("times", "duration"), [([], 100), ([0], 0), ([0, 0], 0)])
def test_where_nothing_came_or_no_time_passed_there_is_none(times: list[int], duration: int) -> None:
    assert timeline(times, duration, 10) is None


def test_the_peak_is_a_rate_of_events_a_second() -> None:
    found = timeline([100_000, 110_000, 120_000, 900_000], 1_000_000, 10)
    assert found
    assert found.peak == 30


@given(TIMES, st.integers(0, 2**62), st.integers(1, 80))
def test_no_event_is_lost_and_no_gap_is_longer_than_the_whole(times: list[int], duration: int, parts: int) -> None:
    found = timeline(times, duration, parts)
    if found:
        assert sum(found.counts) == len(times)
        assert len(found.counts) == parts
        assert found.gap_at_us + found.gap_us <= found.duration_us
        assert found.peak > 0 or found.duration_us > 1_000_000


@pytest.mark.parametrize(
    ("duration", "most", "places"),
    [
        (1_000, 5, [0, 500, 1000]),
        (999, 5, [0, 200, 400, 600, 800]),
        (3_000_000, 4, [0, 1_000_000, 2_000_000, 3_000_000]),
        (7, 1, [0]),
        (1, 3, [0, 1]),
    ],
)
def test_ticks_are_round_and_few(duration: int, most: int, places: list[int]) -> None:
    assert list(ticks(duration, most)) == places


@given(st.integers(1, 2**62), st.integers(1, 10))
def test_there_are_never_more_ticks_than_there_is_room_for(duration: int, most: int) -> None:
    assert 1 <= len(ticks(duration, most)) <= most


def test_a_rate_is_from_the_first_to_the_last() -> None:
    assert rate(11, 500_000, 1_500_000) == 10
    assert rate(1, 500_000, 500_000) is None


def test_events_that_say_something_are_the_ones_that_count() -> None:
    events = (b": ping\n\n", b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n', b"data: [DONE]\n\n")
    chunks = tuple(Chunk(at, data) for at, data in enumerate(events))
    assert spoken_at(Response(200, (), chunks, Outcome.COMPLETE, 0, 3)) == (1,)
    assert spoken_at(Response(200, (), chunks[::2], Outcome.COMPLETE, 0, 3)) == (0, 2)
