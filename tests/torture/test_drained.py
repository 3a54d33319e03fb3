"""Told to end: at any moment, and whatever stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from torture import drained
from torture.hindrances import HINDRANCES, Hindrance
from torture.item import nothing

if TYPE_CHECKING:
    from pathlib import Path

LONG: Final = {"a locked cassette", "a large cassette"}
"""Those that take seconds; the long form has them."""


def test_at_a_few_moments(tmp_path: Path) -> None:
    assert "all of them held" in drained.run(6, tmp_path, nothing)


@pytest.mark.parametrize(
    "hindrance", [one for one in HINDRANCES if one.name not in LONG], ids=lambda one: one.name.replace(" ", "-")
)
def test_the_exit_is_told_and_takes_no_longer_than_told(hindrance: Hindrance, tmp_path: Path) -> None:
    hindrance.run(tmp_path)


def test_a_moment_is_drawn_from_its_number_alone() -> None:
    drawn = [drained.moment(seed) for seed in range(300)]
    assert drawn == [drained.moment(seed) for seed in range(300)]
    assert {moment.first for moment in drawn} == set(drained.SIGNALS)
    assert 50 < sum(moment.second_s is not None for moment in drawn) < 150
    assert 50 < sum(moment.answers is None for moment in drawn) < 100  # amid the start
