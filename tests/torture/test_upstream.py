"""The upstream does everything wrong: what comes of it is what docs/upstream.md tells."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from docs import generate
from torture.cruelties import CASES
from torture.item import BrokenPromiseError
from torture.observed import hold
from torture.upstream import SEED, compose, cuts, hold_composed, hold_cuts, look_up_table

if TYPE_CHECKING:
    from pathlib import Path

    from torture.observed import Seen


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> list[Seen]:
    """What came of each case; it was checked that what must hold of each does."""
    return look_up_table(tmp_path_factory.mktemp("table"))


def test_the_page_tells_what_comes_of_each_case(table: list[Seen]) -> None:
    page = generate.UPSTREAM.read_text(encoding="utf-8")
    assert generate.written(page, generate.observed(table)) == page, "make docs"
    assert all(f"| {case.does} |" in page for case in CASES)


def test_cases_are_told_apart() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({(case.group, case.does) for case in CASES}) == len(CASES)


def test_a_cut_is_told_from_an_end_at_any_byte(tmp_path: Path) -> None:
    hold_cuts(Random(SEED).sample(cuts(), 150), tmp_path)


def test_an_answer_in_random_pieces_is_what_it_is_in_one(table: list[Seen], tmp_path: Path) -> None:
    hold_composed(compose(table, 100, SEED), tmp_path)


def test_compositions_are_the_same_for_the_same_seed(table: list[Seen]) -> None:
    drawn = [[(each.case.name, each.case.scripts) for each in compose(table, 50, seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_stump_that_passes_for_whole_would_be_told(table: list[Seen]) -> None:
    """The checks are worth something: they see what they are for."""
    named = {seen.case.name: seen for seen in table}
    whole, cut = named["stream-counted"], named["chunk-garbage"]
    assert whole.live
    assert whole.replay
    assert cut.live
    for lie in (
        replace(cut, replay=replace(cut.live, ended=True)),
        replace(cut, stored=whole.stored),
        replace(whole, replay=replace(whole.replay, chunks=(b"other",))),
        replace(whole, live=replace(whole.live, status=201)),
        replace(whole, stored=None),
    ):
        with pytest.raises(BrokenPromiseError):
            hold(lie)
