"""What another tool's file tells is checked before it is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from proxy.foreign import exchange
from proxy.foreign.exchange import json_bytes, moment


@pytest.mark.parametrize("value", [100, 200, 429, 599])
def test_a_status_is_one_of_http(value: int) -> None:
    assert exchange.status(value) == value


@pytest.mark.parametrize("value", [0, 99, 600, -1, 10**30, "200", 200.0, True, None, {}])
def test_what_is_no_status_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="status"):
        exchange.status(value)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (exchange.text, 1),
        (exchange.text, b"x"),
        (exchange.text, "half an emoji: \ud83d"),
        (exchange.mapping, []),
        (exchange.mapping, None),
        (exchange.sequence, {}),
        (exchange.sequence, "text"),
    ],
)
def test_what_has_another_form_is_refused(read: Any, value: Any) -> None:
    with pytest.raises(ValueError):
        read(value, "field")


def test_a_moment_is_written_in_utc_to_the_millisecond() -> None:
    assert moment(datetime(2026, 11, 22, 12, 0, 0, 123456, UTC)) == "2026-11-22T12:00:00.123Z"
    assert moment(datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-22T12:00:00.000Z"


def test_a_parsed_body_is_written_as_clients_write_it() -> None:
    assert json_bytes({"a": ["Zürich", 1, None]}) == '{"a":["Zürich",1,null]}'.encode()


def _billions() -> Any:
    """Make ten levels of ten times the same list, as a YAML file of ten lines does."""
    value: list[Any] = ["lol"] * 10
    for _ in range(10):
        value = [value] * 10
    return value


def _itself() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [_billions(), _itself(), ["x" * 1_000_000] * 1000, {"a": b"bytes"}, [float("nan")], {"a": "\ud83d"}],
    ids=["billions", "within itself", "large", "bytes", "no number", "half an emoji"],
)
def test_what_cannot_have_been_a_body_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        json_bytes(value)
