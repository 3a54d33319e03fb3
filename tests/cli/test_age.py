"""When, as a user says it."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.age import moment, since

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPTION = click.Option(["--newer"])
CONTEXT = click.Context(click.Command("any"))


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("30min", "2026-11-22T11:30:00.000Z"),
        ("12h", "2026-11-22T00:00:00.000Z"),
        ("7d", "2026-11-15T12:00:00.000Z"),
        ("2w", "2026-11-08T12:00:00.000Z"),
        ("0d", "2026-11-22T12:00:00.000Z"),
        ("2026-11-20", "2026-11-20T00:00:00.000Z"),
        ("2026-11-20 18:00", "2026-11-20T18:00:00.000Z"),
        ("2026-11-20T18:00:01.500+01:00", "2026-11-20T17:00:01.500Z"),
        ("2026-11-20T18:00Z", "2026-11-20T18:00:00.000Z"),
    ],
)
def test_an_age_counts_from_now_and_a_date_is_in_utc(told: str, meant: str) -> None:
    assert moment(told, NOW) == meant


@pytest.mark.parametrize("told", ["", "7", "d", "7m", "-7d", "7 d", "1.5h", "yesterday", "2026-13-01", "9" * 30 + "w"])
def test_anything_else_is_a_usage_error_that_shows_how_to_say_it(told: str) -> None:
    with pytest.raises(click.BadParameter, match="7d"):
        since(CONTEXT, OPTION, told)


def test_an_option_that_was_not_given_is_no_moment() -> None:
    assert since(CONTEXT, OPTION, None) == ""
    assert since(CONTEXT, OPTION, "2026-11-20") == "2026-11-20T00:00:00.000Z"


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=2))
def test_a_greater_age_is_an_earlier_text(days: list[int]) -> None:
    one, other = days
    assert (moment(f"{one}d", NOW) < moment(f"{other}d", NOW)) == (one > other)
