"""What becomes of values that two sides changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.merging import Decision, decide, merged, plan

OURS, THEIRS, CONFLICT = Decision.OURS, Decision.THEIRS, Decision.CONFLICT
SIDES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "decision"),
    [
        ("a", "a", "a", OURS),
        ("a", "b", "a", OURS),
        ("a", "a", "b", THEIRS),
        ("a", "b", "b", OURS),
        ("a", "b", "c", CONFLICT),
        (None, "a", None, OURS),
        (None, None, "a", THEIRS),
        (None, "a", "a", OURS),
        (None, "a", "b", CONFLICT),
        ("a", None, "a", OURS),
        ("a", "a", None, THEIRS),
        ("a", None, None, OURS),
        ("a", None, "b", CONFLICT),
        ("a", "b", None, CONFLICT),
    ],
)
def test_a_change_on_one_side_is_taken_and_different_changes_clash(
    base: str | None, ours: str | None, theirs: str | None, decision: Decision
) -> None:
    assert decide(base, ours, theirs) is decision


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "decision"),
    [
        ("a", "A", "b", THEIRS),
        ("a", "b", "A", OURS),
        ("a", "b", "B", OURS),
        ("a", "A", None, THEIRS),
        ("a", None, "A", OURS),
        ("a", "a", "A", THEIRS),
        ("a", "A", "a", OURS),
        (None, "b", "B", OURS),
    ],
)
def test_what_differs_in_nothing_that_counts_is_no_change_unless_nothing_else_is(
    base: str | None, ours: str | None, theirs: str | None, decision: Decision
) -> None:
    assert decide(base, ours, theirs, lambda one, other: one.lower() == other.lower()) is decision


def test_ours_come_first_and_in_their_order() -> None:
    decisions = list(plan({}, {"b": 1, "a": 1}, {"c": 1, "a": 2, "d": 3}))
    assert decisions == [("b", OURS), ("a", CONFLICT), ("c", THEIRS), ("d", THEIRS)]


@given(SIDES, SIDES, SIDES)
def test_a_merge_takes_what_either_side_changed(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    found = merged(base, ours, theirs)
    for name in "abc":
        wanted = theirs.get(name) if ours.get(name) == base.get(name) else ours.get(name)
        assert found.get(name) == wanted


@given(SIDES, SIDES, SIDES)
def test_the_sides_agree_on_what_is_a_conflict(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    def clashing(mine: dict[str, int], others: dict[str, int]) -> set[str]:
        return {name for name, decision in plan(base, mine, others) if decision is CONFLICT}

    assert clashing(ours, theirs) == clashing(theirs, ours)
