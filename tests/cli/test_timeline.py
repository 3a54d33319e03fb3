"""A stream's timeline, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from proxy.cli.timeline import chart, described
from proxy.core.model import Chunk, Outcome, Response
from tests.cassette.making import SSE_TYPE
from tests.cli.recorded import DONE, event

if TYPE_CHECKING:
    from collections.abc import Sequence


def stream(times_ms: Sequence[int], duration_ms: int) -> Response:
    chunks = tuple(Chunk(at * 1000, event(content="x")) for at in times_ms)
    return Response(200, SSE_TYPE, chunks, Outcome.COMPLETE, 0, duration_ms * 1000)


def drawn(response: Response, width: int = 31) -> list[str]:
    return [line.plain for line in chart(response, width, 10)]


def test_bars_stand_over_an_axis_of_round_times() -> None:
    times = [*range(200, 250, 5), *range(250, 300, 10), 650, 651, 652, 653, 654, 655, *range(950, 1000, 2)]
    assert drawn(stream(times, 1000)) == [
        "500/s     │                   █",
        "          │    ▂              █",
        "          │    █▅       ▆     █",
        "          └┬───────────────────",
        "           0",
    ]
    assert drawn(stream(times, 1000), 200) == drawn(stream(times, 1000), 80)
    assert drawn(stream(times, 1000), 80)[-1] == (
        "           0            200 ms        400 ms        600 ms        800 ms"
    )


@pytest.mark.parametrize(
    ("times", "duration", "width"), [([], 10, 80), ([5], 10, 80), ([0, 0], 0, 80), ([1, 2, 3], 10, 30)]
)
def test_without_two_events_time_or_room_nothing_is_drawn(times: list[int], duration: int, width: int) -> None:
    assert drawn(stream(times, duration), width) == []


@given(st.lists(st.integers(0, 2**62), min_size=2, max_size=30), st.integers(0, 2**62), st.integers(31, 120))
def test_any_stream_fits_any_width(times: list[int], duration: int, width: int) -> None:
    chunks = tuple(Chunk(at, event(content="x")) for at in times)
    lines = drawn(Response(200, SSE_TYPE, chunks, Outcome.CUT, 0, duration), width)
    assert all(cell_len(line) <= min(width, 80) for line in lines)
    assert bool(lines) is (max(duration, *times) > 0)


def test_what_the_bars_do_not_say_is_put_into_words() -> None:
    assert described(stream([100, 200, 900], 1000), None) == (
        "first token 100 ms, 2.5 events a second, longest gap 700 ms, after 200 ms"
    )
    assert described(stream([100, 200, 900], 1000), 81) == (
        "first token 100 ms, 100 tokens a second, longest gap 700 ms, after 200 ms"
    )
    assert described(stream([100], 1000), None) == "first token 100 ms"


def test_events_that_say_nothing_do_not_count_as_tokens() -> None:
    chunks = (Chunk(1000, b": ping\n\n"), Chunk(2000, event(role="assistant")), Chunk(9000, event(content="Hi")))
    response = Response(200, SSE_TYPE, (*chunks, Chunk(9500, DONE)), Outcome.COMPLETE, 0, 9500)
    assert described(response, None) == "first token 9 ms"
