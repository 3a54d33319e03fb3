"""Due times of each pace."""

from __future__ import annotations

import pytest

from proxy.core import pace
from proxy.core.errors import ConfigError
from proxy.core.model import Chunk, Outcome, Response
from proxy.core.pace import Instant, Pace, Recorded, Schedule, TokensPerSecond

AT_US = (1_000, 3_000, 9_000)


def answer(content_type: str, at_us: tuple[int, ...] = AT_US) -> Response:
    chunks = tuple(Chunk(at, b"x") for at in at_us)
    return Response(200, (("content-type", content_type),), chunks, Outcome.COMPLETE, 500, 10_000)


STREAM = answer("text/event-stream; charset=utf-8")
PLAIN = answer("application/json")
EMPTY = answer("application/json", ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("instant", Instant()),
        ("recorded", Recorded(1.0)),
        ("1x", Recorded(1.0)),
        ("10x", Recorded(10.0)),
        ("0.5x", Recorded(0.5)),
        ("50tps", TokensPerSecond(50.0)),
        ("0.5tps", TokensPerSecond(0.5)),
    ],
)
def test_a_pace_is_read(text: str, expected: Pace) -> None:
    assert pace.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "tps",
        "10",
        "0x",
        "0.0x",
        "0tps",
        "-1x",
        "1e3x",
        "10 x",
        " 10x",
        "10x\n",
        ".5x",
        "5.x",
        "infx",
        "nanx",
        "fast",
        "INSTANT",
        "1x2x",
        "10xtps",
        "0.0000001x",
        "9999999999tps",
        f"0.{'0' * 400}1tps",
        f"{'9' * 400}x",
    ],
)
def test_anything_else_is_an_error_that_says_what_can_be_said(text: str) -> None:
    with pytest.raises(ConfigError, match="instant, recorded"):
        pace.parse(text)


@pytest.mark.parametrize(
    ("text", "response", "tokens", "expected"),
    [
        ("instant", STREAM, 3, None),
        ("instant", PLAIN, None, None),
        ("recorded", STREAM, 3, Schedule(500, (1_000, 3_000, 9_000))),
        ("recorded", PLAIN, None, Schedule(500, (1_000, 3_000, 9_000))),
        ("recorded", EMPTY, None, Schedule(500, ())),
        ("10x", STREAM, None, Schedule(50, (100, 300, 900))),
        ("0.5x", STREAM, None, Schedule(1_000, (2_000, 6_000, 18_000))),
        ("50tps", STREAM, 100, Schedule(0, (0, 20_000, 40_000))),
        ("50tps", STREAM, None, Schedule(0, (0, 20_000, 40_000))),
        ("50tps", PLAIN, 100, Schedule(2_000_000, (2_000_000,) * 3)),
        ("50tps", PLAIN, None, Schedule(0, (0, 0, 0))),
        ("50tps", EMPTY, 10, Schedule(200_000, ())),
    ],
)
def test_due_times_are_counted_from_the_start(
    text: str, response: Response, tokens: int | None, expected: Schedule | None
) -> None:
    assert pace.parse(text).schedule(response, tokens) == expected


@pytest.mark.parametrize("text", ["recorded", "3x", "0.1x", "7tps", "999999x"])
def test_due_times_never_go_back(text: str) -> None:
    schedule = pace.parse(text).schedule(STREAM, 5)
    assert schedule is not None
    assert list(schedule.chunks_us) == sorted(schedule.chunks_us)
    assert schedule.head_us <= schedule.chunks_us[0]


def test_delays_do_not_add_up_over_a_long_stream() -> None:
    schedule = TokensPerSecond(3).schedule(answer("text/event-stream", tuple(range(3_001))), None)
    assert schedule is not None
    assert schedule.chunks_us[-1] == 1_000_000_000
