"""The mode table, written out."""

from __future__ import annotations

import pytest

from proxy.core import modes
from proxy.core.modes import ACTIONS, Action, Found, Mode, decide

TABLE: dict[tuple[Mode, Found], Action] = {
    (Mode.REPLAY, Found.PLAYABLE): Action.PLAY,
    (Mode.REPLAY, Found.NOT_RECORDED): Action.REFUSE,
    (Mode.REPLAY, Found.OTHER_VARIANT): Action.REFUSE,
    (Mode.REPLAY, Found.EXHAUSTED): Action.REFUSE,
    (Mode.REPLAY, Found.INCOMPLETE): Action.REFUSE,
    (Mode.REPLAY, Found.NO_CASSETTE): Action.REFUSE,
    (Mode.RECORD, Found.PLAYABLE): Action.CAPTURE,
    (Mode.RECORD, Found.NOT_RECORDED): Action.CAPTURE,
    (Mode.RECORD, Found.OTHER_VARIANT): Action.CAPTURE,
    (Mode.RECORD, Found.EXHAUSTED): Action.CAPTURE,
    (Mode.RECORD, Found.INCOMPLETE): Action.CAPTURE,
    (Mode.RECORD, Found.NO_CASSETTE): Action.CAPTURE,
    (Mode.AUTO, Found.PLAYABLE): Action.PLAY,
    (Mode.AUTO, Found.NOT_RECORDED): Action.CAPTURE,
    (Mode.AUTO, Found.OTHER_VARIANT): Action.CAPTURE,
    (Mode.AUTO, Found.EXHAUSTED): Action.CAPTURE,
    (Mode.AUTO, Found.INCOMPLETE): Action.CAPTURE,
    (Mode.AUTO, Found.NO_CASSETTE): Action.CAPTURE,
    (Mode.PASSTHROUGH, Found.PLAYABLE): Action.FORWARD,
    (Mode.PASSTHROUGH, Found.NOT_RECORDED): Action.FORWARD,
    (Mode.PASSTHROUGH, Found.OTHER_VARIANT): Action.FORWARD,
    (Mode.PASSTHROUGH, Found.EXHAUSTED): Action.FORWARD,
    (Mode.PASSTHROUGH, Found.INCOMPLETE): Action.FORWARD,
    (Mode.PASSTHROUGH, Found.NO_CASSETTE): Action.FORWARD,
}


def test_the_table_is_total() -> None:
    assert {(mode, found) for mode, row in ACTIONS.items() for found in row} == {(m, f) for m in Mode for f in Found}
    assert {(mode, found): decide(mode, found) for mode in Mode for found in Found} == TABLE


@pytest.mark.parametrize(
    ("mode", "looks_up", "calls_upstream", "records"),
    [
        (Mode.REPLAY, True, False, False),
        (Mode.RECORD, False, True, True),
        (Mode.AUTO, True, True, True),
        (Mode.PASSTHROUGH, False, True, False),
    ],
)
def test_what_a_mode_needs_follows_from_its_row(
    mode: Mode, *, looks_up: bool, calls_upstream: bool, records: bool
) -> None:
    assert (modes.looks_up(mode), modes.calls_upstream(mode), modes.records(mode)) == (
        looks_up,
        calls_upstream,
        records,
    )


def test_codes_of_a_miss_are_those_that_are_documented() -> None:
    assert set(Found) - {Found.PLAYABLE} == {
        "not_recorded",
        "variant_not_recorded",
        "takes_exhausted",
        "recording_incomplete",
        "cassette_not_found",
    }
