"""The lines that end a run."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core.modes import Mode
from proxy.core.receipt import LaneSheet, Receipt
from proxy.pytest_plugin.summary import summarized


def lane(name: str = "t.py::a", *, passed: bool | None = True, **fields: Any) -> LaneSheet:
    return LaneSheet("t.sqlite", name, "replay", fields.pop("counts", {"played": 1}), passed=passed, **fields)


def told(*lanes: LaneSheet, mode: Mode = Mode.REPLAY, **more: Any) -> list[str]:
    receipt = Receipt("1", mode.value, had_upstream=False, faults=0, cassettes=(), lanes=lanes)
    return list(summarized(receipt, mode, more.pop("orphans", ()), **more))


def test_one_line_says_all_in_numbers() -> None:
    lines = told(lane(counts={"played": 3, "missed": 1}, unplayed=("k:1", "k:2")), orphans=[("t.sqlite", "t.py::gone")])
    assert lines == [
        "replay: 3 played, 1 missed, 2 unplayed, 1 orphaned",
        "  unplayed: t.py::a: k:1, k:2",
        "  orphaned, its test is gone: t.py::gone in t.sqlite",
    ]


def test_a_run_without_calls_says_so() -> None:
    assert told() == ["replay: no calls"]


@pytest.mark.parametrize("passed", [False, None])
def test_what_a_test_that_did_not_end_well_left_is_no_news(*, passed: bool | None) -> None:
    assert told(lane(passed=passed, unplayed=("k:1",))) == ["replay: 1 played"]


def test_why_answers_were_not_recorded_is_told() -> None:
    first, why = told(lane(counts={"not-recorded": 2}), mode=Mode.RECORD)
    assert first == "record: 2 not-recorded"
    assert "record.errors" in why


def test_long_lists_are_cut() -> None:
    lines = told(lane(), orphans=[("t.sqlite", f"t.py::{number:02}") for number in range(30)])
    assert len(lines) == 22
    assert lines[-1] == "  and 10 more"


def test_crashes_and_what_failed_beside_the_tests_come_last() -> None:
    assert told(lane(), crashed=2, failed="a miss")[1:] == [
        "the calls of 2 workers that crashed are not told",
        "a miss",
    ]
